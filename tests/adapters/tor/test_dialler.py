"""A dial that hangs is joined by another; the real clock is used with short times."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from tests.adapters.tor.test_socks import handshake

from p4.adapters.tor import dialler as dialler_module
from p4.adapters.tor.control import ControlConnection
from p4.adapters.tor.dialler import OnionDialler
from p4.core.address import RendezvousAddress, Transport
from p4.errors import RendezvousError

PEER = RendezvousAddress(
    Transport.ONION, "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion", 80
)
HANG, REACHED, STALE = None, 0x00, 0xF2


class ScriptedTor:
    """A SOCKS server that answers the n-th dial with the n-th code, or never."""

    def __init__(self, *answers: int | None) -> None:
        self.answers = list(answers)
        self.isolation: list[bytes] = []
        self.ended = asyncio.Event()
        self.open = 0
        self.port = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[OnionDialler]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            self.port = server.sockets[0].getsockname()[1]
            control = ControlConnection(lambda event: None, lambda: None)
            yield OnionDialler(control, self.port, lambda: True)
            async with asyncio.timeout(5):
                while self.open:
                    self.ended.clear()
                    await self.ended.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        isolation, _, _ = await handshake(reader, writer)
        self.isolation.append(isolation)
        answer = self.answers.pop(0)
        if answer is not None:
            writer.write(bytes([5, answer, 0, 1]) + bytes(6))
        with suppress(ConnectionError):  # a loser is cut off, not ended politely
            await reader.read()
        writer.close()
        self.open -= 1
        self.ended.set()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialler_module, "_PACE_SECONDS", (0.1, 0.1))
    monkeypatch.setattr(dialler_module, "_JOIN_PACES", (1, 2))


async def test_a_hanging_dial_is_joined_by_one_on_other_circuits_and_then_dropped() -> None:
    tor = ScriptedTor(HANG, REACHED)
    async with tor.listening() as dialler:
        stream = await dialler.dial(PEER, timeout=5, fresh=False)
        stream.close()
    assert len(set(tor.isolation)) == 2


async def test_a_failure_while_another_hangs_is_not_the_end() -> None:
    tor = ScriptedTor(HANG, STALE, REACHED)
    async with tor.listening() as dialler:
        stream = await dialler.dial(PEER, timeout=5, fresh=False)
        stream.close()
    assert len(tor.isolation) == 3


async def test_a_failure_with_nothing_else_under_way_is_told_at_once() -> None:
    tor = ScriptedTor(STALE)
    async with tor.listening() as dialler:
        with pytest.raises(RendezvousError) as caught:
            await dialler.dial(PEER, timeout=5, fresh=False)
    assert caught.value.code == "introduction-failed"


async def test_if_all_hang_the_time_out_ends_them_all() -> None:
    tor = ScriptedTor(HANG, HANG, HANG)
    async with tor.listening() as dialler:
        with pytest.raises(RendezvousError) as caught:
            await dialler.dial(PEER, timeout=2.0, fresh=True)
    assert caught.value.code == "timeout"
    assert len(set(tor.isolation)) == 3


async def test_later_dials_share_the_circuit_that_worked() -> None:
    tor = ScriptedTor(REACHED, REACHED, REACHED)
    async with tor.listening() as dialler:
        for fresh in (False, False, True):
            (await dialler.dial(PEER, timeout=5, fresh=fresh)).close()
    assert tor.isolation[0] == tor.isolation[1] != tor.isolation[2]
