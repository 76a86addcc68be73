"""Our own calls are recognised at the listener; those of others reach the node as if nobody had looked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from p4.adapters.net.lines import LineStream, StreamAcceptor
from p4.adapters.tor import self_check
from p4.adapters.tor.self_check import SelfCheck
from p4.core import limits
from p4.errors import P4Error, RendezvousError
from p4.ports import SignalStream


class Listener:
    """A listener of ours with a self-check in front; a TCP port stands for the onion address."""

    def __init__(self) -> None:
        self.check = SelfCheck()
        self.accepted = 0
        self.lines: list[bytes | str | None] = []
        self.port = 0
        self.dialled: list[LineStream] = []
        self._arrived = asyncio.Event()

    async def node(self, stream: SignalStream) -> None:
        self.accepted += 1
        self._arrived.set()
        while True:
            try:
                line = await stream.receive_line()
            except P4Error as error:
                self.lines.append(error.code)
                return
            self.lines.append(line)
            if line is None:
                return
            await stream.send_line(b"node heard " + line)

    async def until_accepted(self) -> None:
        await self._arrived.wait()

    async def dial(self) -> LineStream:
        loop = asyncio.get_running_loop()
        _, stream = await loop.create_connection(lambda: LineStream("test"), "127.0.0.1", self.port)
        self.dialled.append(stream)
        return stream


@asynccontextmanager
async def listening() -> AsyncIterator[Listener]:
    listener = Listener()
    acceptor = StreamAcceptor(lambda stream: listener.check.admit(stream, listener.node), "inbound")
    server = await asyncio.get_running_loop().create_server(acceptor.protocol, "127.0.0.1", 0)
    listener.port = server.sockets[0].getsockname()[1]
    try:
        yield listener
    finally:
        for stream in listener.dialled:
            stream.close()
        server.close()
        await acceptor.close()
        await asyncio.sleep(0)  # closed connections are seen to in the next turn of the loop


async def test_a_call_to_ourselves_arrives_and_the_node_hears_nothing_of_it() -> None:
    async with listening() as here, asyncio.timeout(5):
        await here.check.run(here.dial)
        await here.check.run(here.dial)
        assert here.accepted == 0
        assert not here.check._expected


@asynccontextmanager
async def while_checking(here: Listener) -> AsyncIterator[None]:
    """A call to ourselves is under way and does not arrive."""

    async def never() -> SignalStream:
        await asyncio.Event().wait()
        raise AssertionError

    checking = asyncio.create_task(here.check.run(never))
    await asyncio.sleep(0)
    try:
        yield
    finally:
        checking.cancel()
        await asyncio.wait([checking])


async def test_others_are_heard_from_the_first_line_on_while_a_call_is_under_way() -> None:
    async with listening() as here, while_checking(here), asyncio.timeout(5):
        stream = await here.dial()
        for line in (b"hello", b"p4-self-check " + b"0" * 32, b""):
            await stream.send_line(line)
            assert await stream.receive_line() == b"node heard " + line
        stream.close()
        assert here.accepted == 1


async def test_one_that_says_nothing_is_passed_on_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_check, "_FIRST_LINE_SECONDS", 0.05)
    async with listening() as here, while_checking(here), asyncio.timeout(5):
        stream = await here.dial()
        await here.until_accepted()
        await stream.send_line(b"at last")
        assert await stream.receive_line() == b"node heard at last"
        stream.close()


async def test_one_that_ends_or_breaks_the_rules_does_so_at_the_node() -> None:
    async with listening() as here, while_checking(here), asyncio.timeout(5):
        silent = await here.dial()
        assert silent._transport is not None
        silent._transport.write_eof()
        assert await silent.receive_line() is None
        loud = await here.dial()
        await loud.send_line(b"x" * limits.SIGNALING_LINE_BYTES)
        with pytest.raises(P4Error):
            await loud.receive_line()
        assert here.lines == [None, "line-too-long"]


async def test_many_at_once_do_not_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_check, "_LOOKED_AT_ONCE", 3)
    async with listening() as here, while_checking(here), asyncio.timeout(5):
        streams = [await here.dial() for _ in range(4)]
        await here.until_accepted()
        assert here.accepted == 1, "the fourth is not looked at"
        for stream in streams:
            await stream.send_line(b"x")
            assert await stream.receive_line() == b"node heard x"
            stream.close()


async def test_a_call_that_arrives_too_late_is_still_ours() -> None:
    async with listening() as here, asyncio.timeout(5):
        streams: list[LineStream] = []

        async def slow() -> SignalStream:
            streams.append(await here.dial())
            await asyncio.Event().wait()
            raise AssertionError

        checking = asyncio.create_task(here.check.run(slow))
        while not streams:  # noqa: ASYNC110 - a connection of a few milliseconds
            await asyncio.sleep(0.01)
        (line,) = here.check._expected
        checking.cancel()
        await asyncio.wait([checking])
        await streams[0].send_line(line)
        assert await streams[0].receive_line() is None
        assert here.accepted == 0


async def test_a_call_that_cannot_be_made_or_is_lost_fails() -> None:
    async with listening() as here, asyncio.timeout(5):

        async def refused() -> SignalStream:
            raise RendezvousError("Nobody answers.", code="introduction-failed")

        with pytest.raises(RendezvousError, match="Nobody answers"):
            await here.check.run(refused)
        # Somebody else has our address.
        other = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
        here.port = other.sockets[0].getsockname()[1]
        with pytest.raises(RendezvousError):
            await here.check.run(here.dial)
        other.close()


def looks_at_nobody(patch: pytest.MonkeyPatch) -> None:
    async def admit(self: SelfCheck, stream: SignalStream, accept: Callable[[SignalStream], object]) -> None:
        await accept(stream)  # type: ignore[misc]

    patch.setattr(SelfCheck, "admit", admit)


def swallows_the_first_line(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(self_check, "_Begun", lambda stream, first: stream)


@pytest.mark.parametrize(
    ("plant", "test"),
    [
        (looks_at_nobody, test_a_call_that_arrives_too_late_is_still_ours),
        (swallows_the_first_line, test_others_are_heard_from_the_first_line_on_while_a_call_is_under_way),
    ],
)
async def test_a_mistake_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], test: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises((AssertionError, TimeoutError)):
        async with asyncio.timeout(1):
            await test()  # type: ignore[misc]
