"""An offer that arrives over several streams: one negotiation, and its answer over each of them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest
from tests.node.harness import ANNOUNCEMENT
from tests.node.recorder import Recorder

from p4.core import limits
from p4.core.dial import DialEvent, OfferArrived, OfferWithdrawn
from p4.core.signaling import Answer, Busy, Candidates, Offer
from p4.errors import RendezvousError
from p4.node.authentication import Authenticated
from p4.node.background import BackgroundTasks
from p4.node.inbound_offer import InboundOffer
from p4.node.inbound_offers import InboundOffers
from p4.testing import run

OFFER = Offer("o1", "v=0", ANNOUNCEMENT)
ANSWER = Answer("o1", "v=0", ANNOUNCEMENT)
REQUEST = cast("Authenticated", SimpleNamespace(verified=SimpleNamespace(timestamp_ms=7)))


def streams(count: int = 2) -> list[Recorder]:
    recorders = [Recorder() for _ in range(count)]
    for recorder in recorders:
        recorder.quick = False  # type: ignore[attr-defined]
    return recorders


class Arrivals:
    """Offers, and the events that they make."""

    def __init__(self) -> None:
        self.events: list[DialEvent] = []
        self.background = BackgroundTasks(lambda error: None)
        self.offers = InboundOffers(self.events.append, self.background)

    def arrive(self, stream: Recorder, offer: Offer = OFFER) -> None:
        self.offers.arrived(stream.conversation, offer, REQUEST, 2)


def test_a_copy_is_no_second_offer_and_gets_the_answer() -> None:
    async def scenario() -> None:
        arrivals, (first, second, late) = Arrivals(), streams(3)
        arrivals.arrive(first)
        arrivals.arrive(second)
        await asyncio.sleep(0.1)
        assert [type(event) for event in arrivals.events] == [OfferArrived]
        inbound = arrivals.offers.get(1)
        await inbound.answer(ANSWER)
        followed: list[bool] = []
        inbound.follow = lambda: followed.append(True)
        arrivals.arrive(late)
        await asyncio.sleep(0.1)
        assert first.sent == second.sent == late.sent == [ANSWER]
        assert followed == [True], "what followed the answer goes to the late stream, too"
        assert all(stream.warm for stream in (first, second, late))

    run(scenario())


def test_the_same_stream_twice_gets_one_answer() -> None:
    async def scenario() -> None:
        arrivals, (stream, _) = Arrivals(), streams()
        arrivals.arrive(stream)
        arrivals.arrive(stream)
        await arrivals.offers.get(1).answer(ANSWER)
        arrivals.arrive(stream)
        await asyncio.sleep(0.1)
        assert stream.sent == [ANSWER]

    run(scenario())


def test_a_copy_of_a_settled_offer_begins_nothing() -> None:
    async def scenario() -> None:
        arrivals, (first, late) = Arrivals(), streams()
        arrivals.arrive(first)
        arrivals.offers.keep([])
        arrivals.arrive(late)
        assert [type(event) for event in arrivals.events] == [OfferArrived]

    run(scenario())


def test_it_is_withdrawn_by_a_cancel_or_by_the_end_of_all_its_streams() -> None:
    async def scenario() -> None:
        arrivals, (first, second) = Arrivals(), streams()
        arrivals.arrive(first)
        arrivals.arrive(second)
        await asyncio.sleep(0.1)
        arrivals.offers.stream_ended(first.conversation)
        assert len(arrivals.events) == 1
        arrivals.offers.stream_ended(second.conversation)
        assert arrivals.events[1:] == [OfferWithdrawn(1)]
        arrivals.offers.cancelled("another")
        assert len(arrivals.events) == 2
        arrivals.offers.cancelled("o1")
        assert arrivals.events[2:] == [OfferWithdrawn(1, cancelled=True)]

    run(scenario())


def test_the_end_of_a_link_withdraws_nothing_that_came_over_it() -> None:
    async def scenario() -> None:
        arrivals, stream = Arrivals(), Recorder(in_band=True)
        stream.quick = True  # type: ignore[attr-defined]
        arrivals.arrive(stream)
        arrivals.offers.stream_ended(stream.conversation)
        assert [type(event) for event in arrivals.events] == [OfferArrived]

    run(scenario())


def test_an_offer_says_whether_its_stream_was_opened_for_it() -> None:
    async def scenario() -> None:
        arrivals, (new, warm, ours) = Arrivals(), streams(3)
        warm.stays = ours.dialled = True
        for number, stream in enumerate((new, warm, ours)):
            arrivals.arrive(stream, Offer(f"o{number}", "v=0", ANNOUNCEMENT))
        assert [cast("OfferArrived", event).opened for event in arrivals.events] == [True, False, False]

    run(scenario())


def test_an_answer_over_one_stream_is_enough_and_over_none_is_an_error() -> None:
    async def scenario() -> None:
        broken, good = Recorder(broken=True), Recorder()
        inbound = InboundOffer(broken.conversation, OFFER)
        with pytest.raises(RendezvousError):
            await inbound.answer(ANSWER)
        await inbound.join(good.conversation)
        assert good.sent == [ANSWER]
        await InboundOffer(broken.conversation, OFFER).decline()
        both = InboundOffer(broken.conversation, OFFER)
        await both.join((other := Recorder()).conversation)
        await both.decline()
        assert other.sent == [Busy("o1")]

    run(scenario())


def test_candidates_before_the_answer_are_kept_once_and_bounded() -> None:
    """Three streams that carry all of them must not use up the room of the last ones."""

    async def scenario() -> None:
        arrivals, (stream, _) = Arrivals(), streams()
        arrivals.arrive(stream)
        found = [f"candidate:{number}" for number in range(30)]
        for _ in range(3):
            arrivals.offers.candidates(Candidates("o1", tuple(found), False))
        arrivals.offers.candidates(Candidates("another", ("candidate:x",), False))
        assert arrivals.offers.get(1).candidates == found
        for number in range(100, 200):
            arrivals.offers.candidates(Candidates("o1", (f"candidate:{number}",), False))
        assert len(arrivals.offers.get(1).candidates) == limits.NEGOTIATION_CANDIDATES

    run(scenario())


def test_a_copy_of_a_settled_offer_begins_nothing_and_is_not_left_open() -> None:
    async def scenario() -> None:
        arrivals, (one, late) = Arrivals(), streams()
        arrivals.arrive(one)
        arrivals.offers.keep(())
        arrivals.arrive(late)
        assert len(arrivals.events) == 1
        assert late.ended
        warm = streams()[0]
        warm.stays = True
        arrivals.arrive(warm)
        assert len(arrivals.events) == 1
        assert not warm.ended

    run(scenario())
