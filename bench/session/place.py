"""What the actions of a worker share."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import p4
from p4.apps.files.app import FilesApp
from p4.apps.forward import ForwardApp
from p4.core.address import Transport
from p4.core.ice import IceSettings
from p4.node.options import NodeOptions
from p4.node.peer import Peer
from p4.node.streams import Stream

SERVICE = "bench"
"""What everything measured is addressed to."""

MESSAGE_BYTES = 100


@dataclass
class Place:
    """The process: its directory and, once started, its node."""

    directory: Path
    node: p4.Node | None = None
    crowd: list[p4.Node] = field(default_factory=list)
    """Further nodes, the other ends of many links."""
    accepting: asyncio.Task[None] | None = None
    accepted: defaultdict[str, asyncio.Future[Stream]] = field(
        default_factory=lambda: defaultdict(asyncio.Future)
    )
    """Streams of the other node by name, as they come or are waited for."""
    position: int = 0
    """How far a stream was read."""
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever ``position`` has changed."""
    lanes: bool = False
    """Whether streams may have lanes (spec/lanes.md)."""
    sent: int = 0
    """Bytes of streams given to links, where they are counted."""
    files: FilesApp | None = None
    """Copied files, once started."""
    forwards: ForwardApp | None = None
    """Forwards and served ports, once started."""

    @property
    def running(self) -> p4.Node:
        """The node."""
        assert self.node is not None
        return self.node

    @property
    def peer(self) -> Peer:
        """Its only contact."""
        return self.running.peers()[0]

    def options(self) -> NodeOptions:
        """Direct rendezvous on loopback, the fast library."""
        return NodeOptions(
            transport=Transport.DIRECT,
            ice=IceSettings(stun=()),
            link_backend="wrtc",
            peer_lanes=self.lanes,
            stream_lanes=self.lanes,
        )


class Stopwatch:
    """The moment at which it was made, and the CPU time since then."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self._cpu = time.process_time()

    def read(self) -> dict[str, float]:
        """``began`` and ``ended`` on the machine's clock, and ``cpu``, in seconds."""
        return {
            "began": self.began,
            "ended": time.monotonic(),
            "cpu": time.process_time() - self._cpu,
        }
