"""Processes that work on a store until they are killed (see test_sqlite_crash.py).

The first process imports everything once and then forks a worker for each line ``PATH VARIANT`` on its
stdin, so a kill costs milliseconds. A worker prints its pid, then one line for each operation that the
store has confirmed:

    out NUMBER TEXT      a message was accepted for sending
    ack NUMBER           everything through NUMBER was acknowledged
    in NUMBER            a received message was kept as new
    replay TIMESTAMP     a replay window with this newest entry was saved
    spool END            so many bytes of the stream were written
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import sys
from pathlib import Path

from tests.adapters.store_calls import accept, append

from p4.adapters.store import sqlite
from p4.adapters.store.commits import CommitThread, _Operation, _Outcome
from p4.adapters.store.relations import Relations
from p4.adapters.store.sqlite import SqliteStore
from p4.core.identity import PeerId
from p4.core.replay import ReplayWindow
from p4.core.session.messages import stored
from p4.ports import Spool

PEER = PeerId("a" * 24)
EPOCH = b"E" * 16
STREAM = 1
CALLERS = 8
PADDING = "x" * 2000
WINDOW = 50


class EarlyAnswer(CommitThread):
    """The mutant: tells callers when their operation has run, before the commit."""

    def _commit(self, relations: Relations, batch: list[_Operation]) -> list[_Outcome]:
        outcomes: list[_Outcome] = []
        relations.connection.execute("BEGIN IMMEDIATE")
        for operation in batch:
            outcomes.append(_Outcome(operation.run(relations)))
            self._deliver([(operation.future, outcomes[-1])])
        relations.write()
        relations.connection.execute("COMMIT")
        return outcomes


class NoTransaction(CommitThread):
    """The other mutant: each statement is durable by itself, an operation is not one step."""

    def _commit(self, relations: Relations, batch: list[_Operation]) -> list[_Outcome]:
        outcomes = [_Outcome(operation.run(relations)) for operation in batch]
        relations.write()
        return outcomes


VARIANTS = {"true": CommitThread, "early-answer": EarlyAnswer, "no-transaction": NoTransaction}


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


async def send(store: SqliteStore, caller: int) -> None:
    for turn in itertools.count():
        text = f"{os.getpid()}-{caller}-{turn}"
        number = (await append(store, f"{text} {PADDING}", peer=PEER)).first
        say(f"out {number} {text}")
        if caller == 0 and turn % 5 == 4:
            # Half of what waits, so that there is always something on both sides of the line.
            waiting = await store.perform(PEER, stored.ReadOutbox(0, 1000, 2**40))
            through = waiting[len(waiting) // 2].number
            await store.perform(PEER, stored.AcknowledgeOutbox(through))
            say(f"ack {through}")


async def receive(store: SqliteStore) -> None:
    """The peer sends every message twice, as after a lost acknowledgement."""
    expected = (await store.load_peers())[PEER].in_next
    for first in itertools.count(expected, 3):
        batch = [(number, f"received {number}") for number in range(max(1, first - 3), first + 3)]
        for message in (await accept(store, *batch, peer=PEER)).messages:
            say(f"in {message.number}")


def stream_bytes(offset: int, size: int) -> bytes:
    """What belongs at an offset of the stream: no two stretches of it are alike."""
    first, last = offset // 4096, (offset + size) // 4096
    blocks = b"".join(random.Random(block).randbytes(4096) for block in range(first, last + 1))
    return blocks[offset % 4096 : offset % 4096 + size]


async def stream(spool: Spool) -> None:
    """Small writes, which this thread does, and large ones, which others do; the older ones are discarded."""
    for turn in itertools.count():
        end = spool.end
        await spool.append(stream_bytes(end, (100, 4000, 50_000, 700_000)[turn % 4]))
        say(f"spool {spool.end}")
        await spool.discard(spool.end - 1_000_000)


async def remember(store: SqliteStore) -> None:
    window = await store.load_replay(PEER)
    newest = max((when for when, _ in window.entries), default=window.floor_ms)
    for when in itertools.count(newest + 1):
        entries = (*window.entries, (when, when.to_bytes(16)))
        floor = entries[0][0] if len(entries) > WINDOW else window.floor_ms
        window = ReplayWindow(floor_ms=floor, entries=entries[-WINDOW:])
        await store.save_replay(PEER, window)
        say(f"replay {when}")


async def work(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    spool = store.spool(PEER, STREAM)
    await asyncio.gather(
        *(send(store, caller) for caller in range(CALLERS)), receive(store), remember(store), stream(spool)
    )


def main() -> None:
    for line in sys.stdin:
        path, variant = line.split()
        worker = os.fork()
        if worker == 0:
            say(f"pid {os.getpid()}")
            vars(sqlite)["CommitThread"] = VARIANTS[variant]
            asyncio.run(work(Path(path)))
        os.waitpid(worker, 0)
        say("gone")


if __name__ == "__main__":
    main()
