"""An offer that was made while there was no path is not what a path that came back shall carry."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.node.harness import ANNOUNCEMENT

from p4.core import limits
from p4.errors import RendezvousError
from p4.node.negotiation import StaleOfferError, make_offer
from p4.node.ways import Way, opened
from p4.testing import run

SILENCE = 100.0


class Stream:
    """A stream on which nobody answers."""

    def __init__(self, *, stays: bool) -> None:
        self.warm = self.stays = stays
        self.in_band = self.ended = self.carried = False

    def seal(self, *_: object, **__: object) -> bytes:
        return b"line"

    async def request_line(self, *_: object, **__: object) -> None:
        self.carried = True
        await asyncio.sleep(SILENCE)
        raise RendezvousError("No reply.", code="no-reply")

    async def send(self, *_: object, **__: object) -> None:
        """A cancel."""

    def close(self) -> None:
        self.ended = True


async def offer_over(old: Stream, new: Stream, *, after: float, gathered: bool) -> None:
    """An offer over an open stream, beside which another opens after so many seconds."""

    async def sdp(_: object) -> str:
        return "v=0"

    description = SimpleNamespace(punching=None, gathered=gathered)
    session = SimpleNamespace(session_id="", description=description, offer=sdp)
    history = SimpleNamespace(seal_offer=lambda: True, offer_refused=lambda: None)
    authenticator = SimpleNamespace(new_session_id=lambda: "o1", me="me")

    async def opens() -> Any:
        await asyncio.sleep(after)
        return new

    ways = [Way("open", lambda: opened(cast("Any", old)), opens=False), Way("new", opens)]
    async with asyncio.timeout(after + 10):
        await make_offer(
            cast("Any", session),
            ways,
            cast("Any", authenticator),
            cast("Any", history),
            ANNOUNCEMENT,
            sent=lambda opened: None,
        )


LATE, SOON = limits.STALE_OFFER_SECONDS + 1, limits.STALE_OFFER_SECONDS - 1


def test_a_stream_that_opens_late_is_kept_for_another_offer() -> None:
    async def scenario() -> None:
        old, new = Stream(stays=True), Stream(stays=False)
        with pytest.raises(StaleOfferError) as caught:
            await offer_over(old, new, after=LATE, gathered=False)
        assert not new.carried
        assert not new.ended
        assert await caught.value.way.open() is cast("Any", new)

    run(scenario())


@pytest.mark.parametrize(("after", "gathered"), [(LATE, True), (SOON, False)])
def test_an_offer_that_knows_its_addresses_or_is_new_is_carried(after: float, gathered: bool) -> None:
    async def scenario() -> None:
        old, new = Stream(stays=True), Stream(stays=False)
        with pytest.raises(TimeoutError):
            await offer_over(old, new, after=after, gathered=gathered)
        assert old.carried
        assert new.carried

    run(scenario())
