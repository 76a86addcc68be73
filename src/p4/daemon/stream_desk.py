"""Streams on their way to programs, and between two connections of one (spec/daemon-api/README.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from p4.core.identity import PeerId
from p4.daemon.held_stream import HeldStream
from p4.errors import LocalError, StreamError
from p4.node.node import BaseNode
from p4.node.peer import Peer
from p4.node.streams import Stream

__all__ = ["StreamDesk"]

_Matches = Callable[[Peer], bool]


_SWEEP_AT = 64
"""Streams at which it is looked first which of them are over."""


@dataclass(slots=True)
class _Service:
    """The incoming streams of one service."""

    waiting: list[HeldStream] = field(default_factory=list)
    """Of nobody at the moment, those that waited longest first."""
    askers: list[tuple[_Matches, asyncio.Future[HeldStream]]] = field(default_factory=list)
    taking: asyncio.Task[None] | None = None


class StreamDesk:
    """All streams that programs use, or will."""

    def __init__(self, node: BaseNode) -> None:
        self._node = node
        self._held: dict[tuple[PeerId, int], HeldStream] = {}
        self._many = _SWEEP_AT
        self._services: dict[str, _Service] = {}
        self._asked_for: set[tuple[PeerId, int]] = set()
        """Incoming ones that a program asked for by their id before their turn came."""

    async def open(self, peer: Peer, service: str, name: str) -> HeldStream:
        """The stream to a contact's service; see `Peer.stream` for what it raises."""
        return self._hold(await peer.stream(service, name))

    def again(self, peer: Peer, service: str, stream_id: str, *, opened_here: bool) -> HeldStream:
        """A stream that a program has used before, whoever uses it now.

        Args:
            stream_id: 16 hexadecimal digits.

        Raises:
            StreamError: ``over``: it has ended, or never was.
        """
        for stream in peer.unfinished(service):
            if (f"{stream.id:016x}", stream.service, stream.opened_here) == (stream_id, service, opened_here):
                key = peer.peer_id, stream.id
                if not opened_here and key not in self._held:
                    self._asked_for.add(key)
                held = self._hold(stream)
                if (state := self._services.get(service)) is not None and held in state.waiting:
                    state.waiting.remove(held)
                return held
        raise StreamError("This stream has ended, on both sides. No other was opened.", code="over")

    async def accept(self, service: str, matches: _Matches) -> HeldStream:
        """The next stream that a contact opens, or one whose program is gone.

        Args:
            matches: which contacts' streams are wanted.

        Raises:
            LocalError: ``not-running``: the node ends.
        """
        state = self._services.setdefault(service, _Service())
        for held in state.waiting:
            if matches(held.stream.peer):
                state.waiting.remove(held)
                return held
        found: asyncio.Future[HeldStream] = asyncio.get_running_loop().create_future()
        asker = (matches, found)
        state.askers.append(asker)
        if state.taking is None:
            state.taking = asyncio.create_task(self._take(service, state), name="streams for programs")
        try:
            return await found
        except asyncio.CancelledError:
            if found.done() and not found.cancelled() and found.exception() is None:
                self._offer(state, found.result())
            raise
        finally:
            if asker in state.askers:
                state.askers.remove(asker)
            if not state.askers and state.taking is not None:
                state.taking.cancel()
                state.taking = None

    def give_back(self, held: HeldStream) -> None:
        """The program's connection ended: the stream is there for the next one."""
        if not held.stream.opened_here:
            self._offer(self._services.setdefault(held.stream.service, _Service()), held)

    def forget(self, held: HeldStream) -> None:
        """The stream has ended, or the program has left it."""
        key = held.stream.peer.peer_id, held.stream.id
        self._held.pop(key, None)
        self._asked_for.discard(key)

    def askers(self) -> dict[str, int]:
        """How many programs wait for a stream of each service."""
        return {name: len(state.askers) for name, state in self._services.items() if state.askers}

    # -- inside ----------------------------------------------------------------------------------------

    def _hold(self, stream: Stream) -> HeldStream:
        key = (stream.peer.peer_id, stream.id)
        held = self._held.get(key)
        if held is None or held.stream is not stream:
            held = self._held[key] = HeldStream(stream)
            if len(self._held) > self._many:
                self._sweep()
        return held

    def _sweep(self) -> None:
        """Forget streams that ended while no program used them."""
        for key, held in list(self._held.items()):
            if not held.using.locked() and _is_over(held.stream):
                del self._held[key]
        self._many = max(_SWEEP_AT, 2 * len(self._held))

    def _offer(self, state: _Service, held: HeldStream) -> None:
        for asker in state.askers:
            matches, found = asker
            if not found.done() and matches(held.stream.peer):
                state.askers.remove(asker)
                found.set_result(held)
                return
        state.waiting.append(held)

    async def _take(self, service: str, state: _Service) -> None:
        incoming = self._node.streams(service)
        while state.askers:
            try:
                stream = await anext(incoming)
            except StopAsyncIteration:
                ending = LocalError(
                    "The node has ended. The stream goes on after its next start.", code="closed"
                )
                for _, found in state.askers:
                    if not found.done():
                        found.set_exception(ending)
                break
            key = stream.peer.peer_id, stream.id
            if key in self._asked_for:
                self._asked_for.discard(key)
            else:
                self._offer(state, self._hold(stream))
        state.taking = None


def _is_over(stream: Stream) -> bool:
    try:
        return stream not in stream.peer.unfinished(stream.service)
    except LocalError:  # the contact was removed
        return True
