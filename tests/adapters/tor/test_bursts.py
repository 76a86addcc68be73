"""One action for many requests, soon after the last."""

from __future__ import annotations

import asyncio

import pytest

from p4.adapters.tor.bursts import Burst
from p4.errors import RendezvousError
from p4.testing.virtual_time import run

ACTION_SECONDS = 0.05
START = 1000.0
"""Where virtual time begins."""


def moments(*requests: float) -> list[float]:
    """When actions begin, for requests at these moments."""
    begun: list[float] = []

    async def action() -> None:
        begun.append(round(asyncio.get_running_loop().time() - START, 6))
        await asyncio.sleep(ACTION_SECONDS)

    async def scenario() -> None:
        burst = Burst(action, quiet_seconds=0.3, most_seconds=1.0)
        await asyncio.sleep(0)
        time = asyncio.get_running_loop().time
        for moment in requests:
            await asyncio.sleep(START + moment - time())
            burst.request()
        await asyncio.sleep(10)
        burst.close()

    run(scenario())
    return begun


def test_one_request_is_carried_out_soon() -> None:
    assert moments(5.0) == [5.3]
    assert moments(5.0, 50.0) == [5.3, 50.3]


def test_those_that_follow_share_the_action() -> None:
    assert moments(5.0, 5.0, 5.0) == [5.3]
    assert moments(5.0, 5.02, 5.1, 5.2) == [5.5]
    # Events without an end do not hold it up for ever.
    assert moments(5.0, 5.25, 5.5, 5.75, 5.98) == [6.0]
    assert moments(*(5.0 + 0.2 * number for number in range(10))) == [6.0, 7.1]


def test_what_is_requested_during_an_action_is_done_after_it() -> None:
    assert moments(5.0, 5.31) == [5.3, 5.61]


def test_nothing_is_done_after_the_end() -> None:
    async def scenario() -> None:
        done: list[str] = []

        async def action() -> None:
            done.append("begun")
            await asyncio.sleep(1)
            done.append("ended")

        burst = Burst(action, quiet_seconds=0.3, most_seconds=1.0)
        burst.close()
        burst.request()
        await asyncio.sleep(0.1)
        burst.close()
        await asyncio.sleep(10)
        assert done == []
        burst.request()
        await asyncio.sleep(0.5)
        burst.request()
        burst.close()
        await asyncio.sleep(10)
        assert done == ["begun"]

    run(scenario())


# --- what an action breaks ------------------------------------------------------------------------------


def broken(error: object) -> bool:
    return isinstance(error, RendezvousError) and error.code == "broken"


async def nothing() -> None:
    await asyncio.sleep(ACTION_SECONDS)


def test_an_attempt_waits_until_what_was_requested_is_done() -> None:
    async def scenario() -> None:
        burst = Burst(nothing, quiet_seconds=0.3, most_seconds=1.0)
        burst.request()

        async def attempt() -> float:
            return asyncio.get_running_loop().time() - START

        assert await burst.through(attempt, broken) == pytest.approx(0.3 + ACTION_SECONDS)

    run(scenario())


def test_an_attempt_that_an_action_broke_is_made_again_and_another_is_not() -> None:
    async def scenario() -> None:
        burst = Burst(nothing, quiet_seconds=0.3, most_seconds=1.0)
        tries: list[str] = []

        async def attempt(*codes: str) -> str:
            tries.append("")
            await asyncio.sleep(0.1)
            if len(tries) <= len(codes):
                raise RendezvousError("It failed.", code=codes[len(tries) - 1])
            return "done"

        first = asyncio.ensure_future(burst.through(lambda: attempt("broken"), broken))
        await asyncio.sleep(0.05)
        burst.request()
        assert await first == "done"
        assert len(tries) == 2
        for code in ("broken", "refused"):  # without an action in between, and for a reason of its own
            tries.clear()
            with pytest.raises(RendezvousError):
                await burst.through(lambda code=code: attempt(code), broken)  # type: ignore[misc]
            assert len(tries) == 1

    run(scenario())
