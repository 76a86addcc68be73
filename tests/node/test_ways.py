"""Asking over several ways: who begins when, what ends the race, and that nothing of it is left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from p4.errors import LinkError, P4Error, RendezvousError, SignalingError
from p4.node.conversation import Conversation
from p4.node.ways import MoreWays, Way, race
from p4.testing import run

HEAD_START = 0.15


class Track:
    """Ways whose behaviour a test decides, and what they did."""

    def __init__(self) -> None:
        self.began: dict[str, float] = {}
        self.cancelled: list[str] = []

    def way(
        self, name: str, *, head_start: float = 0.0, opens: float = 0.0, error: P4Error | None = None
    ) -> Way:
        async def open_it() -> Conversation:
            self.began[name] = asyncio.get_running_loop().time() - 1000
            try:
                await asyncio.sleep(opens)
            except asyncio.CancelledError:
                self.cancelled.append(name)
                raise
            if error is not None:
                raise error
            return cast("Conversation", name)

        return Way(name, open_it, head_start)


async def first(conversation: Conversation, way: Way) -> str:
    return way.name


def asking(
    seconds: dict[str, float], errors: dict[str, P4Error] | None = None
) -> Callable[[Conversation, Way], Awaitable[str]]:
    async def ask(conversation: Conversation, way: Way) -> str:
        await asyncio.sleep(seconds.get(way.name, 0.0))
        if errors and way.name in errors:
            raise errors[way.name]
        return way.name

    return ask


def broken(code: str = "stream-broken") -> RendezvousError:
    return RendezvousError(f"It failed ({code}).", code=code)


def test_what_answers_within_its_head_start_leaves_the_next_alone() -> None:
    async def scenario() -> None:
        track = Track()
        ways = [track.way("link"), track.way("invite", head_start=HEAD_START)]
        assert await race(ways, asking({"link": 0.1})) == "link"
        assert track.began == {"link": 0.0}

    run(scenario())


def test_whoever_is_late_gets_company_and_may_still_win() -> None:
    async def scenario() -> None:
        track = Track()
        ways = [track.way("link"), track.way("invite", head_start=HEAD_START, opens=0.5)]
        assert await race(ways, asking({"link": 0.3})) == "link"
        assert track.began["invite"] == pytest.approx(HEAD_START)
        assert track.cancelled == ["invite"]

    run(scenario())


def test_a_failure_makes_room_at_once() -> None:
    async def scenario() -> None:
        track = Track()
        ways = [
            track.way("link", error=broken()),
            track.way("nearby", opens=0.02, error=broken("refused")),
            track.way("invite", head_start=HEAD_START),
        ]
        assert await race(ways, first) == "invite"
        assert track.began == {"link": 0.0, "nearby": 0.0, "invite": pytest.approx(0.02)}

    run(scenario())


def test_head_starts_count_whatever_the_order_of_the_ways() -> None:
    async def scenario() -> None:
        track = Track()
        ways = [track.way("late", head_start=0.5), track.way("early", head_start=0.1), track.way("surest")]
        with pytest.raises(RendezvousError):
            await race(
                ways,
                asking(
                    dict.fromkeys(("late", "early", "surest"), 1.0),
                    {name: broken() for name in ("late", "early", "surest")},
                ),
            )
        assert track.began == {"surest": 0.0, "early": pytest.approx(0.1), "late": pytest.approx(0.5)}

    run(scenario())


def test_if_all_fail_the_surest_says_why() -> None:
    async def scenario() -> None:
        track = Track()
        ways = [
            track.way("link", opens=0.4, error=broken("of the link")),
            track.way("invite", error=broken("of the invite")),
        ]
        with pytest.raises(RendezvousError) as caught:
            await race(ways, first)
        assert caught.value.code == "of the invite"

    run(scenario())


@pytest.mark.parametrize(
    "error", [SignalingError("busy", code="busy"), LinkError("no addresses", code="gathering-failed")]
)
def test_what_no_other_way_would_change_ends_it(error: P4Error) -> None:
    async def scenario() -> None:
        track = Track()
        ways = [track.way("link"), track.way("nearby"), track.way("invite", head_start=HEAD_START)]
        with pytest.raises(type(error)):
            await race(ways, asking({"nearby": 5.0}, {"link": error}))
        assert track.began.keys() == {"link", "nearby"}

    run(scenario())


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.2, 0.4])
def test_a_race_that_is_cancelled_leaves_nothing_behind(moment: float) -> None:
    async def scenario() -> None:
        track = Track()
        ways = [track.way("link", opens=0.3), track.way("invite", head_start=HEAD_START, opens=9.0)]
        task = asyncio.ensure_future(race(ways, asking({"link": 9.0})))
        await asyncio.sleep(moment)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(scenario())


def test_the_winner_leaves_nothing_behind() -> None:
    async def scenario() -> None:
        track = Track()
        ways = [track.way("link", opens=5.0), track.way("nearby"), track.way("invite", opens=5.0)]
        assert await race(ways, first) == "nearby"
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert sorted(track.cancelled) == ["invite", "link"]

    run(scenario())


# --- ways that become known meanwhile ------------------------------------------------------------------


def test_a_way_that_becomes_known_begins_at_once_and_only_once() -> None:
    async def scenario() -> None:
        track, news = Track(), asyncio.Event()
        slow = track.way("slow", opens=50.0)
        known = [slow]
        found = asyncio.ensure_future(race(known, first, MoreWays(lambda: list(known), news)))
        await asyncio.sleep(3.0)
        news.set()  # nothing new: the one that is tried is not begun again
        await asyncio.sleep(1.0)
        assert track.began == {"slow": 0.0}
        known.insert(0, track.way("nearby", head_start=10.0, opens=2.0))
        news.set()
        await asyncio.sleep(1.0)
        news.set()
        assert await found == "nearby"
        assert track.began["nearby"] == pytest.approx(4.0)
        assert track.cancelled == ["slow"]

    run(scenario())


def test_an_open_stream_does_not_join() -> None:
    async def scenario() -> None:
        track, news = Track(), asyncio.Event()
        open_one = Way("open", track.way("open").open, opens=False)
        slow = track.way("slow", opens=5.0)
        found = asyncio.ensure_future(race([slow], first, MoreWays(lambda: [open_one, slow], news)))
        await asyncio.sleep(1.0)
        news.set()
        assert await found == "slow"
        assert set(track.began) == {"slow"}

    run(scenario())
