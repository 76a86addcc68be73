"""A host is put back to an earlier copy of its disk in the middle of streams (spec/stream.md, A new link).

What the applications keep is not put back. So bytes that they wrote after the backup are written anew, and
differ: whoever mixed them up is found out. A stream either arrives as it was written or is reported lost.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from typing import Any

import pytest
from tests.counts import RESTORED_STREAMS, explored
from tests.sim.simulated_node import SimulatedNode, book_for
from tests.sim.stream_programs import BULK, Film, StreamPrograms, small_limits
from tests.sim.test_chaos import ALICE, BOB
from tests.sim.test_chaos_streams import CALM_SECONDS, CONDITIONS

from p4.core.session.stream_frames import Written
from p4.core.session.streams.machine import StreamMachine
from p4.core.session.streams.reader import Reader
from p4.core.session.streams.writer import LostByReader, Writer
from p4.node.streams import Stream
from p4.testing import MemoryDisk, SimulatedNetwork, simulate

MUTANT_SEEDS = 25


class RestoredStreams(StreamPrograms):
    """Streams only: what becomes of messages is in test_restored_backups.py."""

    def __init__(self, network: SimulatedNetwork) -> None:
        super().__init__(network, power_fails=False)

    async def start(self, name: str) -> None:
        host = self.network.host(name)
        node = SimulatedNode(host, book_for(self.network, name, [self.other(name)]))
        await host.run(node.start())
        self.nodes[name] = node
        work: list[Coroutine[Any, Any, None]] = [
            self._open(name, node),
            self._accept(name, node),
            self._weigh(name, node),
            self._end_again(name, node),
        ]
        for part in work:
            host.spawn(part)

    async def _end_again(self, name: str, node: SimulatedNode) -> None:
        """The application knows that it has done with streams which a disk that was put back still has."""
        for records in self.network.host(name).disk.streams.values():
            for record in list(records.values()):
                film = self.films[record.name]
                if record.opened_here and name in film.over and not record.closed:
                    film.cut_short = True
                    stream = await node.peer(self.other(name)).stream(BULK, film.name)
                    await stream.reset("done with")

    async def _accepted(self, film: Film, stream: Stream, name: str) -> None:
        if name in film.over:
            film.cut_short = True
            await stream.reset("done with")
        else:
            await super()._accepted(film, stream, name)

    async def restart(self, name: str, backup: MemoryDisk | None = None) -> None:
        host = self.network.host(name)
        host.crash()
        if backup is not None:
            self.may_lose = self.restored = True
            host.disk.restore(backup)
        await self.start(name)


async def scenario(network: SimulatedNetwork) -> RestoredStreams:
    programs, chance = RestoredStreams(network), network.world.random
    await asyncio.gather(programs.start(ALICE), programs.start(BOB))
    restored = chance.choice([ALICE, BOB])
    await asyncio.sleep(chance.uniform(1.0, 20.0))
    backup = network.host(restored).disk.copy()
    await asyncio.sleep(chance.choice((0.5, 3.0, 30.0)) * chance.random())
    alone = chance.random() < 0.5
    if alone:
        network.partition([ALICE], [BOB])
        await asyncio.sleep(chance.uniform(0.0, 3.0))
    await programs.restart(restored, backup)
    if alone:
        # What is written meanwhile passes what the contact has.
        await asyncio.sleep(chance.uniform(0.0, 15.0))
        if chance.random() < 0.5:
            await programs.restart(restored)
        network.heal()
    for _ in range(chance.randrange(3)):
        await asyncio.sleep(chance.uniform(0.0, 3.0))
        network.break_links()
    after = len(programs.films)
    await asyncio.sleep(20.0)
    programs.sending = False
    deadline = asyncio.get_running_loop().time() + CALM_SECONDS
    while programs.left():
        assert not programs.faults, programs.faults
        assert asyncio.get_running_loop().time() < deadline, programs.left()
        await asyncio.sleep(1.0)
    assert not programs.faults, programs.faults
    programs.check_streams()
    for film in list(programs.films.values())[after:]:
        assert not film.lost, f"{film.name} began long after the backup was put back"
    for name in (ALICE, BOB):
        await network.host(name).run(programs.nodes[name].close())
    return programs


def run_seeds(first: int, count: int) -> list[RestoredStreams]:
    with small_limits():
        return [simulate(scenario, seed=seed, conditions=CONDITIONS) for seed in range(first, first + count)]


@pytest.mark.timeout(300)
def test_a_restored_backup_mixes_nothing_up() -> None:
    runs = run_seeds(int(os.environ.get("P4_FIRST_SEED", "0")), int(os.environ.get("P4_SEEDS", "8")))
    assert any(film.lost for programs in runs for film in programs.films.values())


@explored(RESTORED_STREAMS)
def test_a_restored_backup_mixes_nothing_up_in_many_seeds(count: int) -> None:
    run_seeds(1000, count)


# --- planted bugs -------------------------------------------------------------------------------------------


def found() -> bool:
    with small_limits():
        for seed in range(5000, 5000 + MUTANT_SEEDS):
            try:
                simulate(scenario, seed=seed, conditions=CONDITIONS)
            except AssertionError:
                return True
    return False


@pytest.mark.slow
def test_without_a_bug_nothing_is_found() -> None:
    assert not found()


def test_two_sides_that_believe_each_other_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader has consumed more than this disk ever wrote, and the rest would be other bytes.

    Each side notices it by itself, so that both have to be wrong.
    """
    honest = Writer.credit

    def credulous(self: Writer, frame: Any) -> None:
        self._reached = max(self._reached, min(frame.through, self.written))
        honest(self, frame)

    def written(self: Reader, frame: Written) -> None:
        if not self.heard:
            frame = Written(frame.id, max(frame.end, self.position), frame.final)
        really(self, frame)

    really = Reader.written
    monkeypatch.setattr(Writer, "credit", credulous)
    monkeypatch.setattr(Reader, "written", written)
    assert found()


def test_going_on_where_the_contact_had_been_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = StreamMachine._credit

    def stubborn(self: StreamMachine, frame: Any, now: float) -> Any:
        try:
            if not self.writer.heard:
                Writer(self.writer.confirmed, self.writer.written, self.writer._reached).credit(frame)
        except LostByReader:
            return []  # it will send another one some time
        return honest(self, frame, now)

    monkeypatch.setattr(StreamMachine, "_credit", stubborn)
    assert found()
