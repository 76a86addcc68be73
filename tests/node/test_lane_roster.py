"""What a contact may do with the frames that begin and end lanes, and what ends the link."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

import pytest

from p4.adapters.clock import SystemClock, SystemEntropy
from p4.core import limits
from p4.core.session.frames import Frame
from p4.core.session.lane_frames import (
    LaneAnswer,
    LaneAsk,
    LaneEnd,
    LaneEndReason,
    LaneInvitation,
    LaneListen,
    LaneOffer,
    encode_received,
)
from p4.core.session.lanes import LaneKind
from p4.core.session.stream_frames import Data, encode_data
from p4.errors import LinkError
from p4.node.lanes.bundle import LaneBundle
from p4.node.lanes.roster import LaneTerms
from p4.ports.lane import Lane, LaneEvent, LaneMessage, LaneReady, LaneSink

INVITATION = LaneInvitation(bytes(32), bytes(32), ())


class Link:
    """The link of a bundle: what was sent on it, and why it failed."""

    round_trip = 0.01

    def __init__(self) -> None:
        self.sent: list[Frame] = []
        self.failed: list[str] = []

    def send(self, frames: Sequence[Frame]) -> None:
        self.sent += frames

    def send_data(self, data: bytes) -> None: ...

    def data_room(self) -> int:
        return limits.LINK_HIGH_WATER_BYTES

    def data_drained(self) -> Awaitable[None]:
        return asyncio.sleep(0)

    def fail(self, reason: str) -> None:
        self.failed.append(reason)


class Carrier:
    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed = False

    def send(self, frame: bytes) -> None:
        self.sent.append(frame)

    def close(self) -> None:
        self.closed = True


class Streams:
    """Lanes that are open at once; ``reached`` says whether dialling works."""

    def __init__(self) -> None:
        self.reached = True
        self.carriers: list[Carrier] = []
        self.sinks: list[LaneSink] = []

    async def listen(
        self, token: bytes, sink: LaneSink, *, local_only: bool = False
    ) -> tuple[Lane, LaneInvitation]:
        return self._made(sink), INVITATION

    async def dial(self, invitation: LaneInvitation, sink: LaneSink, *, local_only: bool = False) -> Lane:
        if not self.reached:
            raise LinkError("Nobody is there.", code="not-reached")
        return self._made(sink)

    async def close(self) -> None: ...

    def _made(self, sink: LaneSink) -> Carrier:
        self.carriers.append(Carrier())
        self.sinks.append(sink)
        return self.carriers[-1]


class Desk:
    """A bundle of the side with the lower id, and what it was told and tells."""

    def __init__(self) -> None:
        self.link, self.streams = Link(), Streams()
        self.received: list[Data] = []
        self.lost: list[tuple[int, int, int]] = []
        self.bundle = LaneBundle(
            self.link,
            LaneTerms(None, self.streams),
            lower=True,
            clock=SystemClock(),
            entropy=SystemEntropy(),
            receive=self.received.append,
            lost=lambda *stretch: self.lost.append(stretch),
        )

    async def open(self, number: int) -> LaneSink:
        """The contact listens, and we reach it."""
        self.bundle.handle(LaneListen(number, INVITATION))
        await asyncio.sleep(0.01)
        self.tell(LaneReady())
        return self.streams.sinks[-1]

    def tell(self, event: LaneEvent) -> None:
        self.streams.sinks[-1](event)


@pytest.fixture
async def desk() -> Desk:
    return Desk()


async def test_a_lane_carries_both_ways_and_what_is_not_confirmed_is_told_when_it_ends(desk: Desk) -> None:
    sink = await desk.open(1)
    sink(LaneMessage(encode_data(7, 100, [b"abc"])))
    assert desk.received == [Data(7, 100, b"abc")]
    await asyncio.sleep(2 * limits.LANE_RECEIVED_SECONDS)
    assert desk.streams.carriers[0].sent == [encode_received(1)]
    for offset in (0, 10, 20):
        assert desk.bundle.room() > 0
        desk.bundle.send_data(encode_data(9, offset, [bytes(10)]))
    sink(LaneMessage(encode_received(1)))
    desk.bundle.handle(LaneEnd(1, LaneEndReason.NOT_NEEDED))
    assert desk.lost == [(9, 10, 20), (9, 20, 30)]
    assert desk.streams.carriers[0].closed
    assert not desk.link.failed


@pytest.mark.parametrize(
    "message", [b"", encode_received(1), b"\x01\0\0\0\0", encode_data(1, 2**60, [b"x"]), b"\x33" + bytes(16)]
)
async def test_what_does_not_belong_on_a_lane_ends_the_link(desk: Desk, message: bytes) -> None:
    sink = await desk.open(1)
    sink(LaneMessage(message))
    assert len(desk.link.failed) == 1


@pytest.mark.parametrize("numbers", [(1, 1), (0,), (1, 67, 1), (201, 67)])
async def test_numbers_are_used_once_by_their_side_and_in_about_their_order(
    desk: Desk, numbers: tuple[int, ...]
) -> None:
    for number in numbers:
        desk.bundle.handle(LaneAsk(number))
        desk.bundle.handle(LaneEnd(number, LaneEndReason.NOT_NEEDED))
    assert desk.link.failed


async def test_numbers_may_overtake_each_other(desk: Desk) -> None:
    for number in (5, 1, 3, 7):
        desk.bundle.handle(LaneAsk(number))
        desk.bundle.handle(LaneEnd(number, LaneEndReason.NOT_NEEDED))
    assert not desk.link.failed


async def test_a_contact_begins_so_many_lanes_and_no_more(desk: Desk) -> None:
    for number in range(1, 2 * limits.STREAM_LANES + 3, 2):
        desk.bundle.handle(LaneListen(number, INVITATION))
    await asyncio.sleep(0.01)
    assert len(desk.streams.carriers) == limits.STREAM_LANES
    assert desk.link.sent == [LaneEnd(2 * limits.STREAM_LANES + 1, LaneEndReason.TOO_MANY)]


async def test_what_we_cannot_do_is_answered_and_what_nobody_asked_for_ignored(desk: Desk) -> None:
    desk.streams.reached = False
    desk.bundle.handle(LaneOffer(1, "v=0"))
    desk.bundle.handle(LaneListen(3, INVITATION))
    desk.bundle.handle(LaneAnswer(2, "v=0"))
    desk.bundle.handle(LaneListen(2, INVITATION))
    desk.bundle.handle(LaneEnd(44, LaneEndReason.BROKEN))
    await asyncio.sleep(0.01)
    assert desk.link.sent == [LaneEnd(1, LaneEndReason.NOT_OPENED), LaneEnd(3, LaneEndReason.NOT_OPENED)]
    assert not desk.link.failed
    assert not desk.streams.carriers


async def test_nothing_counts_after_the_end_of_the_link(desk: Desk) -> None:
    sink = await desk.open(1)
    desk.bundle.send_data(encode_data(9, 0, [bytes(10)]))
    desk.bundle.close()
    sink(LaneMessage(encode_data(7, 100, [b"abc"])))
    assert not desk.received
    assert not desk.lost, "a new link begins again at what was confirmed"
    assert desk.bundle.open_lanes(LaneKind.STREAM) == 0
    assert desk.streams.carriers[0].closed
