"""A host is put back to an earlier copy of its disk in mid-traffic (spec/session.md, Restored backups).

What is accepted from then on arrives, once and in order; what the backup cost, both sides are told.
"""

from __future__ import annotations

import asyncio
import os

import pytest
from tests.counts import RESTORED_BACKUPS, explored
from tests.sim.test_chaos import ALICE, BOB, CALM_SECONDS, Programs

from p4.core.session.messages.inbox import Inbox
from p4.core.session.messages.outbox import Outbox
from p4.core.session.session_frames import Resume
from p4.node.inbox import Message
from p4.testing import MemoryDisk, SimulatedNetwork, simulate

MUTANT_SEEDS = 12


class RestoredPrograms(Programs):
    """Remembers everything that arrived, also under two names."""

    latest = False

    def _keep(self, name: str, message: Message) -> bool:
        # What was done comes again from a disk that was put back: a number is known only by what it names.
        new = message.id not in self._kept[name]
        if self._kept[name].setdefault(message.id, message.value) != message.value:
            self.faults.append(f"{name} got two messages as {message.id}")
        return new

    async def exchange(self, count: int) -> None:
        """Wait until both have received so many more texts."""
        goals = {name: len(set(self.received[name])) + count for name in (ALICE, BOB)}
        deadline = asyncio.get_running_loop().time() + CALM_SECONDS
        while any(len(set(self.received[name])) < goal for name, goal in goals.items()):
            assert asyncio.get_running_loop().time() < deadline, "texts have ceased to arrive"
            await asyncio.sleep(0.1)

    async def restart(self, name: str, backup: MemoryDisk | None = None) -> None:
        host = self.network.host(name)
        host.crash()
        if backup is not None:
            host.disk.restore(backup)
        await self.start(name)


async def put_back(programs: RestoredPrograms, name: str, backup: MemoryDisk) -> None:
    """Lose what was written since the backup; then go on at once, or be alone for a while first."""
    network, chance = programs.network, programs.network.world.random
    alone = chance.random() < 0.7
    if alone:
        network.partition([name], [programs.other(name)])
    await programs.restart(name, backup)
    before = {sender: len(programs.sent[sender]) for sender in (ALICE, BOB)}
    if alone:
        # Texts queue up; their numbers pass those that the contact has.
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(chance.uniform(0.0, 15.0))
            await programs.restart(name)
        await asyncio.sleep(chance.uniform(0.0, 15.0))
        network.heal()
    for _ in range(chance.randrange(4)):
        # Whatever was decided on a link that breaks must hold on the next one.
        await asyncio.sleep(chance.uniform(0.0, 3.0))
        network.break_links()
    await programs.exchange(3)
    programs.sending = False
    deadline = asyncio.get_running_loop().time() + CALM_SECONDS
    while not arrived(programs, before):
        assert asyncio.get_running_loop().time() < deadline, f"lost: {lost(programs, before)}"
        await asyncio.sleep(0.5)
    for sender in (ALICE, BOB):
        accepted = programs.sent[sender][before[sender] :]
        received = [text for text in programs.received[programs.other(sender)] if text in set(accepted)]
        assert received == accepted, f"from {sender} arrived out of order or twice"
    programs.sending = True


def lost(programs: RestoredPrograms, before: dict[str, int]) -> dict[str, list[str]]:
    return {
        sender: [
            text
            for text in programs.sent[sender][before[sender] :]
            if text not in programs.received[programs.other(sender)]
        ]
        for sender in (ALICE, BOB)
    }


def arrived(programs: RestoredPrograms, before: dict[str, int]) -> bool:
    return not any(lost(programs, before).values())


def check_warnings(programs: RestoredPrograms, restored: str) -> bool:
    """Both sides know what was sent anew, and the restored one what is missing for good.

    Returns:
        Whether the other one knows that, too. It hears of it over the link on which the restored one writes
        down that it is missing, unless that breaks in this moment.
    """
    assert not programs.faults, programs.faults
    told = "\n".join(programs.warnings[restored])
    other = "\n".join(programs.warnings[programs.other(restored)])
    assert "Your queue towards" in told
    assert "Missing here" in told
    assert "sends from a new queue" in other
    return "has lost" in other


async def scenario(network: SimulatedNetwork) -> list[bool]:
    programs = RestoredPrograms(network)
    await asyncio.gather(programs.start(ALICE), programs.start(BOB))
    chance = network.world.random
    restored = chance.choice([ALICE, BOB])
    await programs.exchange(3)
    await asyncio.sleep(chance.uniform(0.0, 3.0))
    backup = network.host(restored).disk.copy()
    both_know: list[bool] = []
    # The second time the same disk comes back: its names were in use before those that follow them.
    for _ in range(2):
        for told in programs.warnings.values():
            told.clear()
        await programs.exchange(chance.randint(4, 12))
        await put_back(programs, restored, backup)
        both_know.append(check_warnings(programs, restored))
    programs.sending = False
    for name in (ALICE, BOB):
        await network.host(name).run(programs.nodes[name].close())
    return both_know


def run_seeds(first: int, count: int) -> None:
    both_know = [known for seed in range(first, first + count) for known in simulate(scenario, seed=seed)]
    assert sum(both_know) >= 0.9 * len(both_know)


@pytest.mark.timeout(300)
def test_a_restored_backup_loses_nothing_that_is_accepted_after_it() -> None:
    run_seeds(int(os.environ.get("P4_FIRST_SEED", "0")), int(os.environ.get("P4_SEEDS", "12")))


@explored(RESTORED_BACKUPS)
def test_a_restored_backup_loses_nothing_in_many_seeds(count: int) -> None:
    run_seeds(1000, count)


# --- planted bugs -------------------------------------------------------------------------------------------


def found(symptom: str = "") -> bool:
    for seed in range(5000, 5000 + MUTANT_SEEDS):
        try:
            simulate(scenario, seed=seed)
        except AssertionError as error:
            if symptom in str(error):
                return True
    return False


def test_without_a_bug_nothing_is_found() -> None:
    assert not found()


def test_numbers_that_are_used_again_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Outbox, "is_outdated", lambda self, in_epoch, in_next: False)
    assert found("lost")


def test_comparing_only_with_what_is_queued_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue of a restored disk grows past what the contact has before they meet again."""
    honest = Outbox.is_outdated

    def hasty(self: Outbox, in_epoch: bytes, in_next: int) -> bool:
        if in_epoch == self.epoch:
            return in_next > self.next
        return honest(self, in_epoch, in_next)

    monkeypatch.setattr(Outbox, "is_outdated", hasty)
    assert found("lost")


def test_an_epoch_that_comes_back_unnoticed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Outbox.is_outdated

    def forgetful(self: Outbox, in_epoch: bytes, in_next: int) -> bool:
        return in_epoch == self.epoch and honest(self, in_epoch, in_next)

    monkeypatch.setattr(Outbox, "is_outdated", forgetful)
    assert found("lost")


def test_a_gap_that_nobody_is_told_of_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Inbox.resume

    def silent(self: Inbox, peer: Resume) -> None:
        honest(self, peer)
        self._skip = None

    monkeypatch.setattr(Inbox, "resume", silent)
    assert found("Missing here")
