"""One action for many requests, soon after the last."""

from __future__ import annotations

import asyncio

from p4.adapters.tor.bursts import Burst
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
