"""Transfers that end in unusual ways, and what is left of those that are forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from p4.adapters.clock import SystemClock
from p4.apps.files.jobs import Jobs
from p4.apps.files.records import Records
from p4.apps.files.transfer import Direction, Transfer, TransferState
from p4.apps.store import AppStore
from p4.core.identity import PeerId
from p4.errors import TransferError

Attempt = Callable[[Transfer], Awaitable[None]]


@asynccontextmanager
async def jobs_with(attempt: Attempt) -> AsyncIterator[Jobs]:
    store = AppStore(None)
    await store.open()
    records = Records(store)
    await records.open()
    jobs = Jobs(
        records, SystemClock(), lambda _transfer: None, asyncio.to_thread, attempt, lambda _transfer: "phone"
    )
    await jobs.start()
    try:
        yield jobs
    finally:
        await jobs.close()
        await store.close()


def sending(name: str, spool: str = "") -> Transfer:
    return Transfer(name * 32, Direction.SEND, PeerId("a" * 64), [f"/{name}"], spool=spool)


async def refused(_transfer: Transfer) -> None:
    raise TransferError("That device does not want it.", code="not-granted")


def uploaded(directory: Path) -> Path:
    file = directory / "0123456789abcdef" / "photo.jpg"
    file.parent.mkdir()
    file.write_bytes(b"photo")
    return file


async def test_a_bug_ends_a_transfer_and_says_so() -> None:
    async def broken(_transfer: Transfer) -> None:
        raise ValueError("a bug")

    async with jobs_with(broken) as jobs:
        ended = await jobs.wait_ended(await jobs.take_up(sending("1")))
        assert (ended.state, ended.code) == (TransferState.FAILED, "bug")
        assert "p4 log" in ended.text


async def test_what_was_uploaded_goes_with_the_failed_transfer_that_is_forgotten(tmp_path: Path) -> None:
    file = uploaded(tmp_path)
    async with jobs_with(refused) as jobs:
        failed = await jobs.wait_ended(await jobs.take_up(sending("1", str(file))))
        assert failed.state is TransferState.FAILED
        assert file.exists(), "it may go on"
        await jobs.forget(failed.id)
    assert list(tmp_path.iterdir()) == []
