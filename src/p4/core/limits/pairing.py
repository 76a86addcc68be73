"""Numbers of pairing (spec/pairing.md)."""

from __future__ import annotations

MEETING_VISITORS = 8
"""Visitors of one meeting place at a time; the oldest is closed for a new one. One is enough; more let a device
in while somebody else only knocks."""
