"""Keys rotate while contacts are away, crash and talk: nobody is lost, nothing is lost or doubled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from p4.core.identity import Identity
from p4.core.own_keys import OwnKeys
from p4.core.rotation import RotationStatement
from p4.core.trust import Verification
from p4.errors import ContactError
from p4.node.events import NodeWarning
from p4.node.node import BaseNode
from p4.node.peer_trust import comparison_words
from p4.testing import SimulatedNetwork, simulate, simulated_identity, start_node
from p4.testing.virtual_time import VirtualTimeError

LAPTOP, PHONE = "laptop", "phone"


async def until(true: Callable[[], bool]) -> None:
    """Wait for it, in virtual time."""
    while not true():  # noqa: ASYNC110 - virtual time passes at once, and nothing tells of it
        await asyncio.sleep(0.05)


async def settled(node: BaseNode) -> None:
    """Every contact has confirmed the key."""
    await until(lambda: not node.lifecycle.rotation.waiting)


async def used(node: BaseNode, contact: str) -> None:
    """The contact has signed with its new key, and the former one is of no use any more."""

    def settled_here() -> bool:
        trust = node.peer(contact).contact.trust
        return bool(trust.rotations) and not trust.waning

    await until(settled_here)


def key(node: BaseNode) -> bytes:
    return node.lifecycle.rotation.public_key


def words_of(node: BaseNode, contact: str) -> tuple[str, ...]:
    """As `Peer.verification_words`, without a thread, of which virtual time knows nothing."""
    peer = node.peer(contact)
    ours = node.lifecycle.ring.signer_for(peer.peer_id).public_key
    return comparison_words(ours, peer.contact.public_key)


class Reader:
    """Takes every message of a node and keeps it."""

    def __init__(self, network: SimulatedNetwork, place: str, into: list[object]) -> None:
        self._network, self._place, self.into = network, place, into

    async def start(self, *contacts: str) -> BaseNode:
        node = await start_node(self._network, self._place, *contacts)
        self._network.host(self._place).spawn(self._read(node))
        return node

    async def _read(self, node: BaseNode) -> None:
        async for message in node.messages():
            if message.value not in self.into:  # what was not done before a crash comes again
                self.into.append(message.value)
            await message.done()


def test_a_linked_contact_follows_and_keeps_everything() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop = await start_node(network, LAPTOP, PHONE)
        phone = await start_node(network, PHONE, LAPTOP)
        await phone.peer(LAPTOP).wait_connected()
        await phone.peer(LAPTOP).grant("notes")
        phone.lifecycle.set_verified(LAPTOP)
        before, known_as = key(laptop), phone.peer(LAPTOP).peer_id
        state = laptop.lifecycle.rotate()
        assert [contact.name for contact in state.waiting] == [PHONE]
        assert state.public_key != before
        await settled(laptop)
        await used(phone, LAPTOP)
        contact = phone.peer(LAPTOP).contact
        assert contact.public_key == key(laptop)
        assert (contact.peer_id, contact.name) == (known_as, LAPTOP)
        assert contact.verification is Verification.ROTATED
        assert phone.peer(LAPTOP).grants == ("chat", "ping", "notes")
        assert laptop.lifecycle.rotation.kept_keys == 0, "nobody needs the old private key"
        assert words_of(laptop, PHONE) == words_of(phone, LAPTOP)
        for node, other in ((laptop, PHONE), (phone, LAPTOP)):
            node.peer(other).drop()
        await asyncio.sleep(1)
        await laptop.peer(PHONE).wait_connected()
        assert laptop.peer_id != known_as, "new contacts learn the new id"

    for seed in range(5):
        simulate(scenario, seed=seed, limit=20_000)


@pytest.mark.parametrize("rotates", [LAPTOP, PHONE])
def test_a_contact_that_was_away_for_months_follows_when_it_returns(rotates: str) -> None:
    other = PHONE if rotates == LAPTOP else LAPTOP

    async def scenario(network: SimulatedNetwork) -> None:
        nodes = {name: await start_node(network, name, *{LAPTOP, PHONE} - {name}) for name in (LAPTOP, PHONE)}
        await nodes[rotates].peer(other).wait_connected()
        network.host(other).crash()
        for _ in range(3):
            nodes[rotates].lifecycle.rotate()
        await nodes[rotates].peer(other).send("while you were away")
        await asyncio.sleep(7200)
        network.host(rotates).crash()
        node = await start_node(network, rotates)
        texts: list[object] = []
        back = await Reader(network, other, texts).start()
        await settled(node)
        await used(back, rotates)
        assert back.peer(rotates).contact.public_key == key(node)
        assert len(back.peer(rotates).contact.trust.rotations) == 3
        await until(lambda: bool(texts))
        assert texts == ["while you were away"]

    simulate(scenario, seed=rotates, limit=20_000)


def in_disorder(seed: int) -> None:
    """Both sides rotate and send while both are killed again and again, and the network breaks."""

    async def scenario(network: SimulatedNetwork) -> None:
        got: dict[str, list[object]] = {LAPTOP: [], PHONE: []}
        sent: dict[str, list[str]] = {LAPTOP: [], PHONE: []}
        readers = {name: Reader(network, name, got[name]) for name in got}
        nodes = {LAPTOP: await readers[LAPTOP].start(PHONE), PHONE: await readers[PHONE].start(LAPTOP)}
        chance = network.world.random
        for number in range(40):
            name = chance.choice([LAPTOP, PHONE])
            other = PHONE if name == LAPTOP else LAPTOP
            what = chance.random()
            if what < 0.2:
                nodes[name].lifecycle.rotate()
            elif what < 0.45:
                network.host(name).crash()
                nodes[name] = await readers[name].start()
            elif what < 0.55:
                network.break_links()
            else:
                await nodes[name].peer(other).send(f"{name} {number}")
                sent[name].append(f"{name} {number}")
            await asyncio.sleep(chance.choice([0, 0.01, 0.1, 0.5, 2]))
        while got[LAPTOP] != sent[PHONE] or got[PHONE] != sent[LAPTOP]:
            assert len(got[LAPTOP]) <= len(sent[PHONE]) + 40
            await asyncio.sleep(0.5)
            assert network.world.now() < 2500, (got, sent)
        for name, other in ((LAPTOP, PHONE), (PHONE, LAPTOP)):
            await settled(nodes[name])
            assert nodes[other].peer(name).contact.public_key == key(nodes[name])

    simulate(scenario, seed=seed, limit=3_000)


@pytest.mark.parametrize("seed", range(12))
def test_crashes_at_any_moment_lose_and_double_nothing(seed: int) -> None:
    in_disorder(seed)


def _the_old_key_is_forgotten_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OwnKeys, "signer_for", lambda self, contact: self.current)
    monkeypatch.setattr(OwnKeys, "readers_for", lambda self, contact: (self.current,))


def _what_a_contact_confirmed_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OwnKeys, "confirmed", lambda self, contact, public_key: self)


def _the_id_follows_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OwnKeys, "name_for", lambda self, contact: self.current.peer_id)


def _all_seeds() -> None:
    for seed in range(12):
        in_disorder(seed)


@pytest.mark.parametrize(
    "mutant",
    [
        _the_old_key_is_forgotten_at_once,
        _what_a_contact_confirmed_is_not_kept,
        _the_id_follows_the_key,
    ],
)
def test_a_mutant_is_caught(
    mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    with pytest.raises((AssertionError, VirtualTimeError)):
        _all_seeds()


def test_a_contact_that_forgot_us_pairs_again_under_the_new_id() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop = await start_node(network, LAPTOP, PHONE)
        phone = await start_node(network, PHONE, LAPTOP)
        await laptop.peer(PHONE).wait_connected()
        laptop.lifecycle.rotate()
        await settled(laptop)
        with pytest.raises(ContactError) as caught:
            phone.add_contact(laptop.invite(), "another")
        assert caught.value.code == "known-before-rotation"
        await phone.remove_contact(LAPTOP)
        phone.add_contact(laptop.invite(), LAPTOP)
        assert phone.peer(LAPTOP).peer_id == laptop.peer_id
        await phone.peer(LAPTOP).send("again")
        assert (await anext(laptop.messages())).value == "again"
        await laptop.peer(PHONE).send("and back")
        assert (await anext(phone.messages())).value == "and back"

    for seed in range(5):
        simulate(scenario, seed=seed)


def test_a_thief_with_the_former_key_is_refused_and_shown() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop = await start_node(network, LAPTOP, PHONE)
        phone = await start_node(network, PHONE, LAPTOP)
        await laptop.peer(PHONE).wait_connected()
        laptop.lifecycle.rotate()
        await settled(laptop)
        await used(phone, LAPTOP)
        network.host(LAPTOP).crash()
        del network.keys[LAPTOP]  # an old backup: the former key, and no word of the rotation
        warnings = phone.events()
        thief = await start_node(network, LAPTOP)
        assert key(thief) == simulated_identity(LAPTOP).public_key
        async for event in warnings:
            if isinstance(event, NodeWarning) and "former key" in event.text:
                break
        await asyncio.sleep(120)
        assert not phone.peer(LAPTOP).connected
        assert not thief.peer(PHONE).connected

    simulate(scenario)


def test_of_two_rotations_the_first_wins_and_both_sides_are_told() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop = await start_node(network, LAPTOP, PHONE)
        phone = await start_node(network, PHONE, LAPTOP)
        await laptop.peer(PHONE).wait_connected()
        phone_warns, stolen = phone.events(), Identity(bytes(range(32)))
        # What a thief with the old key had the phone take over, while it has not used its new key yet.
        theirs = RotationStatement.make(simulated_identity(LAPTOP), stolen, now_ms=1)
        contact = phone.peer(LAPTOP).contact
        phone.lifecycle._take_over(contact.with_key(theirs))
        laptop_warns = laptop.events()
        laptop.lifecycle.rotate()
        async for event in laptop_warns:
            if isinstance(event, NodeWarning) and "did not take over" in event.text:
                break
        async for event in phone_warns:
            if isinstance(event, NodeWarning) and "second successor" in event.text:
                break
        assert phone.peer(LAPTOP).contact.public_key == stolen.public_key

    simulate(scenario)
