"""Who may send what, and only once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from tests.sim.simulated_node import identity_of

from p4.core import limits
from p4.core.address import RendezvousAddress, Transport
from p4.core.contacts import Contact
from p4.core.identity import PeerId
from p4.core.signaling import Ping
from p4.errors import EnvelopeError, P4Error, SignalingError, StateError
from p4.node.authentication import Authenticated, Authenticator
from p4.testing import MemoryDisk, MemoryStore, SeededEntropy, VirtualClock
from p4.testing.virtual_time import run

ADDRESS = RendezvousAddress(Transport.DIRECT, "192.0.2.7", 4000)
ALICE, BOB = identity_of("alice"), identity_of("bob")
CONTACT = Contact(BOB.peer_id, BOB.public_key, ADDRESS, "bob")


class Ends:
    """Alice, who admits, and Bob, her contact."""

    def __init__(self, disk: MemoryDisk | None = None) -> None:
        self.disk = disk or MemoryDisk()
        self.clock = VirtualClock()
        self.store = MemoryStore(self.disk)
        self.alice = Authenticator(ALICE, self.store, self.clock, SeededEntropy(1), self._find)
        self.bob = Authenticator(BOB, MemoryStore(), self.clock, SeededEntropy(2), lambda _: None)

    def _find(self, peer_id: PeerId) -> Contact | None:
        return CONTACT if peer_id == BOB.peer_id else None

    def line(self) -> bytes:
        return self.bob.seal(ALICE.peer_id, Ping(self.bob.new_session_id()))

    async def admit(self, line: bytes) -> None:
        request = self.alice.open(line)
        assert isinstance(request, Authenticated)
        await self.alice.admit(request)

    async def refusal(self, line: bytes) -> str:
        with pytest.raises(P4Error) as caught:
            await self.admit(line)
        return caught.value.code


def on_virtual_time(work: Coroutine[Any, Any, None]) -> None:
    run(work)


def test_repeating_a_contacts_line_does_not_use_up_what_it_may_send() -> None:
    async def scenario() -> None:
        ends = Ends()
        await ends.store.open()
        old = ends.line()
        await ends.admit(old)
        for _ in range(10 * limits.BUCKET_CAPACITY):
            assert await ends.refusal(old) == "replayed"
        await ends.admit(ends.line())

    on_virtual_time(scenario())


def test_a_burst_is_taken_then_a_rate() -> None:
    async def scenario() -> None:
        ends = Ends()
        await ends.store.open()
        for _ in range(limits.BUCKET_CAPACITY):
            await ends.admit(ends.line())
        with pytest.raises(SignalingError) as caught:
            await ends.admit(ends.line())
        assert caught.value.code == "rate"
        await asyncio.sleep(1 / limits.BUCKET_PER_SECOND)
        await ends.admit(ends.line())

    on_virtual_time(scenario())


def test_what_was_admitted_stays_refused_after_a_restart() -> None:
    async def scenario() -> None:
        before = Ends()
        await before.store.open()
        line = before.line()
        await before.admit(line)
        after = Ends(before.disk)
        await after.store.open()
        assert await after.refusal(line) == "replayed"

    on_virtual_time(scenario())


def test_two_copies_at_one_moment_are_admitted_once() -> None:
    async def scenario() -> None:
        ends = Ends()
        ends.store = MemoryStore(ends.disk, commit_seconds=0.1)
        ends.alice._store = ends.store
        await ends.store.open()
        line = ends.line()
        outcomes = await asyncio.gather(ends.admit(line), ends.admit(line), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [type(None), EnvelopeError]

    on_virtual_time(scenario())


def test_nothing_is_admitted_that_the_disk_did_not_take() -> None:
    async def scenario() -> None:
        ends = Ends()
        await ends.store.open()
        line = ends.line()
        ends.disk.failure = StateError("The disk is full.", path="(memory)", code="full")
        assert await ends.refusal(line) == "full"
        ends.disk.failure = None
        await ends.admit(line)
        assert await ends.refusal(line) == "replayed"

    on_virtual_time(scenario())


@pytest.mark.parametrize("hours", [-30, -1, 1, 30])
def test_a_clock_that_jumps_and_comes_back_shuts_nobody_out_and_lets_nothing_in_twice(hours: int) -> None:
    async def scenario() -> None:
        ends = Ends()
        await ends.store.open()
        old = ends.line()
        await ends.admit(old)
        ends.clock.jump(hours * 3600)
        await ends.admit(ends.line())
        assert await ends.refusal(old) in {"replayed", "bad-time"}
        ends.clock.jump(-hours * 3600)
        await asyncio.sleep(1)
        await ends.admit(ends.line())
        assert await ends.refusal(old) == "replayed"

    on_virtual_time(scenario())


def test_a_removed_contact_leaves_nothing_in_memory() -> None:
    async def scenario() -> None:
        ends = Ends()
        await ends.store.open()
        await ends.admit(ends.line())
        ends.alice.forget(BOB.peer_id)
        assert [ends.alice._windows, ends.alice._buckets, ends.alice._locks] == [{}, {}, {}]

    on_virtual_time(scenario())
