"""Streams on the database and the files that a node really uses."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from tests.node.streams.harness import Pair, read_all

from p4.adapters.store.sqlite import SqliteStore

SOME = random.Random(2).randbytes(6_000_000)


async def test_a_stream_goes_on_after_restarts_and_leaves_no_file(tmp_path: Path) -> None:
    for name in ("left", "right"):
        (tmp_path / name).mkdir()

    def store(name: str) -> SqliteStore:
        return SqliteStore(tmp_path / name / "p4.sqlite3")

    pair = await Pair.start()
    await pair.stop()
    await pair.left.start(store("left"))
    await pair.right.start(store("right"))
    mine, theirs = await pair.connected()
    await mine.write(SOME[:5_000_000])
    assert await theirs.readexactly(1_000_000) == SOME[:1_000_000]
    await theirs.consumed(900_000)
    await pair.stop()

    await pair.right.start(store("right"))
    await pair.left.start(store("left"))
    mine = await pair.left.hub.open("files", "a")
    assert mine.written == 5_000_000
    pair.link()
    theirs = await pair.accept()
    assert 900_000 <= theirs.position <= 1_000_000
    position = theirs.position
    async with theirs:
        await mine.write(SOME[5_000_000:])
        await mine.close_writing()
        assert await read_all(theirs) == SOME[position:]
    assert await read_all(mine) == b""
    await mine.wait_done()
    await theirs.wait_done()
    async with asyncio.timeout(10):
        while await pair.left.store.load_streams() or await pair.right.store.load_streams():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await pair.stop()

    for name in ("left", "right"):
        again = store(name)
        await again.open()
        assert not await again.load_streams()
        await again.close()
        assert not [
            path for path in (tmp_path / name).rglob("*") if path.is_file() and "p4.sqlite3" not in path.name
        ]
