"""What a worker does with files."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from bench.session.place import Place, Stopwatch
from p4.adapters.clock import SystemClock
from p4.apps.files.app import READ, WRITE, FilesApp
from p4.apps.files.transfer import TransferState
from p4.apps.store import AppStore

__all__ = ["ACTIONS"]

_STEP = 16 * 1024 * 1024


async def start_files(place: Place) -> None:
    """Start the app, and let the contact use it."""
    store = AppStore(place.directory / "apps.db")
    await store.open()
    place.files = FilesApp(store, SystemClock(), share=place.directory / "share")
    await place.peer.grant(READ, WRITE)
    await place.files.start(place.running)


async def make_files(place: Place, name: str, count: int, size: int) -> str:
    """A folder with so many files of this size; its path."""
    folder = place.directory / name
    await asyncio.to_thread(_make, folder, count, size)
    return str(folder)


async def copy(place: Place, path: str) -> dict[str, Any]:
    """Send a folder and wait until all of it is safe and verified at the other side."""
    assert place.files is not None
    watch = Stopwatch()
    transfer = await place.files.send(place.peer.peer_id, [path], recursive=True)
    await place.files.wait_ended(transfer)
    if transfer.state is not TransferState.DONE or transfer.progress.omitted:
        raise RuntimeError(f"{transfer.state}: {transfer.text} {transfer.progress.notes[:3]}")
    return {"bytes": transfer.progress.bytes, "files": transfer.progress.files, **watch.read()}


def _make(folder: Path, count: int, size: int) -> None:
    folder.mkdir()
    for number in range(count):
        with (folder / f"file {number}").open("wb") as file:
            for begin in range(0, size, _STEP):
                file.write(os.urandom(min(_STEP, size - begin)))


ACTIONS = (start_files, make_files, copy)
