"""Pipes of programs whose connection to the daemon breaks at the worst moments."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from tests.apps.pipe.pipe_ends import FileInput, MemoryOutput
from tests.daemon.conftest import SECONDS, RunningDaemon, grant

from p4.apps.pipe import NoSource, Pipe, PipeStream, Source
from p4.client import Client
from p4.client import connect as connected
from p4.client.streams import Stream, incoming_stream, open_stream

Pair = tuple[RunningDaemon, RunningDaemon]

SERVICE = "pipe.film"


def broken(stream: Stream) -> None:
    """The connection of a program to its daemon ends."""
    stream._socket.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


class End:
    """One side of a pipe: a program that has run, perhaps, for a while."""

    def __init__(self, client: Client, *, opens: bool, source: Source) -> None:
        self._client = client
        self._opens = opens
        self.output = MemoryOutput()
        self.streams: list[Stream] = []
        self.has_stream = asyncio.Event()
        self.deaf = False
        """Whether the connection breaks before the daemon hears that everything is done with."""
        self.run = asyncio.create_task(Pipe(self._stream, source, self.output).run())

    @asynccontextmanager
    async def _stream(self, used: object) -> AsyncIterator[PipeStream]:
        again = None if used is None else str(used)
        async with AsyncExitStack() as stack:
            if self._opens:
                context = open_stream(self._client, "phone", SERVICE, "", again=again)
            else:
                context = incoming_stream(self._client, SERVICE, "laptop", again=again)
            stream = await stack.enter_async_context(context)
            self.streams.append(stream)
            self.has_stream.set()
            if self.deaf:
                self._deafen(stream)
            yield stream

    def _deafen(self, stream: Stream) -> None:
        consumed = stream.consumed

        async def lost(offset: int | None = None, *, knows_end: bool = True) -> None:
            if knows_end and self.deaf:
                self.deaf = False
                broken(stream)
            else:
                await consumed(offset, knows_end=knows_end)

        stream.consumed = lost  # type: ignore[method-assign]

    async def ended(self) -> bytes:
        """What came out of it, when it has ended well."""
        async with asyncio.timeout(SECONDS):
            await self.run
        return bytes(self.output.content)


@pytest.fixture
async def clients(pair: Pair) -> AsyncIterator[tuple[Client, Client]]:
    await grant(pair[1], "laptop", SERVICE)
    async with connected(pair[0].directory) as laptop, connected(pair[1].directory) as phone:
        yield laptop, phone


async def test_a_connection_that_breaks_while_a_pipe_waits_for_the_other_side(
    clients: tuple[Client, Client],
) -> None:
    laptop, phone = clients
    sending = End(laptop, opens=True, source=FileInput(b"question"))
    async with incoming_stream(phone, SERVICE, "laptop") as stream:
        await stream.write(b"answer")
        await stream.close_writing()
        async with asyncio.timeout(SECONDS):
            assert b"".join([piece async for piece in stream]) == b"question"
            await stream.wait_confirmed(6)
        assert not sending.run.done(), "the other side has not consumed everything"
        broken(sending.streams[0])
        await stream.consumed()
        assert await sending.ended() == b"answer"
        await stream.wait_done()
    assert len({stream.id for stream in sending.streams}) == 1
    assert len(sending.streams) == 2


async def test_a_pipe_that_is_killed_while_it_waits_is_the_same_when_run_again(
    clients: tuple[Client, Client],
) -> None:
    laptop, phone = clients
    first = End(laptop, opens=True, source=FileInput(b"question"))
    async with incoming_stream(phone, SERVICE, "laptop") as stream:
        await stream.write(b"answer")
        await stream.close_writing()
        async with asyncio.timeout(SECONDS):
            assert b"".join([piece async for piece in stream]) == b"question"
            await stream.wait_confirmed(6)
        first.run.cancel()
        await asyncio.wait([first.run])
        second = End(laptop, opens=True, source=FileInput(b"question"))
        second.output.safe = 6
        async with asyncio.timeout(SECONDS):
            await second.has_stream.wait()
        assert second.streams[0].id == first.streams[0].id, "it has begun the pipe anew"
        await stream.consumed()
        await second.ended()
        await stream.wait_done()


@pytest.mark.parametrize("opens", [True, False])
async def test_the_last_word_of_who_only_receives_is_said_again(
    clients: tuple[Client, Client], opens: bool
) -> None:
    laptop, phone = clients
    film = b"film" * 10_000
    sources: list[Source] = [FileInput(film), NoSource()]
    if opens:
        sources.reverse()
    ends = End(laptop, opens=True, source=sources[0]), End(phone, opens=False, source=sources[1])
    receiving, sending = ends if opens else reversed(ends)
    receiving.deaf = True
    assert await receiving.ended() == film
    assert await sending.ended() == b""
    assert not receiving.deaf, "the connection was never broken"
    assert len(receiving.streams) == 2


async def test_the_last_bytes_are_consumed_before_the_end_comes(clients: tuple[Client, Client]) -> None:
    """A program that says so for the last time before the end, and then waits for it all to be done."""
    laptop, phone = clients
    async with open_stream(laptop, "phone", SERVICE, "") as here, asyncio.timeout(SECONDS):
        await here.write(b"film")
        async with incoming_stream(phone, SERVICE, "laptop") as there:
            await there.close_writing()
            assert await there.read() == b"film"
            await there.consumed()
            await here.wait_confirmed(4)
            await here.close_writing()
            await asyncio.gather(there.wait_done(), here.wait_done())
