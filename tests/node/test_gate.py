"""Who is admitted, who needs the open address, and which address is dialled (spec/gate.md)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field

import pytest

from p4.core import limits
from p4.core.address import RendezvousAddress, Transport
from p4.core.contacts import Contact
from p4.core.gate import GateRecord, gate_public_key
from p4.core.identity import Identity, PeerId
from p4.core.session.gate_frames import GATE, Gate, GateFrame, GateKept
from p4.errors import RendezvousError
from p4.node.dialler import Dialler
from p4.node.gate import GateKeeper
from p4.ports import SignalStream
from p4.testing import MemoryDisk, MemoryStore, SeededEntropy, run


def onion(name: str) -> RendezvousAddress:
    key = hashlib.sha256(name.encode()).digest()
    checksum = hashlib.sha3_256(b".onion checksum" + key + b"\x03").digest()[:2]
    host = base64.b32encode(key + checksum + b"\x03").decode().lower()
    return RendezvousAddress(Transport.ONION, f"{host}.onion", 80)


def contact(name: str) -> Contact:
    identity = Identity(hashlib.sha256(name.encode()).digest())
    return Contact(identity.peer_id, identity.public_key, onion(f"{name}, open"), name)


class Gated:
    """Notes what it shall publish."""

    def __init__(self, name: str) -> None:
        self.gated_address = onion(f"{name}, gate")
        self.states: list[tuple[frozenset[bytes], bool]] = []
        self.keys: dict[str, bytes] = {}

    async def admit(self, keys: Iterable[bytes], *, open_too: bool) -> None:
        self.states.append((frozenset(keys), open_too))

    def is_open(self) -> bool:
        return self.states[-1][1]

    def take_key(self, address: RendezvousAddress, private_key: bytes) -> None:
        self.keys[address.host] = private_key

    @property
    def now(self) -> tuple[frozenset[bytes], bool]:
        return self.states[-1]


class Doors(Dialler):
    """Dials nothing: says how each address answers."""

    def __init__(self, answers: dict[RendezvousAddress, str]) -> None:
        super().__init__(())
        self.answers = answers
        self.dialled: list[RendezvousAddress] = []

    async def dial(self, address: RendezvousAddress, *, fresh: bool) -> SignalStream:
        self.dialled.append(address)
        if code := self.answers.get(address):
            raise RendezvousError("not reached", code=code)
        return None  # type: ignore[return-value] # nobody looks at it


@dataclass
class Wire:
    """One direction of a link."""

    far: Callable[[GateFrame], None]
    capabilities: frozenset[str] = frozenset({GATE})
    sent: list[GateFrame] = field(default_factory=list)

    def send_whole(self, frame: GateFrame) -> None:
        self.sent.append(frame)
        asyncio.get_running_loop().call_soon(self.far, frame)


class Side:
    """One node's keeper, on a disk of its own."""

    def __init__(self, name: str, *others: str, disk: MemoryDisk | None = None) -> None:
        self.me = contact(name)
        self.gated = Gated(name)
        self.contacts: list[Contact] = [contact(other) for other in others]
        self.absent: set[PeerId] = set()
        self.store = MemoryStore(disk)
        self.failures: list[BaseException] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.keeper = GateKeeper(
            self.gated, self.store, SeededEntropy(hash(name)), self, self.spawn, always_open=False
        )

    def get(self, peer_id: PeerId) -> Contact | None:
        found = (each for each in self.contacts if each.peer_id == peer_id)
        return None if peer_id in self.absent else next(found, None)

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def start(self) -> None:
        await self.store.open()
        peers = await self.store.load_peers()
        self.keeper.load({peer_id: record.gate for peer_id, record in peers.items()})
        await self.keeper.start()

    async def rest(self) -> None:
        """Let everything happen that is under way."""
        await asyncio.sleep(0.01)
        while self.tasks:
            await asyncio.gather(*self.tasks)
            await asyncio.sleep(0.01)


def join(one: Side, other: Side) -> tuple[Wire, Wire]:
    """A link between two; whatever is sent arrives a moment later."""
    there = Wire(lambda frame: other.keeper.handle(one.me.peer_id, frame))
    back = Wire(lambda frame: one.keeper.handle(other.me.peer_id, frame))
    one.keeper.link_up(other.me.peer_id, there)
    other.keeper.link_up(one.me.peer_id, back)
    return there, back


async def rest(*sides: Side) -> None:
    for _ in range(3):
        for side in sides:
            await side.rest()


def test_a_link_makes_two_contacts_gated_and_a_restart_keeps_it() -> None:
    async def scenario() -> None:
        ann, bob = Side("ann", "bob"), Side("bob", "ann")
        await ann.start()
        await bob.start()
        assert ann.gated.now == (frozenset(), True)
        doors = Doors({})
        await ann.keeper.dial(doors, ann.contacts[0], fresh=False)
        assert doors.dialled == [bob.me.rendezvous]

        join(ann, bob)
        await rest(ann, bob)
        key = ann.keeper.record(bob.me.peer_id).own_key
        assert bob.gated.now == (frozenset({gate_public_key(key)}), True)  # it lingers
        await ann.keeper.dial(doors, ann.contacts[0], fresh=False)
        assert doors.dialled[-1] == bob.gated.gated_address
        assert ann.gated.keys[bob.gated.gated_address.host] == key
        await asyncio.sleep(limits.GATE_OPEN_SECONDS + 1)
        assert bob.gated.now[1] is False

        again = Side("bob", "ann", disk=bob.store.disk)
        await bob.store.close()
        await again.start()
        assert again.gated.states == [(frozenset({gate_public_key(key)}), False)]
        assert again.keeper.record(ann.me.peer_id) == bob.keeper.record(ann.me.peer_id)

    run(scenario())


def test_who_has_not_confirmed_keeps_the_open_address_open() -> None:
    async def scenario() -> None:
        ann = Side("ann", "bob", "old")
        await ann.start()
        link = Wire(lambda frame: None)
        ann.keeper.link_up(contact("bob").peer_id, link)
        await ann.rest()
        (told,) = link.sent
        assert isinstance(told, Gate)
        assert told.rendezvous == ann.gated.gated_address
        # Its key and its gate arrive, its confirmation does not.
        ann.keeper.handle(contact("bob").peer_id, Gate.at(b"k" * 32, onion("bob, gate")))
        await ann.rest()
        assert link.sent[-1] == GateKept(b"k" * 32)
        assert ann.gated.now == (frozenset({b"k" * 32}), True)
        assert not ann.keeper.record(contact("bob").peer_id).passable
        # One for another key says nothing; the right one leaves the other contact, who is of version 1.
        ann.keeper.handle(contact("bob").peer_id, GateKept(b"x" * 32))
        await ann.rest()
        assert not ann.keeper.record(contact("bob").peer_id).passable
        ann.keeper.handle(contact("bob").peer_id, GateKept(told.key))
        await asyncio.sleep(2 * limits.GATE_OPEN_SECONDS)
        assert ann.keeper.record(contact("bob").peer_id).passable
        assert ann.gated.now[1] is True
        ann.contacts.pop()
        ann.keeper.contacts_changed()
        await asyncio.sleep(limits.GATE_OPEN_SECONDS + 1)
        assert ann.gated.now == (frozenset({b"k" * 32}), False)

    run(scenario())


def test_blocked_and_removed_contacts_are_admitted_no_more() -> None:
    async def scenario() -> None:
        ann, bob = Side("ann", "bob"), Side("bob", "ann")
        await ann.start()
        await bob.start()
        join(ann, bob)
        await rest(ann, bob)
        (key,) = ann.gated.now[0]
        ann.absent.add(bob.me.peer_id)
        ann.keeper.contacts_changed()
        await ann.rest()
        assert ann.gated.now[0] == frozenset()
        ann.absent.clear()
        ann.keeper.contacts_changed()
        await ann.rest()
        assert ann.gated.now[0] == {key}
        ann.contacts.clear()
        ann.keeper.contacts_changed()
        await ann.rest()
        assert ann.gated.now[0] == frozenset()
        assert ann.keeper.record(bob.me.peer_id) == GateRecord()
        # What still comes in from it changes nothing, on disk neither.
        ann.keeper.handle(bob.me.peer_id, Gate.at(b"n" * 32, onion("bob, gate")))
        await ann.rest()
        assert ann.gated.now[0] == frozenset()

    run(scenario())


@pytest.mark.parametrize("code", ["authorization-missing", "authorization-wrong", "no-descriptor"])
def test_a_gate_that_is_shut_leads_to_the_address_of_the_invite_and_no_other_failure_does(code: str) -> None:
    async def scenario() -> None:
        ann, bob = Side("ann", "bob"), Side("bob", "ann")
        await ann.start()
        await bob.start()
        join(ann, bob)
        await rest(ann, bob)
        shut = Doors({bob.gated.gated_address: code})
        await ann.keeper.dial(shut, ann.contacts[0], fresh=True)
        assert shut.dialled == [bob.gated.gated_address, bob.me.rendezvous]
        for other in ("timeout", "introduction-failed", "tor-down", "circuit-failed"):
            gone = Doors({bob.gated.gated_address: other})
            with pytest.raises(RendezvousError) as caught:
                await ann.keeper.dial(gone, ann.contacts[0], fresh=True)
            assert caught.value.code == other
            assert gone.dialled == [bob.gated.gated_address]

    run(scenario())


def test_a_contact_that_was_paired_with_its_gate_has_no_open_address() -> None:
    async def scenario() -> None:
        ann = Side("ann")
        await ann.start()
        bob = contact("bob")
        gate = onion("bob, gate")
        ann.contacts.append(Contact(bob.peer_id, bob.public_key, gate, "bob"))
        await ann.keeper.paired(bob.peer_id, gate, own_key=b"o" * 32, admitted_key=b"a" * 32)
        assert ann.gated.now == (frozenset({b"a" * 32}), False)
        shut = Doors({gate: "authorization-wrong"})
        with pytest.raises(RendezvousError):
            await ann.keeper.dial(shut, ann.contacts[0], fresh=False)
        assert shut.dialled == [gate]

    run(scenario())


def test_an_older_program_in_its_place_needs_the_open_address_again() -> None:
    async def scenario() -> None:
        ann, bob = Side("ann", "bob"), Side("bob", "ann")
        await ann.start()
        await bob.start()
        join(ann, bob)
        await rest(ann, bob)
        await asyncio.sleep(limits.GATE_OPEN_SECONDS + 1)
        assert not ann.gated.is_open()
        ann.keeper.link_up(bob.me.peer_id, Wire(lambda frame: None, frozenset()))
        await ann.rest()
        assert ann.gated.is_open()
        doors = Doors({})
        await ann.keeper.dial(doors, ann.contacts[0], fresh=False)
        assert doors.dialled == [bob.me.rendezvous]

    run(scenario())


def test_no_more_are_admitted_than_fit_and_a_flood_of_keys_counts_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "GATE_KEYS", 2)

    async def scenario() -> None:
        ann = Side("ann", "bob", "carl")
        await ann.start()
        links = {name: Wire(lambda frame: None) for name in ("bob", "carl")}
        for name, link in links.items():
            ann.keeper.link_up(contact(name).peer_id, link)
        await ann.rest()
        for number in range(5):
            ann.keeper.handle(contact("bob").peer_id, Gate.at(bytes([number]) * 32, onion("bob, gate")))
        await ann.rest()
        ann.keeper.handle(contact("carl").peer_id, Gate.at(b"c" * 32, onion("carl, gate")))
        await ann.rest()
        assert ann.gated.now == (frozenset({bytes(32)}), True)
        assert [type(frame) for frame in links["bob"].sent] == [Gate, GateKept]
        assert [type(frame) for frame in links["carl"].sent] == [Gate]

    run(scenario())


def test_who_is_paired_when_the_gate_is_full_keeps_the_open_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "GATE_KEYS", 2)

    async def scenario() -> None:
        ann = Side("ann", "bob", "carl")
        await ann.start()
        for name in ("bob", "carl"):
            gate = onion(f"{name}, gate")
            key = name.encode().ljust(32)
            await ann.keeper.paired(contact(name).peer_id, gate, own_key=b"o" * 32, admitted_key=key)
        assert ann.gated.now == (frozenset({b"bob".ljust(32)}), True)
        await asyncio.sleep(2 * limits.GATE_OPEN_SECONDS)
        assert ann.gated.is_open()
        assert ann.keeper.record(contact("carl").peer_id).passable

    run(scenario())


def test_a_node_without_a_gate_says_and_does_nothing() -> None:
    async def scenario() -> None:
        side = Side("ann", "bob")
        keeper = GateKeeper(None, side.store, SeededEntropy(1), side, side.spawn, always_open=True)
        await keeper.start()
        link = Wire(lambda frame: None)
        keeper.link_up(contact("bob").peer_id, link)
        keeper.contacts_changed()
        assert (keeper.capabilities, keeper.address) == (frozenset(), None)
        doors = Doors({})
        await keeper.dial(doors, side.contacts[0], fresh=False)
        assert doors.dialled == [contact("bob").rendezvous]
        assert link.sent == []

    run(scenario())
