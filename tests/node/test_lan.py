"""Contacts on the local network find each other, and nobody else (node/lan.py), on virtual time."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Coroutine

import pytest

from p4.core import limits
from p4.core.address import RendezvousAddress, Transport
from p4.core.identity import Identity, PeerId
from p4.core.lan import announced_tags, filling_key, lan_tag, pair_key, period_of
from p4.node.lan import LanContact, LanPresence
from p4.ports.lan import LanDeparture, LanSighting
from p4.testing import SimulatedHost, SimulatedNetwork, simulate
from p4.testing.simulated_lan import SimulatedDiscovery, SimulatedLan

PORT = 4433
Told = tuple[str, PeerId, tuple[RendezvousAddress, ...]]


def identity(name: str) -> Identity:
    return Identity(hashlib.sha256(name.encode()).digest())


def contact(name: str) -> LanContact:
    return identity(name).peer_id, identity(name).public_key


def at(name: str, port: int = PORT) -> RendezvousAddress:
    return RendezvousAddress(Transport.DIRECT, f"{name}.example", port)


class Member:
    """One node's presence, and what it told."""

    def __init__(self, lan: SimulatedLan, host: SimulatedHost, *contacts: str) -> None:
        self.host = host
        self.me = identity(host.place)
        self.contacts = [contact(name) for name in contacts]
        self.discovery: SimulatedDiscovery = lan.discovery(host)
        self.told: list[Told] = []
        self.times: list[float] = []
        self.presence = LanPresence(
            self.discovery,
            self.me,
            host.clock,
            host.entropy,
            contacts=lambda: self.contacts,
            found=lambda peer_id, addresses: self._tell("found", peer_id, addresses),
            gone=lambda peer_id: self._tell("gone", peer_id, ()),
        )

    def _tell(self, what: str, peer_id: PeerId, addresses: tuple[RendezvousAddress, ...]) -> None:
        self.told.append((what, peer_id, addresses))
        self.times.append(self.host.clock.monotonic())

    async def start(self, port: int = PORT) -> Member:
        await self.host.run(self.presence.start(port))
        return self

    def sees(self, name: str) -> tuple[RendezvousAddress, ...]:
        return self.presence.addresses_of(identity(name).peer_id)


Scenario = Callable[[SimulatedNetwork, SimulatedLan], Coroutine[None, None, None]]


def on_a_lan(scenario: Scenario, *, limit: float = 100_000) -> None:
    async def run(network: SimulatedNetwork) -> None:
        await scenario(network, SimulatedLan(network.world))

    simulate(run, limit=limit)


def tags_of(sender: str, *contacts: str, period: int) -> tuple[bytes, ...]:
    me = identity(sender)
    tags = [lan_tag(pair_key(me, identity(each).public_key), period, me.peer_id) for each in contacts]
    return announced_tags(tags, filling_key(me), period)


def forged(member: Member, sender: str, *contacts: str, name: str, place: str) -> LanSighting:
    tags = tags_of(sender, *contacts, period=period_of(member.host.clock.wall_ms()))
    return LanSighting(name, tags, (f"{place}.example",), PORT)


def test_contacts_find_each_other_and_nobody_else() -> None:
    async def scenario(network: SimulatedNetwork, lan: SimulatedLan) -> None:
        alice = await Member(lan, network.host("alice"), "bob").start()
        bob = await Member(lan, network.host("bob"), "alice", "carol").start()
        carol = await Member(lan, network.host("carol"), "dave").start()  # knows neither
        await asyncio.sleep(2)
        assert alice.told == [("found", identity("bob").peer_id, (at("bob"),))]
        assert bob.told == [("found", identity("alice").peer_id, (at("alice"),))]
        assert carol.told == []

        await bob.host.run(bob.presence.close())
        await asyncio.sleep(limits.LAN_GONE_SECONDS + 1)
        assert alice.told[1:] == [("gone", identity("bob").peer_id, ())]
        assert alice.sees("bob") == ()
        assert len(bob.told) == 1

    on_a_lan(scenario)


def test_they_stay_found_while_names_and_tags_change() -> None:
    async def scenario(network: SimulatedNetwork, lan: SimulatedLan) -> None:
        alice = await Member(lan, network.host("alice"), "bob").start()
        bob = await Member(lan, network.host("bob"), "alice").start()
        shown = set()
        for _ in range(4 * 24):
            await asyncio.sleep(limits.LAN_PERIOD_SECONDS)
            assert bob.discovery.shown is not None
            shown.add((bob.discovery.shown.name, bob.discovery.shown.tags))
            assert alice.sees("bob") == (at("bob"),)
        assert len(shown) == 4 * 24
        assert bob.discovery.announcements in range(4 * 24, 4 * 24 + 3)
        assert len(alice.told) == len(bob.told) == 1

    on_a_lan(scenario)


def test_not_everybody_shows_new_tags_at_the_same_moment() -> None:
    async def scenario(network: SimulatedNetwork, lan: SimulatedLan) -> None:
        names = [f"node{number}" for number in range(8)]
        members = [await Member(lan, network.host(name), "bob").start() for name in names]
        await asyncio.sleep(1)
        begin = -members[0].host.clock.wall_ms() / 1000 % limits.LAN_PERIOD_SECONDS
        await asyncio.sleep(begin + limits.LAN_TICK_SECONDS / 2)
        changed = [member.discovery.announcements for member in members]
        assert set(changed) == {1, 2}

    on_a_lan(scenario)


def test_without_contacts_nothing_is_sent_and_with_the_first_it_begins() -> None:
    async def scenario(network: SimulatedNetwork, lan: SimulatedLan) -> None:
        alice = await Member(lan, network.host("alice")).start()
        bob = await Member(lan, network.host("bob"), "alice").start()
        await asyncio.sleep(2)
        assert not alice.discovery.listening
        assert alice.discovery.announcements == 0

        alice.contacts = [contact("bob")]
        alice.presence.contacts_changed()
        await asyncio.sleep(2)
        assert alice.sees("bob") == (at("bob"),)
        assert bob.sees("alice") == (at("alice"),)

        # Removed, or not to know our addresses any more: at once, and from both sides.
        alice.contacts = []
        alice.presence.contacts_changed()
        await asyncio.sleep(limits.LAN_GONE_SECONDS + 2)
        assert not alice.discovery.listening
        assert [what for what, *_ in alice.told] == [what for what, *_ in bob.told] == ["found", "gone"]

    on_a_lan(scenario)


def test_who_is_no_contact_any_more_is_gone_at_once_and_the_others_stay() -> None:
    async def scenario(network: SimulatedNetwork, lan: SimulatedLan) -> None:
        alice = await Member(lan, network.host("alice"), "bob", "carol").start()
        for name in ("bob", "carol"):
            await Member(lan, network.host(name), "alice").start()
        await asyncio.sleep(2)
        alice.contacts = [contact("carol")]
        alice.presence.contacts_changed()
        await asyncio.sleep(0.01)
        assert alice.told[2:] == [("gone", identity("bob").peer_id, ())]
        lan.forge(forged(alice, "bob", "alice", name="bob again", place="bob"))
        await asyncio.sleep(10)
        assert len(alice.told) == 3
        assert alice.sees("carol") == (at("carol"),)

        alice.contacts = [contact("carol"), contact("bob")]  # and it is still here
        alice.presence.contacts_changed()
        await asyncio.sleep(0.01)
        assert alice.told[3:] == [("found", identity("bob").peer_id, (at("bob"),))]

    on_a_lan(scenario)


def test_one_that_was_seen_before_it_was_a_contact_is_found_when_it_becomes_one() -> None:
    async def scenario(network: SimulatedNetwork, lan: SimulatedLan) -> None:
        await Member(lan, network.host("alice"), "bob").start()
        bob = await Member(lan, network.host("bob"), "carol").start()
        await asyncio.sleep(2)
        bob.contacts.append(contact("alice"))
        bob.presence.contacts_changed()
        await asyncio.sleep(0.01)  # from what it remembers
        assert bob.sees("alice") == (at("alice"),)

    on_a_lan(scenario)


def test_one_side_that_sees_the_other_is_enough_for_a_node_with_thousands() -> None:
    async def scenario(network: SimulatedNetwork, lan: SimulatedLan) -> None:
        others = [f"contact{number}" for number in range(300)]
        hub = await Member(lan, network.host("hub"), *others).start()
        last = await Member(lan, network.host("contact299"), "hub").start()
        await asyncio.sleep(2)
        assert hub.sees("contact299") == (at("contact299"),)
        assert hub.discovery.shown is not None
        assert len(hub.discovery.shown.tags) == limits.LAN_TAGS
        for _ in range(-(-300 // limits.LAN_TURN_TAGS)):
            await asyncio.sleep(limits.LAN_PERIOD_SECONDS)
        assert last.told[0] == ("found", identity("hub").peer_id, (at("hub"),))

    on_a_lan(scenario)


def test_a_node_that_cannot_be_reached_only_looks() -> None:
    async def scenario(network: SimulatedNetwork, lan: SimulatedLan) -> None:
        alice = await Member(lan, network.host("alice"), "bob").start(port=0)
        bob = await Member(lan, network.host("bob"), "alice").start()
        await asyncio.sleep(2)
        assert alice.sees("bob") == (at("bob"),)
        assert bob.told == []

    on_a_lan(scenario)


def test_a_change_of_network_is_not_told_where_nothing_changed() -> None:
    async def scenario(network: SimulatedNetwork, lan: SimulatedLan) -> None:
        alice = await Member(lan, network.host("alice"), "bob").start()
        bob = await Member(lan, network.host("bob"), "alice").start()
        await asyncio.sleep(2)
        alice.presence.network_changed()
        await asyncio.sleep(10)
        assert len(alice.told) == len(bob.told) == 1

        network.partition(["alice"], ["bob"])  # another network
        alice.presence.network_changed()
        await asyncio.sleep(10)
        assert alice.told[1:] == [("gone", identity("bob").peer_id, ())]

    on_a_lan(scenario)


def test_a_contact_that_is_seen_again_was_never_gone() -> None:
    async def scenario(network: SimulatedNetwork, lan: SimulatedLan) -> None:
        alice = await Member(lan, network.host("alice"), "bob").start()
        await asyncio.sleep(1)
        for number in range(20):  # each half is told of before the other can be
            sighting = forged(alice, "bob", "alice", name=f"bob {number}", place="bob")
            lan.forge(sighting)
            await asyncio.sleep(0.1)
            alice.discovery.hear(LanDeparture(sighting.name))
            await asyncio.sleep(limits.LAN_GONE_SECONDS - 0.2)
        assert [what for what, *_ in alice.told] == ["found"]
        await asyncio.sleep(0.3)
        assert [what for what, *_ in alice.told] == ["found", "gone"]
        assert not alice.presence._places

    on_a_lan(scenario)


def test_after_a_crash_the_new_address_is_tried_first() -> None:
    async def scenario(network: SimulatedNetwork, lan: SimulatedLan) -> None:
        alice = await Member(lan, network.host("alice"), "bob").start()
        bob = await Member(lan, network.host("bob"), "alice").start()
        await asyncio.sleep(2)
        bob.host.crash()
        await Member(lan, network.host("bob"), "alice").start(port=5544)
        await asyncio.sleep(3)
        assert alice.sees("bob") == (at("bob", 5544), at("bob"))

    on_a_lan(scenario)


def test_clocks_may_be_most_of_an_hour_apart() -> None:
    async def scenario(network: SimulatedNetwork, lan: SimulatedLan) -> None:
        alice = await Member(lan, network.host("alice"), "bob").start()
        now = period_of(alice.host.clock.wall_ms())
        for off in (-4, 4, -5, 5):
            sighting = LanSighting(
                f"bob {off}", tags_of("bob", "alice", period=now + off), (f"at{off + 9}.example",), PORT
            )
            lan.forge(sighting)
        await asyncio.sleep(3)
        assert alice.sees("bob") == (at("at13"), at("at5"))

    on_a_lan(scenario)


# --- what strangers can do ----------------------------------------------------------------------------------


def test_repeated_announcements_cost_few_addresses_and_few_words() -> None:
    async def scenario(network: SimulatedNetwork, lan: SimulatedLan) -> None:
        alice = await Member(lan, network.host("alice"), "bob").start()
        await asyncio.sleep(1)
        for number in range(1000):
            lan.forge(forged(alice, "bob", "alice", name=f"copy {number}", place=f"trap{number}"))
            await asyncio.sleep(0.01)
        await asyncio.sleep(3)
        assert len(alice.sees("bob")) == limits.LAN_SOURCES
        gaps = [later - earlier for earlier, later in zip(alice.times, alice.times[1:], strict=False)]
        assert min(gaps) >= limits.LAN_FOUND_SECONDS - 1e-3
        assert len(alice.told) <= 2 + 13 / limits.LAN_FOUND_SECONDS

        for number in range(1000):
            lan.forge(forged(alice, "bob", "alice", name=f"copy {number}", place="moved"))
        await asyncio.sleep(3)
        assert alice.sees("bob") == (at("moved"),)

    on_a_lan(scenario)


def test_a_collection_of_contacts_tags_is_nobodys() -> None:
    async def scenario(network: SimulatedNetwork, lan: SimulatedLan) -> None:
        alice = await Member(lan, network.host("alice"), "bob", "carol").start()
        await asyncio.sleep(1)
        mixed = tuple(
            tag
            for sender in ("bob", "carol")
            for tag in forged(alice, sender, "alice", name="", place="trap").tags
        )
        lan.forge(LanSighting("mixed", mixed, ("trap.example",), PORT))
        await asyncio.sleep(3)
        assert alice.told == []

    on_a_lan(scenario)


def test_what_is_remembered_of_strangers_is_bounded() -> None:
    async def scenario(network: SimulatedNetwork, lan: SimulatedLan) -> None:
        alice = await Member(lan, network.host("alice"), "bob").start()
        await asyncio.sleep(1)
        for number in range(10 * limits.LAN_SIGHTINGS):
            tag = hashlib.sha256(str(number).encode()).digest()[: limits.LAN_TAG_BYTES]
            lan.forge(LanSighting(f"stranger {number}", (tag,), ("trap.example",), PORT))
        assert len(alice.presence._strangers) == limits.LAN_SIGHTINGS
        for number in range(10 * limits.LAN_SIGHTINGS):
            alice.discovery.hear(LanDeparture(f"stranger {number}"))
        assert not alice.presence._strangers
        assert not alice.presence._owners

    on_a_lan(scenario)


def test_an_announcement_that_changes_hands_leaves_nothing_behind() -> None:
    async def scenario(network: SimulatedNetwork, lan: SimulatedLan) -> None:
        alice = await Member(lan, network.host("alice"), "bob", "carol").start()
        await asyncio.sleep(1)
        for sender in ("bob", "carol", "mallory", "bob"):
            lan.forge(forged(alice, sender, "alice", name="one name", place=sender))
            await asyncio.sleep(5)
        assert alice.sees("bob") == (at("bob"),)
        assert alice.sees("carol") == ()
        lan.forge(forged(alice, "mallory", "alice", name="one name", place="mallory"))
        await asyncio.sleep(5)
        assert not alice.presence._places
        assert not alice.presence._owners

    on_a_lan(scenario)


def test_the_log_names_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(network: SimulatedNetwork, lan: SimulatedLan) -> None:
        await Member(lan, network.host("alice"), "bob").start()
        await Member(lan, network.host("bob"), "alice").start()
        await asyncio.sleep(1000)

    with caplog.at_level(logging.DEBUG, logger="p4"):
        on_a_lan(scenario)
    assert not caplog.records
