"""What the streams with a contact share."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Protocol

from p4.core.identity import PeerId
from p4.core.session.stream_frames import StreamFrame
from p4.core.session.streams.record import StreamRecord
from p4.core.session.streams.windows import WindowBudget
from p4.node.streams.recent import Allowance
from p4.node.streams.sending import Pump
from p4.ports import Clock, Spool

__all__ = ["Sink", "StreamContext", "StreamStore"]


class StreamStore(Protocol):
    """What streams need of `p4.ports.Store`."""

    def spool(self, peer_id: PeerId, stream_id: int) -> Spool:
        """See `p4.ports.Store.spool`."""

    async def save_stream(self, peer_id: PeerId, record: StreamRecord) -> None:
        """See `p4.ports.Store.save_stream`."""

    async def forget_stream(self, peer_id: PeerId, stream_id: int) -> None:
        """See `p4.ports.Store.forget_stream`."""


@dataclass(frozen=True, slots=True)
class StreamContext:
    """What the streams of a contact share that are kept in the same place."""

    peer_id: PeerId
    store: StreamStore
    room: Callable[[int], int]
    """How many bytes more one may be given of which so many are not confirmed; then its writer waits."""
    clock: Clock
    budget: WindowBudget
    allowance: Allowance
    pump: Pump
    transmit: Callable[[StreamFrame], None]
    spawn: Callable[[Coroutine[None, None, None]], None]
    forgotten: Callable[[int], None]
    """Told of a stream that is no more."""


class Sink(Protocol):
    """Takes the bytes of a stream as they arrive; see `Stream.pour_into`."""

    @property
    def ready(self) -> bool:
        """Whether it takes more now. If not, the rest waits for `Stream.read`."""

    def take(self, data: bytes) -> None:
        """The next bytes; it has done with them when this returns."""
