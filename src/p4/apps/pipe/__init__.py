"""A durable pipe between two programs on two devices (docs/tunnels.md, "Pipes")."""

from p4.apps.pipe.pipe import Pipe, PipeStream
from p4.apps.pipe.sink import FileSink, Sink, StandardOutput
from p4.apps.pipe.source import NoSource, Source, StandardInput

__all__ = [
    "SERVICE",
    "FileSink",
    "NoSource",
    "Pipe",
    "PipeStream",
    "Sink",
    "Source",
    "StandardInput",
    "StandardOutput",
]

SERVICE = "pipe"
"""Pipes are streams to the services below it: ``pipe.backup``."""
