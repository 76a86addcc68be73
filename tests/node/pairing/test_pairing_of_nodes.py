"""Whole nodes that pair on the simulated network."""

from __future__ import annotations

import asyncio

import pytest

from p4.core.address import Transport
from p4.core.pairing.link import PairingLink
from p4.errors import ContactError, InviteError, PairingError, WordError
from p4.node.events import InviteEnded, LinkUp, NodeEvent, NodeWarning, Paired
from p4.node.node import BaseNode
from p4.testing import SimulatedNetwork, simulate, simulated_identity, start_node
from p4.testing.simulated_signaling import simulated_address


async def next_of(node: BaseNode, *kinds: type[NodeEvent]) -> NodeEvent:
    async for event in node.events():
        if isinstance(event, kinds):
            return event
    raise AssertionError("the node ended")


@pytest.mark.parametrize("kind", ["link", "words"])
def test_both_sides_are_contacts_on_disk_and_connected(kind: str) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await start_node(network, "alice"), await start_node(network, "bob")
        told = [asyncio.ensure_future(next_of(node, Paired)) for node in (alice, bob)]
        linked = asyncio.ensure_future(next_of(bob, LinkUp))
        await asyncio.sleep(0)
        invite = await alice.invites.create(kind=kind)

        host = await bob.pair(invite.text)
        guest = await invite.wait()

        assert (host.peer_id, host.name) == (alice.peer_id, "alice")
        assert (guest.peer_id, guest.name) == (bob.peer_id, "bob")
        assert [c.peer_id for c in network.contacts["alice"].contacts] == [bob.peer_id]
        assert [c.peer_id for c in network.contacts["bob"].contacts] == [alice.peer_id]
        assert await told[0] == Paired(bob.peer_id, "bob", invite.id)
        assert await told[1] == Paired(alice.peer_id, "alice", "")
        await linked
        assert invite.text.encode() not in network.invites["alice"]

    simulate(scenario, seed=1)


def test_the_first_link_goes_over_the_stream_of_pairing() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await start_node(network, "alice"), await start_node(network, "bob")
        invite = await alice.invites.create()
        await bob.pair(invite.text)
        before = len(network.trace)
        await asyncio.wait_for(next_of(bob, LinkUp), 1.5)
        assert not [line for line in network.trace[before:] if "bob#1 dials" in line]

    simulate(scenario, seed=2)


def test_two_words_pair_on_one_local_network_and_nowhere_else() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        network.move("alice", "192.168.1.2")
        network.move("bob", "192.168.1.3")
        network.move("carol", "10.0.0.4")
        alice, bob, carol = [await start_node(network, name) for name in ("alice", "bob", "carol")]
        invite = await alice.invites.create(kind="local-words")
        assert len(invite.text.split()) == 2
        with pytest.raises(PairingError) as failure:
            await carol.pair(invite.text, patience=10)
        assert failure.value.code == "not-found"
        assert (await bob.pair(invite.text.upper())).peer_id == alice.peer_id
        assert (await invite.wait()).peer_id == bob.peer_id

    simulate(scenario, seed=3)


def test_names_chosen_by_people_come_before_those_of_devices() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await start_node(network, "alice"), await start_node(network, "bob")
        alice.rename("Alice’s laptop")
        invite = await alice.invites.create(name="the guest")
        peer = await bob.pair(invite.text)
        assert peer.name == "Alice’s laptop"
        assert (await invite.wait()).name == "the guest"
        again = await alice.invites.create()
        assert (await bob.pair(again.text)).name == "Alice’s laptop"
        assert (await again.wait()).name == "the guest"

    simulate(scenario, seed=4)


def test_a_name_never_moves_to_another_key() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await start_node(network, "alice"), await start_node(network, "bob", "laptop")
        alice.rename("Laptop")
        warned = asyncio.ensure_future(next_of(bob, NodeWarning))
        invite = await alice.invites.create()
        peer = await bob.pair(invite.text)
        assert peer.name == "Laptop 2"
        assert bob.peer("laptop").peer_id == simulated_identity("laptop").peer_id
        warning = await warned
        assert isinstance(warning, NodeWarning)
        assert "posing" in warning.text

    simulate(scenario, seed=5)


def test_a_known_contact_that_pairs_again_gets_its_new_address() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await start_node(network, "alice"), await start_node(network, "bob", "alice")
        old = bob.peer("alice").contact.rendezvous
        invite = await alice.invites.create()
        address = simulated_address(network.world.seed, "where alice is now", Transport.ONION)
        alice._address = address
        peer = await bob.pair(invite.text)
        assert peer is bob.peer("alice")
        assert peer.contact.rendezvous == address != old

    simulate(scenario, seed=6)


def test_one_invite_pairs_one_device() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob, eve = [await start_node(network, name) for name in ("alice", "bob", "eve")]
        invite = await alice.invites.create()
        await bob.pair(invite.text)
        await invite.wait()
        with pytest.raises(PairingError) as failure:
            await eve.pair(invite.text)
        assert failure.value.code == "used"
        assert eve.peers() == []
        assert [peer.peer_id for peer in alice.peers()] == [bob.peer_id]

    simulate(scenario, seed=7)


def test_two_guests_at_one_moment_are_one_contact_and_one_refusal() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob, eve = [await start_node(network, name) for name in ("alice", "bob", "eve")]
        invite = await alice.invites.create()
        outcomes = await asyncio.gather(bob.pair(invite.text), eve.pair(invite.text), return_exceptions=True)
        refused = [outcome for outcome in outcomes if isinstance(outcome, PairingError)]
        assert [error.code for error in refused] == ["used"]
        assert len(alice.peers()) == 1
        assert len(bob.peers()) + len(eve.peers()) == 1

    for seed in range(20):
        simulate(scenario, seed=seed)


def test_an_invite_expires_at_its_moment() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await start_node(network, "alice"), await start_node(network, "bob")
        invite = await alice.invites.create(lifetime=60, kind="words")
        ended = asyncio.ensure_future(next_of(alice, InviteEnded))
        await asyncio.sleep(61)
        with pytest.raises(PairingError) as failure:
            await invite.wait()
        assert failure.value.code == "expired"
        event = await ended
        assert isinstance(event, InviteEnded)
        assert (event.invite_id, event.code) == (invite.id, "expired")
        with pytest.raises(PairingError) as missed:
            await bob.pair(invite.text, patience=5)
        assert missed.value.code == "not-found"
        assert invite.text.encode() not in network.invites["alice"]
        assert list(alice.invites.list()) == []
        assert alice.invites.get(invite.id).code == "expired"

    simulate(scenario, seed=8)


def test_an_expired_link_is_refused_before_anybody_is_visited() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await start_node(network, "alice"), await start_node(network, "bob")
        invite = await alice.invites.create(lifetime=60)
        await asyncio.sleep(60)
        with pytest.raises(InviteError) as failure:
            await bob.pair(invite.text)
        assert failure.value.code == "expired"

    simulate(scenario, seed=9)


def test_a_host_whose_clock_decides_refuses_after_expiry() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await start_node(network, "alice"), await start_node(network, "bob")
        invite = await alice.invites.create(lifetime=60)
        link = PairingLink.parse(invite.text)
        longer = PairingLink(link.secret, link.host_key, link.expires_at + 3600).to_text()
        await asyncio.sleep(61)
        with pytest.raises(PairingError) as failure:
            await bob.pair(longer, patience=5)
        assert failure.value.code in {"expired", "not-found"}
        assert alice.peers() == bob.peers() == []

    simulate(scenario, seed=10)


def test_an_open_invite_survives_a_crash_of_its_host() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await start_node(network, "alice"), await start_node(network, "bob")
        text = (await alice.invites.create()).text
        network.host("alice").crash()
        alice = await start_node(network, "alice")
        [invite] = alice.invites.list()
        assert invite.text == text
        peer = await bob.pair(text)
        assert peer.peer_id == alice.peer_id
        assert (await invite.wait()).peer_id == bob.peer_id

    simulate(scenario, seed=11)


def test_an_invite_that_expired_while_its_host_was_off_is_gone() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice = await start_node(network, "alice")
        text = (await alice.invites.create(lifetime=60)).text
        network.host("alice").crash()
        await asyncio.sleep(120)
        alice = await start_node(network, "alice")
        assert list(alice.invites.list()) == []
        assert text.encode() not in network.invites["alice"]

    simulate(scenario, seed=12)


def test_what_is_taken_back_cannot_be_used() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await start_node(network, "alice"), await start_node(network, "bob")
        invite = await alice.invites.create()
        await invite.cancel()
        with pytest.raises(PairingError) as failure:
            await invite.wait()
        assert failure.value.code == "cancelled"
        with pytest.raises(PairingError) as missed:
            await bob.pair(invite.text, patience=5)
        assert missed.value.code in {"ended", "not-found"}
        assert alice.peers() == bob.peers() == []

    simulate(scenario, seed=13)


def test_own_links_and_words_are_refused() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice = await start_node(network, "alice")
        for kind in ("link", "words"):
            invite = await alice.invites.create(kind=kind)
            with pytest.raises(InviteError) as failure:
                await alice.pair(invite.text)
            assert failure.value.code == "own-invite"
            assert not invite.ended

    simulate(scenario, seed=14)


def test_a_version_1_invite_is_a_contact_in_one_direction() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await start_node(network, "alice"), await start_node(network, "bob")
        peer = await bob.pair("\n" + alice.invite().to_text(), "al")
        assert (peer.peer_id, peer.name) == (alice.peer_id, "al")
        assert alice.peers() == []

    simulate(scenario, seed=15)


def test_mistyped_words_are_named_and_nothing_is_tried() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await start_node(network, "alice"), await start_node(network, "bob")
        invite = await alice.invites.create(kind="words")
        words = invite.text.split()
        with pytest.raises(WordError) as failure:
            await bob.pair(" ".join([*words[:6], "zzzz", words[7]]))
        assert (failure.value.position, failure.value.word) == (7, "zzzz")
        assert not invite.ended

    simulate(scenario, seed=16)


def test_a_name_that_cannot_be_used_for_the_device_is_refused() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice = await start_node(network, "alice")
        for name in ("a" * 65, "34750f98bd59fcfc946da45a", "two\nlines"):
            with pytest.raises(Exception, match="cannot be the name") as failure:
                alice.rename(name)
            assert not isinstance(failure.value, ContactError)
        assert alice.name == "alice"

    simulate(scenario, seed=17)
