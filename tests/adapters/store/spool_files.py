"""Spools in a directory, and what is written to them."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.adapters.spool_contract import read
from tests.adapters.store_calls import ALICE

from p4.adapters.store.spool import FileSpool
from p4.errors import StateError

DATA = random.Random(7).randbytes(12_000_000)


class Files:
    """Spools in a directory, without a store."""

    def __init__(self, directory: Path, kind: type[FileSpool] = FileSpool) -> None:
        self.directory = directory
        self._threads = ThreadPoolExecutor(2)
        self._kind = kind

    def open(self, number: int = 1) -> FileSpool:
        return self._kind(self.directory, ALICE, number, lambda: self._threads)

    def paths(self) -> list[Path]:
        return sorted(path for path in self.directory.rglob("*") if path.is_file())

    def close(self) -> None:
        self._threads.shutdown()


async def written(place: Files, *sizes: int) -> FileSpool:
    """A spool with the first bytes of `DATA`, in appends of these sizes."""
    made = place.open()
    for size in sizes:
        await made.append(DATA[made.end : made.end + size])
    return made


async def check(place: Files, at_least: int = 0, at_most: int = len(DATA)) -> int:
    """Open it anew: what is there is right. Returns its end."""
    found = place.open()
    assert at_least <= found.end <= at_most, "bytes are lost, or more than there were"
    if found.end > found.start:
        try:
            data = await read(found, found.start, found.end - found.start)
        except StateError as error:
            pytest.fail(f"bytes that should be there cannot be read: {error}")
        assert data == DATA[found.start : found.end], "wrong bytes"
    return found.end
