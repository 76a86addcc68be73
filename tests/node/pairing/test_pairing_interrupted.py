"""Streams that break, hosts and guests that crash: who says "paired" is right about both disks."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

import pytest

from p4.core.pairing.exchange import GuestExchange, HostExchange
from p4.errors import PairingError
from p4.testing import CrashedError, SimulatedNetwork, simulate, simulated_identity, start_node


def known(network: SimulatedNetwork, name: str) -> list[str]:
    return [contact.peer_id for contact in network.contacts[name].contacts]


ALICE, BOB = simulated_identity("alice").peer_id, simulated_identity("bob").peer_id


@pytest.mark.parametrize("kind", ["link", "words"])
def test_streams_that_break_delay_pairing_and_spoil_nothing(kind: str) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await start_node(network, "alice"), await start_node(network, "bob")
        invite = await alice.invites.create(kind=kind)
        network.conditions = replace(network.conditions, line_breaks_stream=0.25)
        try:
            await bob.pair(invite.text)
        except PairingError:
            assert known(network, "bob") == []
            return
        assert (known(network, "alice"), known(network, "bob")) == ([BOB], [ALICE])
        network.conditions = replace(network.conditions, line_breaks_stream=0.0)
        # Its last line may be lost: then the first link says the same.
        assert (await asyncio.wait_for(invite.wait(), 120)).peer_id == BOB

    for seed in range(15 if kind == "link" else 4):
        simulate(scenario, seed=seed)


def test_a_host_that_crashes_before_it_answers_pairs_after_its_restart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await start_node(network, "alice"), await start_node(network, "bob")
        text = (await alice.invites.create()).text
        honest = HostExchange.proof

        def crash(self: HostExchange) -> bytes:
            monkeypatch.setattr(HostExchange, "proof", honest)
            network.host("alice").crash()
            raise asyncio.CancelledError

        monkeypatch.setattr(HostExchange, "proof", crash)
        pairing = asyncio.ensure_future(bob.pair(text))
        await asyncio.sleep(3)
        assert not network.is_alive("alice")
        assert (known(network, "alice"), known(network, "bob")) == ([BOB], [])
        alice = await start_node(network, "alice")
        [invite] = alice.invites.list()
        assert (await pairing).peer_id == ALICE
        assert (await invite.wait()).peer_id == BOB

    simulate(scenario, seed=1)


def test_a_guest_that_crashes_before_it_confirms_can_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(network: SimulatedNetwork, before_it_stored: bool) -> None:
        alice, bob = await start_node(network, "alice"), await start_node(network, "bob")
        invite = await alice.invites.create()
        name = "take_proof" if before_it_stored else "done"

        def crash(*_: object) -> bytes:
            network.host("bob").crash()
            raise asyncio.CancelledError

        with monkeypatch.context() as patch:
            patch.setattr(GuestExchange, name, crash)
            with pytest.raises(CrashedError):
                await network.host("bob").run(bob.pair(invite.text))
        assert known(network, "alice") == [BOB]
        assert known(network, "bob") == ([] if before_it_stored else [ALICE])
        assert not invite.ended

        bob = await start_node(network, "bob")
        if before_it_stored:
            assert (await bob.pair(invite.text)).peer_id == ALICE
        # A guest that has stored the host calls it, and that confirms as well.
        assert (await asyncio.wait_for(invite.wait(), 60)).peer_id == BOB

    for before_it_stored in (True, False):
        simulate(partial(scenario, before_it_stored=before_it_stored), seed=2)


def test_a_claim_outlives_a_restart_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await start_node(network, "alice"), await start_node(network, "bob")
        eve = await start_node(network, "eve")
        text = (await alice.invites.create()).text

        def crash(*_: object) -> bytes:
            network.host("bob").crash()
            raise asyncio.CancelledError

        with monkeypatch.context() as patch:
            patch.setattr(GuestExchange, "take_proof", crash)
            with pytest.raises(CrashedError):
                await network.host("bob").run(bob.pair(text))
        network.host("alice").crash()
        alice = await start_node(network, "alice")
        [invite] = alice.invites.list()
        with pytest.raises(PairingError) as refused:
            await eve.pair(text)
        assert refused.value.code == "used"
        bob = await start_node(network, "bob")
        assert (await bob.pair(text)).peer_id == ALICE
        assert (await invite.wait()).peer_id == BOB

    simulate(scenario, seed=3)


def test_a_host_that_restarts_after_its_guest_has_stored_learns_it_from_the_first_link(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await start_node(network, "alice"), await start_node(network, "bob")
        text = (await alice.invites.create()).text

        def crash(*_: object) -> bytes:
            network.host("alice").crash()
            network.host("bob").crash()
            raise asyncio.CancelledError

        with monkeypatch.context() as patch:
            patch.setattr(GuestExchange, "done", crash)
            with pytest.raises(CrashedError):
                await network.host("bob").run(bob.pair(text))
        assert (known(network, "alice"), known(network, "bob")) == ([BOB], [ALICE])
        alice = await start_node(network, "alice")
        [invite] = alice.invites.list()
        assert invite.code == "claimed"
        await start_node(network, "bob")
        assert (await asyncio.wait_for(invite.wait(), 60)).peer_id == BOB

    simulate(scenario, seed=5)


def test_a_host_that_cannot_write_pairs_nobody_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from p4.errors import StateError

    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await start_node(network, "alice"), await start_node(network, "bob")
        invite = await alice.invites.create()

        def full(*_: object) -> None:
            raise StateError("The disk is full.", path="/", code="disk-full")

        monkeypatch.setattr(alice._roster, "_save", full)
        with pytest.raises(PairingError) as refused:
            await bob.pair(invite.text)
        assert refused.value.code == "not-possible"
        assert bob.peers() == alice.peers() == []
        assert known(network, "bob") == known(network, "alice") == []

    simulate(scenario, seed=4)
