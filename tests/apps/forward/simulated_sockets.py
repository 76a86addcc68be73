"""TCP in virtual time: what tunnels need of it, without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from p4.apps.forward.carrying import ByteEnd

__all__ = ["ProgramEnd", "SimulatedSockets"]

BUFFER_BYTES = 64 * 1024


class ProgramEnd:
    """One end of a connection of the simulated machine; `other` is what the other program holds."""

    def __init__(self) -> None:
        self.other: ProgramEnd
        self.arrived = bytearray()
        self.ended = False
        self.error: ConnectionError | None = None
        self.changed = asyncio.Event()
        self.lost = asyncio.Event()
        self.most_waiting = 0
        self.hand_over: Callable[[bytes], bool] | None = None

    @classmethod
    def pair(cls) -> tuple[ProgramEnd, ProgramEnd]:
        one, other = cls(), cls()
        one.other, other.other = other, one
        return one, other

    def _notify(self) -> None:
        for end in (self, self.other):
            end.changed.set()

    async def _wait(self) -> None:
        self.changed.clear()
        await self.changed.wait()

    async def read(self) -> bytes:
        while not self.arrived:
            if self.ended:
                return b""
            if self.error:
                raise self.error
            await self._wait()
        data = bytes(self.arrived)
        self.arrived.clear()
        self._notify()
        return data

    async def read_all(self) -> bytes:
        """Everything until the end. Raises ConnectionError."""
        pieces = []
        while piece := await self.read():
            pieces.append(piece)
        return b"".join(pieces)

    async def readexactly(self, n: int) -> bytes:
        while len(self.arrived) < n:
            if self.error:
                raise self.error
            assert not self.ended, bytes(self.arrived)
            await self._wait()
        data = bytes(self.arrived[:n])
        del self.arrived[:n]
        self._notify()
        return data

    async def write(self, data: bytes) -> None:
        if self.error:
            raise self.error
        self.take(data)
        while len(self.other.arrived) > BUFFER_BYTES:
            if self.error:
                raise self.error
            await self._wait()

    @property
    def ready(self) -> bool:
        return len(self.other.arrived) <= BUFFER_BYTES and not self.error

    def take(self, data: bytes) -> None:
        other = self.other
        if not other.arrived and other.hand_over is not None and other.hand_over(bytes(data)):
            return
        other.arrived += data
        other.most_waiting = max(other.most_waiting, len(other.arrived))
        self._notify()

    def give_to(self, hand_over: Callable[[bytes], bool]) -> None:
        self.hand_over = hand_over

    def end_writing(self) -> None:
        self.other.ended = True
        self._notify()

    def close(self) -> None:
        self.end_writing()

    def abort(self) -> None:
        for end in (self, self.other):
            end.error = end.error or ConnectionResetError("reset")
            end.arrived.clear()
            end.ended = False
            end.lost.set()
        self._notify()

    async def wait_lost(self) -> None:
        await self.lost.wait()
        raise self.error or ConnectionAbortedError


class _Listener:
    def __init__(self, sockets: SimulatedSockets, port: int) -> None:
        self._sockets = sockets
        self.port = port

    async def close(self) -> None:
        self._sockets.listeners.pop(self.port, None)


class SimulatedSockets:
    """The machine: who listens where, and programs that connect."""

    def __init__(self) -> None:
        self.listeners: dict[int, Callable[[ByteEnd], None]] = {}
        self.hosts: list[str] = []

    async def listen(self, host: str, port: int, accept: Callable[[ByteEnd], None]) -> _Listener:
        if port in self.listeners:
            raise OSError(98, "in use")
        port = port or 40_000 + len(self.listeners)
        self.listeners[port] = accept
        self.hosts.append(host)
        return _Listener(self, port)

    async def connect(self, host: str, port: int) -> ProgramEnd:
        accept = self.listeners.get(port)
        if accept is None:
            raise ConnectionRefusedError(111, "refused")
        ours, theirs = ProgramEnd.pair()
        accept(theirs)
        return ours
