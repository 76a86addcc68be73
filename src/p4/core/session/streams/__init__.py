"""Byte streams that outlive links and processes (spec/stream.md): pure halves, and a machine for the life.

The node gives each stream's machine one event at a time and carries out its effects in order.
"""
