"""New keys: ours, of which contacts are told, and theirs, which we take over (spec/rotation.md)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Protocol

from p4.core.contacts import Contact
from p4.core.identity import PeerId
from p4.core.rotation import RotationStatement
from p4.core.session.rotation_frames import ROTATE, Rotate, Rotated, RotatedOutcome, RotationFrame
from p4.core.trust import Outcome
from p4.errors import LinkError, RemoteError, StateError
from p4.node.key_ring import KeyRing
from p4.ports import Clock

__all__ = ["KeyChanges", "KeyHolder", "RotationCarrier"]

_log = logging.getLogger(__name__)


class RotationCarrier(Protocol):
    """The link in service, as far as rotations need it."""

    @property
    def capabilities(self) -> frozenset[str]:
        """What the contact announced for this link."""

    def send_whole(self, frame: RotationFrame) -> None:
        """Send a frame that never comes in parts, at once. Raises LinkError."""

    def fail(self, reason: str) -> None:
        """End the link; a new one follows."""


class KeyHolder(Protocol):
    """A contact, as far as its keys are concerned; `p4.node.peer.Peer` is one."""

    contact: Contact

    def announce(self) -> None:
        """Tell the contact what we announce, if that costs no new stream: signed with the key of today."""


class KeyChanges:
    """Both sides of rotations for one node.

    Args:
        ring: our own keys.
        find: the contact with an id, None if there is none.
        contacts: all contacts, blocked ones too.
        replace: puts a changed contact into the book, on disk when it returns; raises StateError.
        renew: makes everything of a contact anew, after our name for it has changed.
        warn: tells our user, in sentences.
    """

    def __init__(
        self,
        ring: KeyRing,
        clock: Clock,
        *,
        find: Callable[[PeerId], KeyHolder | None],
        contacts: Callable[[], Iterable[Contact]],
        replace: Callable[[Contact], None],
        renew: Callable[[PeerId], None],
        warn: Callable[[str], None],
    ) -> None:
        self._ring = ring
        self._clock = clock
        self._find = find
        self._contacts = contacts
        self._replace = replace
        self._renew = renew
        self._warn = warn
        self._links: dict[PeerId, RotationCarrier] = {}
        self._warned: set[tuple[PeerId, str]] = set()

    # -- links -----------------------------------------------------------------------------------------------

    def link_up(self, peer_id: PeerId, link: RotationCarrier) -> None:
        """A link of a contact is in service; what opens a session has been sent on it."""
        if ROTATE in link.capabilities:
            self._links[peer_id] = link
            self._tell(peer_id)

    def link_down(self, peer_id: PeerId) -> None:
        """It is over."""
        self._links.pop(peer_id, None)

    def handle(self, peer_id: PeerId, frame: RotationFrame) -> None:
        """A frame of a contact arrived on its proven link."""
        link, holder = self._links.get(peer_id), self._find(peer_id)
        if link is None or holder is None:
            return
        try:
            match frame:
                case Rotate(statement):
                    self._received(holder, link, statement)
                case Rotated(new_key, outcome):
                    self._answered(holder, new_key, outcome)
        except StateError as error:
            # Nothing was recorded and nothing confirmed: the next link brings it again.
            self._warn(error.message)

    # -- our own keys ----------------------------------------------------------------------------------------

    def announce(self) -> None:
        """We have another key: tell contacts that are linked; the others learn of it on their next link."""
        for peer_id in list(self._links):
            self._tell(peer_id)

    def own_key_used(self, peer_id: PeerId, public_key: bytes) -> None:
        """A contact encrypted to one of our keys, so it has taken that over."""
        try:
            self._ring.confirm(peer_id, public_key, now_ms=self._clock.wall_ms())
        except StateError as error:
            _log.warning("%s", error.message)

    def _tell(self, peer_id: PeerId) -> None:
        link = self._links[peer_id]
        try:
            for statement in self._ring.owed_to(peer_id):
                link.send_whole(Rotate(statement.encoded))
        except LinkError as error:
            link.fail(error.message)

    def _answered(self, holder: KeyHolder, new_key: bytes, outcome: RotatedOutcome) -> None:
        contact = holder.contact
        if not any(owed.new_key == new_key for owed in self._ring.owed_to(contact.peer_id)):
            return
        if outcome is RotatedOutcome.TAKEN:
            self._ring.confirm(contact.peer_id, new_key, now_ms=self._clock.wall_ms())
            if not self._ring.owed_to(contact.peer_id):
                holder.announce()  # signed with the new key: the old one ends for this contact
            return
        reason = (
            "it has taken over another one that the old key signed for. Either an old copy of this device "
            "was used, or somebody has stolen the old key"
            if outcome is RotatedOutcome.CONFLICT
            else "its node refuses it"
        )
        self._warn_once(
            contact,
            f"our {outcome.name}",
            f"{contact.label} did not take over the new key of this device: {reason}. Talk to its owner, "
            "remove each other and pair again.",
        )

    def known_anew(self, peer_id: PeerId) -> None:
        """A contact calls us by our present id instead of an earlier one: it forgot us and paired again."""
        try:
            self._ring.forget(peer_id, now_ms=self._clock.wall_ms())
        except StateError as error:
            _log.warning("%s", error.message)
        else:
            self._renew(peer_id)

    # -- theirs ----------------------------------------------------------------------------------------------

    def contact_key_used(self, peer_id: PeerId, sent_ms: int) -> None:
        """A contact has signed with its present key, at this time: those before it count no more."""
        holder = self._find(peer_id)
        if holder is not None and holder.contact.trust.waning:
            try:
                self._replace(holder.contact.with_settled_key(sent_ms))
            except StateError as error:
                _log.warning("%s", error.message)

    def retired_key_used(self, contact: Contact, sent_ms: int) -> None:
        """Somebody signed as a contact, at this time, with a key from which it has rotated."""
        if sent_ms <= contact.trust.settled_ms:
            return  # it is from before, and late, or somebody repeats what he recorded
        self._warn_once(
            contact,
            "retired",
            f"Somebody uses the former key of {contact.label}, which has rotated to another one. Nothing of "
            "it was accepted. Either an old copy or backup of that device is running, or its former key was "
            f"stolen. If {contact.label} cannot be reached any more, it may be the thief who rotated: "
            "compare the words of `p4 verify` with its owner.",
        )

    def _received(self, holder: KeyHolder, link: RotationCarrier, data: bytes) -> None:
        contact = holder.contact
        try:
            statement = RotationStatement.parse(data)
        except RemoteError as error:
            _log.warning("%s sent a statement that is refused: %s", contact.label, error.message)
            self._answer(link, data[32:64], RotatedOutcome.REFUSED)
            return
        outcome = contact.trust.consider(statement, contact.public_key)
        if outcome is Outcome.TAKEN and self._belongs_to_another(statement.new_key, contact.peer_id):
            outcome = Outcome.FOREIGN
        match outcome:
            case Outcome.TAKEN:
                self._replace(contact.with_key(statement))
                verified = " Compare the words of `p4 verify` again." if contact.verified else ""
                self._warn(
                    f"{contact.label} has a new key, signed by the one before it. Its name, grants and "
                    f"messages stay as they are.{verified}"
                )
                self._answer(link, statement.new_key, RotatedOutcome.TAKEN)
            case Outcome.KNOWN:
                self._answer(link, statement.new_key, RotatedOutcome.TAKEN)
            case Outcome.CONFLICT:
                self._warn_once(
                    contact,
                    statement.new_key.hex(),
                    f"{contact.label} announced a second successor of a key that has one already. The first "
                    "was kept. Two devices have that key: an old copy of it is in use, or it was stolen. "
                    "Compare the words of `p4 verify` with its owner; if they differ, remove the contact and "
                    "pair again.",
                )
                self._answer(link, statement.new_key, RotatedOutcome.CONFLICT)
            case Outcome.FOREIGN:
                _log.warning("%s sent a statement about another device's key", contact.label)
                self._answer(link, statement.new_key, RotatedOutcome.REFUSED)

    def _belongs_to_another(self, key: bytes, peer_id: PeerId) -> bool:
        ours = any(reader.public_key == key for reader in self._ring.readers())
        return ours or any(
            key in (one.public_key, *one.trust.former_keys)
            for one in self._contacts()
            if one.peer_id != peer_id
        )

    def _answer(self, link: RotationCarrier, new_key: bytes, outcome: RotatedOutcome) -> None:
        try:
            link.send_whole(Rotated(new_key, outcome))
        except LinkError as error:
            link.fail(error.message)

    def _warn_once(self, contact: Contact, what: str, text: str) -> None:
        if (contact.peer_id, what) not in self._warned:
            self._warned.add((contact.peer_id, what))
            self._warn(text)
