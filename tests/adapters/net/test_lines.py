"""LineStream over real sockets: what a peer or a stranger may do to it."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable

import pytest

from p4.adapters.net.lines import LineStream, StreamAcceptor
from p4.core import limits
from p4.errors import RendezvousError, SignalingError

Pair = tuple[LineStream, socket.socket]


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    """A LineStream and the plain socket at its other end."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    _, stream = await loop.create_connection(lambda: LineStream("test"), sock=ours)
    yield stream, theirs
    stream.close()
    theirs.close()
    await asyncio.sleep(0)


async def put(sock: socket.socket, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(sock, data)


async def until(condition: Callable[[], bool]) -> None:
    """The kernel tells nobody when a buffer is full; so look, for at most 5 seconds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)


async def test_lines_come_one_by_one_however_they_were_cut(pair: Pair) -> None:
    stream, theirs = pair
    await put(theirs, b"first\nsec")
    assert await stream.receive_line() == b"first"
    second = asyncio.create_task(stream.receive_line())
    await asyncio.sleep(0)
    await put(theirs, b"ond\n\nfourth\n")
    assert await second == b"second"
    assert await stream.receive_line() == b""
    assert await stream.receive_line() == b"fourth"


async def test_the_end_comes_after_the_lines_and_a_partial_line_is_none(pair: Pair) -> None:
    stream, theirs = pair
    await put(theirs, b"whole\npartial")
    theirs.shutdown(socket.SHUT_WR)
    assert await stream.receive_line() == b"whole"
    assert await stream.receive_line() is None
    assert await stream.receive_line() is None


async def test_a_reply_still_goes_out_after_the_other_side_ended_its_direction(pair: Pair) -> None:
    stream, theirs = pair
    theirs.shutdown(socket.SHUT_WR)
    assert await stream.receive_line() is None
    await stream.send_line(b"reply")
    stream.close()
    assert await asyncio.get_running_loop().sock_recv(theirs, 100) == b"reply\n"


async def test_the_longest_allowed_line_passes(pair: Pair) -> None:
    stream, theirs = pair
    longest = b"x" * (limits.SIGNALING_LINE_BYTES - 1)
    sending = asyncio.create_task(put(theirs, longest + b"\nnext\n"))
    assert await stream.receive_line() == longest
    assert await stream.receive_line() == b"next"
    await sending


async def test_a_longer_line_is_refused_and_the_stream_closed(pair: Pair) -> None:
    stream, theirs = pair
    sending = asyncio.create_task(put(theirs, b"x" * limits.SIGNALING_LINE_BYTES + b"\n"))
    with pytest.raises(SignalingError) as caught:
        await stream.receive_line()
    assert caught.value.code == "line-too-long"
    assert await stream.receive_line() is None
    sending.cancel()


async def test_no_more_than_one_line_is_held_while_nobody_reads(pair: Pair) -> None:
    stream, theirs = pair
    loop = asyncio.get_running_loop()
    flood = asyncio.create_task(loop.sock_sendall(theirs, b"y\n" * (4 * limits.SIGNALING_LINE_BYTES)))
    await until(lambda: stream._reading_paused)
    for _ in range(50):
        await asyncio.sleep(0.001)
    assert len(stream._unread) <= limits.SIGNALING_LINE_BYTES
    assert not flood.done()
    for _ in range(4 * limits.SIGNALING_LINE_BYTES):
        assert await stream.receive_line() == b"y"
    await flood


async def test_a_cancelled_reader_loses_nothing(pair: Pair) -> None:
    stream, theirs = pair
    waiting = asyncio.create_task(stream.receive_line())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    await put(theirs, b"line\n")
    assert await stream.receive_line() == b"line"


async def test_closing_ends_a_waiting_reader_and_refuses_to_send(pair: Pair) -> None:
    stream, _ = pair
    waiting = asyncio.create_task(stream.receive_line())
    await asyncio.sleep(0)
    stream.close()
    stream.close()
    assert await waiting is None
    with pytest.raises(RendezvousError) as caught:
        await stream.send_line(b"late")
    assert caught.value.code == "stream-broken"


async def test_closing_ends_a_sender_that_waits_for_a_peer_who_does_not_read(pair: Pair) -> None:
    stream, _ = pair

    async def send_for_ever() -> None:
        while True:
            await stream.send_line(b"z" * 60_000)

    sending = asyncio.create_task(send_for_ever())
    await until(lambda: stream._writing_paused)
    stream.close()
    with pytest.raises(RendezvousError):
        await asyncio.wait_for(sending, 1)


async def test_a_reset_connection_gives_its_lines_then_an_error() -> None:
    accepted: asyncio.Future[LineStream] = asyncio.get_running_loop().create_future()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: LineStream("test", accepted.set_result), "127.0.0.1", 0)
    async with server:
        client = socket.create_connection(server.sockets[0].getsockname())
        stream = await accepted
        client.sendall(b"said before\n")
        await until(lambda: bool(stream._unread))
        # A linger time of zero makes close() send a reset.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        assert await stream.receive_line() == b"said before"
        with pytest.raises(RendezvousError) as caught:
            await stream.receive_line()
        assert caught.value.code == "stream-broken"
        stream.close()


async def test_the_acceptor_serves_each_stream_and_ends_them_all() -> None:
    begun, cancelled = asyncio.Queue[LineStream](), asyncio.Queue[str]()

    async def accept(stream: LineStream) -> None:
        begun.put_nowait(stream)
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.put_nowait(stream.description)

    acceptor = StreamAcceptor(accept, "inbound")
    server = await asyncio.get_running_loop().create_server(acceptor.protocol, "127.0.0.1", 0)
    async with server:
        address = server.sockets[0].getsockname()
        clients = [socket.create_connection(address) for _ in range(3)]
        for _ in clients:
            await begun.get()
        await acceptor.close()
        assert cancelled.qsize() == 3
        for client in clients:
            client.settimeout(1)
            assert client.recv(1) == b""
            client.close()


async def test_a_stream_that_comes_after_closing_is_closed_at_once() -> None:
    async def accept(stream: LineStream) -> None:
        raise AssertionError("served after close")

    acceptor = StreamAcceptor(accept, "inbound")
    server = await asyncio.get_running_loop().create_server(acceptor.protocol, "127.0.0.1", 0)
    async with server:
        await acceptor.close()
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await reader.read(1) == b""
        writer.close()


async def test_one_failing_callback_is_told_to_the_loop_and_hurts_no_other() -> None:
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))

    async def accept(stream: LineStream) -> None:
        line = await stream.receive_line()
        if line == b"bad":
            raise ValueError("a bug in the callback")
        await stream.send_line(b"good")

    acceptor = StreamAcceptor(accept, "inbound")
    server = await asyncio.get_running_loop().create_server(acceptor.protocol, "127.0.0.1", 0)
    async with server:
        answers = []
        for line in (b"bad\n", b"fine\n"):
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(line)
            answers.append(await reader.read())
            writer.close()
    assert answers == [b"", b"good\n"]
    assert told == ["accepting inbound failed"]
