"""What a person, a clock or a stranger changes while an invite is open."""

from __future__ import annotations

import asyncio

import pytest
from tests.node.pairing.visitor import Visitor, secret_of

from p4.core import limits
from p4.core.pairing.exchange import GuestExchange
from p4.core.pairing.secrets import PairingSecret
from p4.errors import PairingError, RendezvousError
from p4.ports.pairing import MeetingKind
from p4.testing import SimulatedNetwork, simulate, start_node

DAY = 86_400


async def ended(invite: object) -> str:
    with pytest.raises(PairingError) as caught:
        await asyncio.wait_for(invite.wait(), 1)  # type: ignore[attr-defined]
    return caught.value.code


@pytest.mark.parametrize("restarts", [False, True])
def test_a_clock_that_is_set_back_lengthens_no_life(restarts: bool) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice = await start_node(network, "alice")
        invite = await alice.invites.create()
        await invite.wait_findable()
        if restarts:
            network.host("alice").crash()
        network.host("alice").clock.jump(-30 * DAY)
        if restarts:
            alice = await start_node(network, "alice")
            assert network.host("alice").clock.wall_ms() < invite.created_ms
            [invite] = alice.invites.list()
        await asyncio.sleep(limits.PAIRING_SECONDS + 1)
        assert await ended(invite) == "expired"
        assert alice.invites.list() == []

    simulate(scenario, seed=1)


def test_a_guest_that_was_removed_does_not_come_again_by_its_claim() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice = await start_node(network, "alice")
        for number, forget in enumerate((alice.remove_contact, alice.lifecycle.block)):
            invite = await alice.invites.create()
            await invite.wait_findable()
            guest = Visitor(network, f"guest{number}", secret_of(invite.text))
            assert b"proof" in await guest.try_once(guest.secret)
            assert invite.code == "claimed"
            await forget(guest.identity.peer_id)
            assert await ended(invite) == "cancelled"
            with pytest.raises(RendezvousError):
                await guest.try_once(guest.secret)
        assert [peer.blocked for peer in alice.peers()] == [True]

    simulate(scenario, seed=2)


def test_a_link_ends_with_the_key_that_it_names_and_words_do_not() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await start_node(network, "alice"), await start_node(network, "bob")
        link, words = await alice.invites.create(), await alice.invites.create(kind="words")
        alice.lifecycle.rotate()
        assert await ended(link) == "rotated"
        with pytest.raises(PairingError) as refused:
            await bob.pair(link.text, patience=5)
        assert refused.value.code != "impostor", "nobody is accused of it"
        peer = await bob.pair(words.text)
        assert peer.contact.public_key == alice.lifecycle.rotation.public_key
        await asyncio.wait_for(peer.wait_connected(), 60)

    simulate(scenario, seed=3)


@pytest.mark.parametrize("who", ["host", "guest"])
def test_nobody_stores_a_key_that_was_changed_meanwhile(who: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would never learn of the new one: statements are for contacts that were there before."""

    async def scenario(network: SimulatedNetwork) -> None:
        alice, bob = await start_node(network, "alice"), await start_node(network, "bob")
        invite = await alice.invites.create(kind="words")
        side, name = (alice, "proof") if who == "host" else (bob, "take_proof")
        honest = getattr(GuestExchange, name)

        def rotating(self: GuestExchange, *line: bytes) -> object:
            monkeypatch.setattr(GuestExchange, name, honest)
            side.lifecycle.rotate()
            return honest(self, *line)

        monkeypatch.setattr(GuestExchange, name, rotating)
        with pytest.raises(PairingError) as refused:
            await bob.pair(invite.text)
        assert refused.value.code == ("ended" if who == "host" else "rotated")
        assert bob.peers() == []
        if who == "host":
            assert alice.peers() == []
            assert invite.code == "open", "nothing was compared"
            assert (await bob.pair(invite.text)).peer_id == alice.lifecycle.rotation.peer_id

    simulate(scenario, seed=4)


def test_a_wrong_guess_after_the_right_one_does_not_deny_that_a_guest_was_stored() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        network.move("alice", "192.168.1.1")
        network.move("eve", "192.168.1.2")
        network.move("bob", "192.168.1.3")
        alice = await start_node(network, "alice")
        invite = await alice.invites.create(kind="local-words")
        await invite.wait_findable()
        bob = Visitor(network, "bob", secret_of(invite.text))
        eve = Visitor(network, "eve", PairingSecret(bob.secret.place, b"a guess"))
        assert b"proof" in await bob.try_once(bob.secret, MeetingKind.LAN)
        assert b"wrong" in await eve.try_once(eve.secret, MeetingKind.LAN)
        assert [peer.peer_id for peer in alice.peers()] == [bob.identity.peer_id]
        assert await ended(invite) == "unconfirmed"

    simulate(scenario, seed=5)


def test_two_codes_for_the_local_network_never_share_a_shelf() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        network.move("alice", "192.168.1.1")
        alice = await start_node(network, "alice")
        most = limits.PAIRING_LOCAL_INVITES
        invites = [await alice.invites.create(kind="local-words") for _ in range(most)]
        assert len({invite.secret.tag for invite in invites}) == len(invites)
        codes = set()
        for _ in range(20):  # a free shelf may be met by chance, until there is none
            try:
                invites.append(await alice.invites.create(kind="local-words"))
            except PairingError as error:
                codes.add(error.code)
        assert codes == {"too-many"}
        assert len({invite.secret.tag for invite in invites}) == len(invites)

    simulate(scenario, seed=6)
