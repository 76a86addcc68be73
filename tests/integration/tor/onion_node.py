"""A TorRendezvous with a key in memory, its statuses noted and an echo behind its address."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from p4.adapters.tor.onion_gate import OnionGate
from p4.adapters.tor.rendezvous import TorRendezvous
from p4.core.address import RendezvousAddress
from p4.ports import RendezvousPhase, RendezvousStatus, SignalStream

__all__ = ["OFFLINE", "OnionNode"]

OFFLINE = ("DisableNetwork 1",)
"""torrc lines for tests of the process alone: Tor runs and obeys, and connects to nothing."""


class OnionNode(AbstractAsyncContextManager["OnionNode"]):
    """Starts and closes with ``async with``; ``key`` is as the state directory would keep it."""

    def __init__(
        self,
        directory: Path,
        torrc_lines: Sequence[str],
        *,
        key: tuple[str, str] | None = None,
        gate_seed: bytes = b"",
        binary: Path | None = None,
        unix_sockets: bool | None = None,
        socks_port: int | None = None,
        control_port: int | None = None,
    ) -> None:
        self.directory = directory
        self.key = key
        self.statuses: list[RendezvousStatus] = []
        self.accepted = 0
        self._changed = asyncio.Event()
        self.rendezvous = TorRendezvous(
            directory,
            load_key=lambda: self.key,
            save_key=self._save,
            gate_seed=(lambda: gate_seed) if gate_seed else None,
            binary=binary,
            torrc_lines=torrc_lines,
            unix_sockets=unix_sockets,
            socks_port=socks_port,
            control_port=control_port,
        )
        self.gate = OnionGate(self.rendezvous)
        self.address: RendezvousAddress

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.rendezvous.close()

    async def start(self) -> None:
        self.address = await self.rendezvous.start(self._echo, self._note)

    async def reach(self, phase: RendezvousPhase, *, seconds: float = 150.0) -> None:
        """Wait until the status is in this phase."""
        async with asyncio.timeout(seconds):
            while self.rendezvous.status.phase is not phase:
                self._changed.clear()
                await self._changed.wait()

    async def failed(self, *, seconds: float = 150.0) -> None:
        """Wait until its Tor was found to be gone; the next one may be there already."""
        async with asyncio.timeout(seconds):
            while RendezvousPhase.FAILED not in [status.phase for status in self.statuses]:
                self._changed.clear()
                await self._changed.wait()

    async def checked(self, *, since: float, seconds: float = 150.0) -> float:
        """Wait for a call to ourselves that arrived later than this moment; gives its moment."""
        async with asyncio.timeout(seconds):
            # A check that changes nothing else is told to nobody.
            while (at := self.rendezvous.status.checked_at) is None or at <= since:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return at

    async def ask(
        self, address: RendezvousAddress, text: bytes, *, timeout: float = 20, fresh: bool = False
    ) -> bytes | None:
        """Dial, say one line, and give the answer."""
        stream = await self.rendezvous.dial(address, timeout=timeout, fresh=fresh)
        try:
            async with asyncio.timeout(timeout):
                await stream.send_line(text)
                return await stream.receive_line()
        finally:
            stream.close()

    def tor(self) -> psutil.Process:
        """The running Tor."""
        pid = self.rendezvous.tor_pid
        assert pid is not None
        return psutil.Process(pid)

    def _save(self, blob: str, service_id: str) -> None:
        self.key = (blob, service_id)

    def _note(self, status: RendezvousStatus) -> None:
        self.statuses.append(status)
        self._changed.set()

    async def _echo(self, stream: SignalStream) -> None:
        self.accepted += 1
        while (line := await stream.receive_line()) is not None:
            await stream.send_line(b"echo " + line)
