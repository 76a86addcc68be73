"""Copying files between contacts: durable jobs, a protocol (spec/files.md), safe places to write to."""
