"""Lanes beside the link in service: begun, used together, and ended (spec/lanes.md)."""

from p4.node.lanes.transport import LinkTransport, StreamLink

__all__ = ["LinkTransport", "StreamLink"]
