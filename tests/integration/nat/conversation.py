"""What the tests do with a scene: talk, let things happen, and lose nothing."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tests.integration.nat.events import Scene
from tests.integration.nat.meeting import Meeting, Recovery

__all__ = ["LOOSE_SECONDS", "happens", "no_link_went_down", "talking"]

LOOSE_SECONDS = 150.0
"""Nothing takes so long on a busy machine, unless it never ends."""


@asynccontextmanager
async def talking(acted: Scene) -> AsyncIterator[Scene]:
    """A conversation; in the end nothing of it was lost, doubled or out of order."""
    meeting = acted.meeting
    async with meeting:
        print(f"connected after {await meeting.connected(LOOSE_SECONDS):.2f} s")
        meeting.talk()
        await meeting.flowing()
        yield acted
        tally = await meeting.finish()
        assert tally.clean, tally


async def happens(acted: Scene, name: str, event: Callable[[Scene], Awaitable[float]]) -> Recovery:
    """Let it happen and wait until messages flow again."""
    at = await event(acted)
    recovery = await acted.meeting.recovered(
        name, at, seconds=LOOSE_SECONDS, watch=time.monotonic() - at + 1.0
    )
    print(recovery)
    return recovery


def no_link_went_down(meeting: Meeting) -> bool:
    """Neither node has said so until now."""
    return not any(one["event"] == "LinkDown" for one in [*meeting.one.said, *meeting.other.said])
