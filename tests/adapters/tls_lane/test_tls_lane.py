"""Lanes over TLS: whom a listener takes, whom a dialler trusts, and what they carry."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from p4.adapters.tls_lane import TlsStreamLanes
from p4.adapters.tls_lane.certificate import client_context, server_context
from p4.core import limits
from p4.core.session.lane_frames import LaneAddress, LaneInvitation
from p4.core.session.stream_frames import encode_data
from p4.errors import LinkError
from p4.ports.lane import LaneClosed, LaneEvent, LaneMessage, LaneReady

SECONDS = 10.0
TOKEN = bytes(range(32))


class Told:
    """What the sink of a lane was told."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self.closed = asyncio.Event()
        self.frames: list[bytes] = []
        self.changed = asyncio.Event()

    def __call__(self, event: LaneEvent) -> None:
        match event:
            case LaneReady():
                self.ready.set()
            case LaneMessage(data):
                self.frames.append(bytes(data))
            case LaneClosed():
                self.closed.set()
        self.changed.set()

    async def has(self, count: int) -> None:
        async with asyncio.timeout(SECONDS):
            while len(self.frames) < count:
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture(autouse=True)
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("P4_ALLOW_LOOPBACK", "1")


@pytest.fixture
async def lanes() -> AsyncIterator[TlsStreamLanes]:
    made = TlsStreamLanes(addresses=lambda: [ipaddress.IPv4Address("127.0.0.1")])
    yield made
    await made.close()


def where(invitation: LaneInvitation) -> tuple[str, int]:
    return str(invitation.addresses[0].ip), invitation.addresses[0].port


async def stranger(
    invitation: LaneInvitation, shows: bytes
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Somebody who found the port, and shows something."""
    host, port = where(invitation)
    reader, writer = await asyncio.open_connection(host, port, ssl=client_context(), server_hostname="")
    writer.write(shows)
    await writer.drain()
    return reader, writer


async def refused(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Whether the connection ends without a byte."""
    try:
        async with asyncio.timeout(SECONDS):
            return await reader.read(1) == b""
    except OSError:
        return True
    finally:
        writer.close()


async def test_frames_of_every_length_arrive_in_order_both_ways(lanes: TlsStreamLanes) -> None:
    here, there = Told(), Told()
    listener, invitation = await lanes.listen(TOKEN, here)
    dialler = await lanes.dial(invitation, there)
    await asyncio.wait_for(asyncio.gather(here.ready.wait(), there.ready.wait()), SECONDS)
    sizes = [1, 17, 100_000, limits.LANE_FRAME_BYTES[1], 3, limits.LANE_DATA_BYTES, 64 * 1024, 1]
    frames = [encode_data(7, offset, [os.urandom(size)]) for offset, size in enumerate(sizes)]
    for frame in frames:
        dialler.send(frame)
        listener.send(frame)
    await here.has(len(frames))
    await there.has(len(frames) + 1)
    assert here.frames == frames
    assert there.frames[1:] == frames, "after RECEIVED, which opened the lane"
    dialler.close()
    await asyncio.wait_for(here.closed.wait(), SECONDS)
    with pytest.raises(LinkError):
        dialler.send(frames[0])
    assert not there.closed.is_set(), "our own close is no event"


async def test_the_port_is_closed_once_the_token_was_shown(lanes: TlsStreamLanes) -> None:
    told = Told()
    _, invitation = await lanes.listen(TOKEN, told)
    dialler = await lanes.dial(invitation, Told())
    await asyncio.wait_for(told.ready.wait(), SECONDS)
    with pytest.raises(OSError):  # noqa: PT011 - whatever the system says
        await asyncio.open_connection(*where(invitation))
    dialler.close()


async def test_a_wrong_token_is_refused_and_the_right_one_still_counts(lanes: TlsStreamLanes) -> None:
    told = Told()
    _, invitation = await lanes.listen(TOKEN, told)
    for shown in (bytes(32), TOKEN[:31] + b"\0", os.urandom(64)):
        assert await refused(*await stranger(invitation, shown))
        assert not told.ready.is_set()
    dialler = await lanes.dial(invitation, Told())
    await asyncio.wait_for(told.ready.wait(), SECONDS)
    dialler.close()


async def test_a_token_counts_once(lanes: TlsStreamLanes) -> None:
    """Two who show it at the same moment: one lane comes about."""
    told = Told()
    _, invitation = await lanes.listen(TOKEN, told)
    first, second = await asyncio.gather(stranger(invitation, b""), stranger(invitation, b""))
    first[1].write(TOKEN)
    second[1].write(TOKEN)
    await asyncio.wait_for(told.ready.wait(), SECONDS)
    answers = [await asyncio.wait_for(read_some(reader), SECONDS) for reader, _ in (first, second)]
    assert sorted(bool(answer) for answer in answers) == [False, True]
    for _, writer in (first, second):
        writer.close()


async def read_some(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(1)
    except OSError:
        return b""


async def test_a_token_that_comes_with_the_end_of_the_handshake_opens_the_lane(lanes: TlsStreamLanes) -> None:
    told = Told()
    listener, invitation = await lanes.listen(TOKEN, told)
    reader, writer = await asyncio.open_connection(*where(invitation))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = client_context().wrap_bio(incoming, outgoing)
    while True:
        try:
            connection.do_handshake()
            break
        except ssl.SSLWantReadError:
            if outgoing.pending:
                writer.write(outgoing.read())
            incoming.write(await asyncio.wait_for(reader.read(65536), SECONDS))
    connection.write(TOKEN)
    writer.write(outgoing.read())  # both in one packet
    await asyncio.wait_for(told.ready.wait(), SECONDS)
    for _ in range(5):
        await asyncio.sleep(0)
    frame = encode_data(1, 0, [b"hello"])
    listener.send(frame)
    came = b""
    while len(came) < 4 + 9 + 4 + len(frame):
        incoming.write(await asyncio.wait_for(reader.read(65536), SECONDS))
        with contextlib.suppress(ssl.SSLWantReadError):
            while piece := connection.read(65536):
                came += piece
    assert came.endswith(frame)
    assert not told.closed.is_set()
    writer.close()
    listener.close()


async def test_somebody_else_with_another_certificate_never_sees_the_token(lanes: TlsStreamLanes) -> None:
    context, _ = server_context()
    seen = bytearray()
    gone = asyncio.Event()

    async def impostor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.extend(await read_some(reader))
        gone.set()
        writer.close()

    server = await asyncio.start_server(impostor, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    _, invitation = await lanes.listen(TOKEN, Told())
    wrong = replace(invitation, addresses=(LaneAddress(ipaddress.IPv4Address("127.0.0.1"), port),))
    told = Told()
    with pytest.raises(LinkError) as caught:
        await lanes.dial(wrong, told)
    assert caught.value.code == "not-reached"
    await asyncio.wait_for(gone.wait(), SECONDS)
    assert not seen
    assert not told.ready.is_set()
    assert not told.closed.is_set(), "who was never the right one is no lane that ends"

    both = replace(invitation, addresses=(*wrong.addresses, *invitation.addresses))
    dialler = await lanes.dial(both, told)
    await asyncio.wait_for(told.ready.wait(), SECONDS)
    dialler.close()
    server.close()
    await server.wait_closed()


async def test_an_earlier_tls_is_not_spoken(lanes: TlsStreamLanes) -> None:
    _, invitation = await lanes.listen(TOKEN, Told())
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(OSError):  # noqa: PT011 - alerts differ
        await asyncio.open_connection(*where(invitation), ssl=old, server_hostname="")


async def test_who_says_nothing_or_too_slowly_is_closed_and_holds_up_nobody_for_long(
    lanes: TlsStreamLanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LANE_TOKEN_SECONDS", 0.6)
    told = Told()
    listener, invitation = await lanes.listen(TOKEN, told)
    # Silent ones at each stage: no TLS, half a handshake, no token, a token drop by drop.
    silent = [await asyncio.open_connection(*where(invitation)) for _ in range(2)]
    silent[1][1].write(b"\x16\x03\x01")
    slow = [await stranger(invitation, b""), await stranger(invitation, TOKEN[:5])]

    async def drip() -> None:
        for byte in TOKEN[5:]:
            slow[1][1].write(bytes((byte,)))
            await asyncio.sleep(0.1)

    dripping = asyncio.create_task(drip())
    # As many as are kept at a time: the system lets a fifth wait, and the listener does not look at it yet.
    waiting = asyncio.create_task(stranger(invitation, TOKEN))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    for reader, writer in (*silent, *slow):
        assert await refused(reader, writer)
    reader, writer = await asyncio.wait_for(waiting, SECONDS)
    await asyncio.wait_for(told.ready.wait(), SECONDS)
    assert await asyncio.wait_for(reader.read(1), SECONDS)
    writer.close()
    listener.close()
    dripping.cancel()


async def test_a_listener_to_whom_nobody_comes_gives_up(
    lanes: TlsStreamLanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LANE_OPEN_SECONDS", 0.1)
    told = Told()
    _, invitation = await lanes.listen(TOKEN, told)
    await asyncio.wait_for(told.closed.wait(), SECONDS)
    with pytest.raises(LinkError):
        await lanes.dial(invitation, Told())


@pytest.mark.parametrize("length", [0, limits.LANE_DATA_BYTES + 18, 0xFFFFFFFF])
async def test_an_impossible_length_ends_the_lane(lanes: TlsStreamLanes, length: int) -> None:
    told = Told()
    _, invitation = await lanes.listen(TOKEN, told)
    reader, writer = await stranger(invitation, TOKEN + length.to_bytes(4, "big") + bytes(8))
    await asyncio.wait_for(told.closed.wait(), SECONDS)
    assert told.frames == []
    await asyncio.wait_for(read_some(reader), SECONDS)
    writer.close()


async def test_a_contact_cannot_make_us_speak_to_other_services(
    lanes: TlsStreamLanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not to this machine itself, unless it has no other address; nor to a port of the system."""
    reached: list[LaneEvent] = []
    with socket.create_server(("127.0.0.1", 0)) as service:
        service.setblocking(False)
        port = service.getsockname()[1]
        monkeypatch.setattr("p4.adapters.tls_lane.stream_lanes.loopback_needed", lambda: False)
        at = [("127.0.0.1", port), ("::ffff:127.0.0.1", port), ("::", port), ("224.0.0.1", port)]
        addresses = tuple(LaneAddress(ipaddress.ip_address(ip), number) for ip, number in at)
        with pytest.raises(LinkError):
            await lanes.dial(LaneInvitation(bytes(32), TOKEN, addresses), reached.append)
        with pytest.raises(BlockingIOError):
            service.accept()


class Router:
    """Lends ports, and remembers which were given back."""

    outer = LaneAddress(ipaddress.IPv4Address("203.0.113.5"), 6000)

    def __init__(self) -> None:
        self.lent: list[LaneAddress] = []

    async def lend(self, inner: LaneAddress) -> LaneAddress:
        self.lent.append(inner)
        return self.outer

    def give_back(self, inner: LaneAddress) -> None:
        self.lent.remove(inner)


async def test_a_mapped_port_is_offered_first_and_given_back_with_the_lane() -> None:
    router = Router()
    lanes = TlsStreamLanes(router, addresses=lambda: [ipaddress.IPv4Address("127.0.0.1")])
    told = Told()
    _, invitation = await lanes.listen(TOKEN, told)
    assert invitation.addresses == (router.outer, *router.lent)
    dialler = await lanes.dial(replace(invitation, addresses=tuple(router.lent)), Told())
    async with asyncio.timeout(SECONDS):
        await told.ready.wait()
        assert router.lent
        dialler.close()
        await told.closed.wait()
    assert not router.lent
    listener, _ = await lanes.listen(TOKEN, Told())
    assert router.lent
    listener.close()
    assert not router.lent
    _, invitation = await lanes.listen(TOKEN, Told(), local_only=True)
    assert router.outer not in invitation.addresses
    await lanes.close()


async def test_nothing_is_left_behind(lanes: TlsStreamLanes) -> None:
    before = asyncio.all_tasks()
    for _ in range(3):
        listener, invitation = await lanes.listen(TOKEN, Told())
        dialler = await lanes.dial(invitation, Told())
        dialler.close()
        listener.close()
    _, invitation = await lanes.listen(TOKEN, Told())
    pending = await asyncio.open_connection(*where(invitation))
    await lanes.close()
    pending[1].close()
    async with asyncio.timeout(SECONDS):
        for task in asyncio.all_tasks() - before:
            await asyncio.wait((task,))
