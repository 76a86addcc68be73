"""Streams through the API: from a program at one daemon to a program at another, over broken connections."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from tests.daemon.conftest import SECONDS, RunningDaemon, grant
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from p4.daemon import stream_desk
from p4.node.streams import Stream

Pair = tuple[RunningDaemon, RunningDaemon]


class Program:
    """A program's end of a stream."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.read = bytearray()

    async def says(self, kind: str) -> dict[str, Any]:
        """The next word of this kind; bytes before it are kept."""
        async with asyncio.timeout(SECONDS):
            while True:
                message = await self.socket.recv()
                if isinstance(message, bytes):
                    self.read += message
                    continue
                word: dict[str, Any] = json.loads(message)
                if word["type"] == kind:
                    return word
                assert word["type"] in {"progress", "open"}, word

    async def reads(self, count: int) -> bytes:
        async with asyncio.timeout(SECONDS):
            while len(self.read) < count:
                message = await self.socket.recv()
                if isinstance(message, bytes):
                    self.read += message
        return bytes(self.read)

    async def tell(self, kind: str, **more: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **more}))


async def connect(daemon: RunningDaemon, path: str) -> Program:
    socket = await unix_connect(
        daemon.daemon.endpoint.unix_path,
        f"ws://p4/v1{path}",
        max_size=1 << 21,
        compression=None,
        open_timeout=SECONDS,
    )
    await daemon.others.enter_async_context(socket)
    return Program(socket)


@pytest.fixture
async def films(pair: Pair) -> Pair:
    await grant(pair[1], "laptop", "films")
    return pair


OPEN = "/contacts/phone/streams/films?name=film"
ACCEPT = "/streams/films"


async def test_bytes_go_both_ways_and_both_ends_are_told(films: Pair) -> None:
    laptop, phone = films
    here = await connect(laptop, OPEN)
    assert (await here.says("open"))["written"] == 0
    there = await connect(phone, ACCEPT)
    data = bytes(range(256)) * 4096
    await here.socket.send(data)
    await here.tell("end")
    opened = await there.says("open")
    assert (opened["name"], opened["contact"]["name"], opened["opened_here"]) == ("film", "laptop", False)
    assert await there.reads(len(data)) == data
    await there.says("end")
    await there.socket.send(b"thanks")
    await there.tell("consumed", offset=len(data))
    await there.tell("end")
    assert await here.reads(6) == b"thanks"
    await here.says("end")
    await here.tell("consumed", offset=6)
    await here.says("done")
    await there.says("done")


async def test_what_was_not_consumed_comes_again_after_a_broken_connection(films: Pair) -> None:
    laptop, phone = films
    here = await connect(laptop, OPEN)
    await here.socket.send(b"0123456789")
    there = await connect(phone, ACCEPT)
    await there.reads(10)
    await there.tell("consumed", offset=4)
    await there.tell("flush")  # words are obeyed in order
    await there.says("flushed")
    there.socket.transport.abort()
    here.socket.transport.abort()
    again = await connect(phone, ACCEPT)
    assert (await again.says("open"))["position"] == 4
    assert await again.reads(6) == b"456789"
    here = await connect(laptop, OPEN)
    assert (await here.says("open"))["written"] == 10
    await here.socket.send(b"ab")
    assert await again.reads(8) == b"456789ab"


async def test_what_is_consumed_while_the_disk_is_busy_with_less_is_noted_too(
    films: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last word comes while the one before it is brought to disk; the program says nothing after it."""
    laptop, phone = films
    writing, written = asyncio.Event(), asyncio.Event()
    consumed = Stream.consumed

    async def slowly(stream: Stream, through: int | None = None, *, knows_end: bool = True) -> None:
        await consumed(stream, through, knows_end=knows_end)
        writing.set()
        await written.wait()

    monkeypatch.setattr(Stream, "consumed", slowly)
    here = await connect(laptop, OPEN)
    await here.socket.send(b"0123456789")
    await here.tell("end")
    there = await connect(phone, ACCEPT)
    assert await there.reads(10) == b"0123456789"
    await there.says("end")
    await there.tell("end")
    await there.tell("consumed", offset=4)
    async with asyncio.timeout(SECONDS):
        await writing.wait()
    await there.tell("consumed", offset=10)
    await there.tell("flush")  # words are obeyed in order
    await there.says("flushed")
    written.set()
    await here.says("end")
    await here.tell("consumed", offset=0)
    await here.says("done")
    await there.says("done")


async def test_a_newer_connection_takes_a_stream_over(films: Pair) -> None:
    laptop, _ = films
    first = await connect(laptop, OPEN)
    await first.says("open")
    await first.socket.send(b"abc")
    await first.tell("flush")
    assert (await first.says("flushed"))["written"] == 3
    second = await connect(laptop, OPEN)
    assert (await second.says("open"))["written"] == 3
    with pytest.raises(ConnectionClosed) as closed:
        await first.socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4001
    await second.tell("reset", reason="enough")
    await second.says("done")


async def test_a_reset_reaches_the_other_program(films: Pair) -> None:
    laptop, phone = films
    here = await connect(laptop, OPEN)
    await here.socket.send(b"abc")
    there = await connect(phone, ACCEPT)
    await there.reads(3)
    await here.tell("reset", reason="disk full")
    await here.says("done")
    error = (await there.says("error"))["error"]
    assert error["code"] == "cancelled"
    assert error["data"]["by_contact"] is True
    assert "disk full" in error["message"]


async def test_a_program_that_does_not_read_is_not_sent_more_than_it_may_have(films: Pair) -> None:
    laptop, phone = films
    here = await connect(laptop, OPEN)
    there = await connect(phone, ACCEPT)
    piece = bytes(1 << 20)
    for _ in range(8):
        await here.socket.send(piece)
    first = 4 << 20
    assert len(await there.reads(first)) < first + (1 << 18)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await there.socket.recv()
    for offset in range(1, 9):
        await there.tell("consumed", offset=min(offset << 20, len(there.read)))
        await there.reads(min((offset + 4) << 20, 8 << 20))
    assert len(there.read) == 8 << 20


async def test_refusals_before_and_after_the_handshake(films: Pair) -> None:
    laptop, phone = films
    with pytest.raises(InvalidStatus) as refused:
        await connect(laptop, "/contacts/tablet/streams/films")
    assert refused.value.response.status_code == 404
    assert json.loads(refused.value.response.body)["error"]["code"] == "unknown"
    with pytest.raises(InvalidStatus) as refused:
        await connect(laptop, "/contacts/phone/streams/No!")
    assert json.loads(refused.value.response.body)["error"]["code"] == "bad-service"
    waiting = await connect(phone, ACCEPT)
    await waiting.tell("consumed", offset=1)
    assert (await waiting.says("error"))["error"]["code"] == "not-open"
    here = await connect(laptop, OPEN)
    await here.tell("consumed", offset=1)
    assert (await here.says("error"))["error"]["code"] == "bad-offset"
    here = await connect(laptop, OPEN)
    await here.tell("dance")
    assert (await here.says("error"))["error"]["code"] == "bad-word"


async def test_streams_that_ended_unused_are_forgotten(films: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    laptop, _ = films
    monkeypatch.setattr(stream_desk, "_SWEEP_AT", 2)
    streams = laptop.daemon.context.streams = stream_desk.StreamDesk(laptop.node)
    peer = laptop.node.peer("phone")
    held = [await streams.open(peer, "films", str(number)) for number in range(2)]
    await held[0].stream.reset("over")
    assert await streams.open(peer, "films", "1") is held[1]
    await streams.open(peer, "films", "2")
    assert sorted(found.stream.name for found in streams._held.values()) == ["1", "2"]


@pytest.mark.parametrize("service", ["files.write", "tcp", "tcp.web", "p4.any"])
async def test_streams_of_the_daemons_own_apps_are_not_given_away(
    daemon: RunningDaemon, service: str
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(daemon, f"/streams/{service}")
    assert refused.value.response.status_code == 409
    assert json.loads(refused.value.response.body or b"")["error"]["code"] == "in-use"
