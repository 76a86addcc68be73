"""A writer stays near a contact that takes much, and waits for no other."""

from __future__ import annotations

import asyncio

import pytest

from p4.core.session.stream_frames import Credit
from p4.core.session.streams.writer import Writer
from p4.node.streams import pacing
from p4.node.streams.pacing import Pace
from p4.node.streams.waiting import Waiting

PIECE = 256 * 1024
LIMIT = 2**40


def linked() -> tuple[Writer, Waiting, Pace]:
    """A writer whose contact has granted all it can write."""
    writer, waiting = Writer(), Waiting()
    writer.link_up()
    writer.credit(Credit(1, 0, LIMIT))
    return writer, waiting, Pace(writer, waiting.wait)


async def test_what_is_written_stays_near_to_what_a_quick_contact_takes() -> None:
    writer, waiting, pace = linked()

    async def send() -> None:
        while writer.sent < 40 * PIECE:
            writer.take(PIECE)
            if pace.near_again():
                waiting.wake()
            await asyncio.sleep(0)

    sending = asyncio.create_task(send())
    for _ in range(40):
        writer.written += PIECE
        await pace.keep()
        assert writer.written - writer.sent <= 2 * PIECE
    await sending


async def test_a_contact_that_takes_nothing_makes_a_writer_wait_once_in_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pacing, "_PATIENCE_SECONDS", 0.0)
    writer, waiting = Writer(), Waiting()
    writer.link_up()
    writer.credit(Credit(1, 0, LIMIT))
    waits = 0

    async def changed() -> None:
        nonlocal waits
        waits += 1
        await waiting.wait()

    pace = Pace(writer, changed)
    for _ in range(64):  # 16 MiB
        writer.written += PIECE
        await pace.keep()
    assert 1 <= waits <= 4


async def test_without_a_link_nobody_waits() -> None:
    writer, waiting = Writer(), Waiting()
    pace = Pace(writer, waiting.wait)
    writer.written = 64 * PIECE
    await pace.keep()
    assert not pace.near_again()
