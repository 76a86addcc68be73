"""What a node makes of statements of rotation, true and false ones (spec/rotation.md)."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from p4.core.address import RendezvousAddress, Transport
from p4.core.contacts import Contact
from p4.core.identity import Identity, PeerId
from p4.core.own_keys import OwnKeys
from p4.core.rotation import RotationStatement
from p4.core.session.rotation_frames import ROTATE, Rotate, Rotated, RotatedOutcome, RotationFrame
from p4.core.signaling import Ping, SignalingMessage
from p4.errors import EnvelopeError, StateError
from p4.node.authentication import Authenticator
from p4.node.key_changes import KeyChanges
from p4.node.key_ring import KeyRing
from p4.testing import MemoryStore, SeededEntropy

ME, MINE_NEXT, ANNA, ANNA_NEXT, THIEF, BERT = (Identity(bytes([number] * 32)) for number in range(1, 7))
AT = RendezvousAddress(Transport.DIRECT, "192.0.2.1", 1)
TAKEN, CONFLICT, REFUSED = RotatedOutcome


class Clock:
    def __init__(self) -> None:
        self.now_ms = 1_700_000_000_000

    def monotonic(self) -> float:
        return 1.0

    def wall_ms(self) -> int:
        return self.now_ms


@dataclass
class Holder:
    contact: Contact
    announced: int = 0

    def announce(self) -> None:
        self.announced += 1


@dataclass
class Link:
    sent: list[RotationFrame] = field(default_factory=list)
    capabilities: frozenset[str] = frozenset({ROTATE})

    def send_whole(self, frame: RotationFrame) -> None:
        self.sent.append(frame)

    def fail(self, reason: str) -> None:
        raise AssertionError(reason)


class Side:
    """A node with two contacts, of which Anna has a link."""

    def __init__(self) -> None:
        self.holders = {one.peer_id: Holder(Contact(one.peer_id, one.public_key, AT)) for one in (ANNA, BERT)}
        self.warnings: list[str] = []
        self.full = False
        self.ring = KeyRing(OwnKeys(ME), self._save)
        self.changes = KeyChanges(
            self.ring,
            Clock(),
            find=self.holders.get,
            contacts=lambda: [holder.contact for holder in self.holders.values()],
            replace=self._replace,
            renew=lambda peer_id: None,
            warn=self.warnings.append,
        )
        self.link = Link()
        self.changes.link_up(ANNA.peer_id, self.link)

    @property
    def anna(self) -> Contact:
        return self.holders[ANNA.peer_id].contact

    def _save(self, keys: OwnKeys) -> None:
        self._refuse_if_full()

    def _replace(self, contact: Contact) -> None:
        self._refuse_if_full()
        self.holders[contact.peer_id].contact = contact

    def _refuse_if_full(self) -> None:
        if self.full:
            raise StateError("The disk is full.", path="", code="disk-full")

    def hear(self, old: Identity, new: Identity, sender: PeerId = ANNA.peer_id) -> RotatedOutcome | None:
        statement = RotationStatement.make(old, new, now_ms=5)
        self.changes.handle(sender, Rotate(statement.encoded))
        if not self.link.sent:
            return None
        answer = self.link.sent.pop()
        assert isinstance(answer, Rotated)
        assert answer.new_key == new.public_key
        return answer.outcome


def test_a_true_statement_is_taken_over_once_and_confirmed_again() -> None:
    side = Side()
    assert side.hear(ANNA, ANNA_NEXT) is TAKEN
    assert side.anna.public_key == ANNA_NEXT.public_key
    assert side.hear(ANNA, ANNA_NEXT) is TAKEN, "the answer may have been lost"
    assert len(side.anna.trust.rotations) == 1
    assert len(side.warnings) == 1


def test_nothing_is_confirmed_that_is_not_on_disk() -> None:
    side = Side()
    side.full = True
    assert side.hear(ANNA, ANNA_NEXT) is None
    assert side.anna.public_key == ANNA.public_key
    side.full = False
    assert side.hear(ANNA, ANNA_NEXT) is TAKEN


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (BERT, THIEF),  # about another contact
        (THIEF, ANNA_NEXT),  # about a stranger
        (ANNA, BERT),  # to another contact's key
        (ANNA, ME),  # to ours
    ],
)
def test_a_statement_about_somebody_else_is_refused(old: Identity, new: Identity) -> None:
    side = Side()
    assert side.hear(old, new) is REFUSED
    assert side.anna.public_key == ANNA.public_key
    assert side.holders[BERT.peer_id].contact.public_key == BERT.public_key
    assert not side.warnings


def test_a_forged_statement_is_refused() -> None:
    side = Side()
    good = RotationStatement.make(ANNA, ANNA_NEXT, now_ms=5).encoded
    forged = RotationStatement.make(THIEF, ANNA_NEXT, now_ms=5).encoded
    for data in (good[:-1] + bytes([good[-1] ^ 1]), good[:32] + forged[32:], ANNA.public_key + forged[32:]):
        side.changes.handle(ANNA.peer_id, Rotate(data))
        answer = side.link.sent.pop()
        assert isinstance(answer, Rotated)
        assert answer.outcome is REFUSED
    assert side.anna.public_key == ANNA.public_key


def test_the_first_successor_wins_and_the_second_is_shown_once() -> None:
    side = Side()
    assert side.hear(ANNA, ANNA_NEXT) is TAKEN
    for _ in range(2):
        assert side.hear(ANNA, THIEF) is CONFLICT
    assert side.hear(ANNA_NEXT, ANNA) is CONFLICT, "back to a key that others may have"
    assert side.anna.public_key == ANNA_NEXT.public_key
    assert sum("second successor" in warning for warning in side.warnings) == 2


def test_without_a_link_or_the_capability_nothing_is_sent_or_taken() -> None:
    side = Side()
    assert side.hear(BERT, THIEF, BERT.peer_id) is None
    side.changes.link_down(ANNA.peer_id)
    old = Link(capabilities=frozenset())
    side.changes.link_up(ANNA.peer_id, old)
    side.ring.rotate(MINE_NEXT, [ANNA.peer_id], now_ms=1)
    side.changes.announce()
    assert not old.sent


def test_our_key_is_announced_until_it_is_confirmed_and_then_used() -> None:
    side = Side()
    side.ring.rotate(MINE_NEXT, [ANNA.peer_id], now_ms=1)
    side.changes.announce()
    again = Link()
    side.changes.link_up(ANNA.peer_id, again)
    assert side.link.sent == again.sent
    assert side.ring.signer_for(ANNA.peer_id).public_key == ME.public_key
    side.changes.handle(ANNA.peer_id, Rotated(THIEF.public_key, TAKEN))
    assert side.ring.signer_for(ANNA.peer_id).public_key == ME.public_key, "never announced"
    side.changes.handle(ANNA.peer_id, Rotated(MINE_NEXT.public_key, TAKEN))
    assert side.ring.signer_for(ANNA.peer_id).public_key == MINE_NEXT.public_key
    assert side.ring.name_for(ANNA.peer_id) == ME.peer_id
    assert side.holders[ANNA.peer_id].announced == 1


def test_a_refusal_of_our_key_is_shown_once() -> None:
    side = Side()
    side.ring.rotate(MINE_NEXT, [ANNA.peer_id], now_ms=1)
    for outcome in (CONFLICT, CONFLICT, REFUSED):
        side.changes.handle(ANNA.peer_id, Rotated(MINE_NEXT.public_key, outcome))
    assert len(side.warnings) == 2
    assert side.ring.signer_for(ANNA.peer_id).public_key == ME.public_key


class Guard:
    """Opens what Anna's node signs, as `Side` knows her."""

    def __init__(self) -> None:
        self.side = Side()
        holders = self.side.holders

        def find(peer_id: PeerId) -> Contact | None:
            return holders[peer_id].contact if peer_id in holders else None

        self.mine = Authenticator(ME, MemoryStore(), Clock(), SeededEntropy(1), find, self.side.ring)
        self.mine.key_changes = self.side.changes

    def opens(self, signer: Identity, *, to: Identity = ME, sealed: bool = False, later_ms: int = 0) -> None:
        clock = Clock()
        clock.now_ms += later_ms
        me = Contact(to.known_as or ME.peer_id, to.public_key, AT)
        signer = Identity(signer.seed, ANNA.peer_id)
        anna = Authenticator(signer, MemoryStore(), clock, SeededEntropy(2), lambda _: me)
        message: SignalingMessage = Ping(anna.new_session_id(), None)
        self.mine.open(anna.seal(me.peer_id, message, encrypt_to=to.public_key if sealed else None))


def test_both_keys_of_a_contact_count_until_the_new_one_was_used() -> None:
    guard = Guard()
    guard.side.hear(ANNA, ANNA_NEXT)
    guard.opens(ANNA)
    guard.opens(ANNA, sealed=True)
    assert guard.side.anna.trust.waning == 1
    guard.opens(ANNA_NEXT)
    assert guard.side.anna.trust.waning == 0
    with pytest.raises(EnvelopeError, match="replaced"):
        guard.opens(ANNA)
    assert len(guard.side.warnings) == 1, "of the rotation; what is late or repeated frightens nobody"
    for _ in range(2):
        with pytest.raises(EnvelopeError) as caught:
            guard.opens(ANNA, later_ms=1)
        assert caught.value.code == "retired-key"
    assert sum("former key" in warning for warning in guard.side.warnings) == 1
    with pytest.raises(EnvelopeError) as caught:
        guard.opens(THIEF)
    assert caught.value.code == "bad-signature"


def test_what_is_sealed_to_our_new_key_confirms_it() -> None:
    guard = Guard()
    guard.side.ring.rotate(MINE_NEXT, [ANNA.peer_id], now_ms=1)
    guard.opens(ANNA, sealed=True)
    assert guard.side.ring.owed_to(ANNA.peer_id)
    guard.opens(ANNA, to=Identity(MINE_NEXT.seed, ME.peer_id), sealed=True)
    assert not guard.side.ring.owed_to(ANNA.peer_id)
