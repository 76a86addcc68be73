"""Byte streams with contacts (spec/stream.md): what applications hold, and what carries it out."""

from __future__ import annotations

from p4.node.streams.context import Sink
from p4.node.streams.hub import StreamHub
from p4.node.streams.sending import StreamTransport
from p4.node.streams.services import IncomingStreams, StreamServices
from p4.node.streams.stream import Stream

__all__ = ["IncomingStreams", "Sink", "Stream", "StreamHub", "StreamServices", "StreamTransport"]
