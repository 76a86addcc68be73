"""What an app has under way, and how it ends."""

from __future__ import annotations

import asyncio

import pytest

from p4.apps.background import Background
from p4.errors import LocalError


async def test_a_bug_is_told_at_once_and_the_end_of_the_store_is_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken() -> None:
        raise ValueError("a bug")

    async def too_late() -> None:
        raise LocalError("The daemon is ending.", code="closed")

    background = Background()
    background.begin(too_late(), "counting")
    background.begin(broken(), "watching")
    for _ in range(3):
        await asyncio.sleep(0)
    assert [record.getMessage() for record in caplog.records] == ["watching ended by a bug"]


async def test_closing_waits_until_everything_has_ended() -> None:
    ended = False

    async def work() -> None:
        nonlocal ended
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended = True

    background = Background()
    background.begin(work(), "waiting")
    await asyncio.sleep(0)
    await background.close()
    assert ended
