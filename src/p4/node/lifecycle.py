"""Contacts and the identity over the years: verified, blocked, rotated (spec/rotation.md)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from p4.core.contacts import Contact
from p4.core.identity import KEY_BYTES, Identity, PeerId
from p4.core.own_keys import OwnKeys
from p4.errors import LocalError
from p4.node.key_changes import KeyChanges
from p4.node.key_ring import KeyRing
from p4.node.parts import NodeParts
from p4.node.peer import Peer
from p4.node.roster import Roster

__all__ = ["Lifecycle", "RotationState"]


@dataclass(frozen=True, slots=True)
class RotationState:
    """Where a rotation of our key stands.

    Args:
        peer_id: our id, as contacts that are paired from now on learn it.
        public_key: our key of today, raw.
        rotations: how often it has been changed.
        waiting: contacts that have not confirmed it, and which we speak to with the key that they know.
        kept_keys: former private keys that are kept for these.
    """

    peer_id: PeerId
    public_key: bytes
    rotations: int
    waiting: tuple[Contact, ...]
    kept_keys: int


class Lifecycle:
    """Decisions of a person about contacts and about this device's own key. `p4.Node.lifecycle`.

    Args:
        changed: told that contacts came, went, or are blocked or not.
        warn: tells our user, in sentences.
        spawn: runs work in the background.
    """

    def __init__(
        self,
        roster: Roster,
        changed: Callable[[], None],
        warn: Callable[[str], None],
        spawn: Callable[[Coroutine[None, None, None]], None],
    ) -> None:
        self._roster = roster
        self._changed = changed
        self._warn = warn
        self._spawn = spawn
        self._parts: NodeParts | None = None
        self._ring: KeyRing | None = None
        self._key_changes: KeyChanges | None = None

    # -- contacts --------------------------------------------------------------------------------------------

    def set_verified(self, reference: str, verified: bool = True) -> Contact:
        """A person has compared the words with the contact's owner, or takes that back; on disk afterwards.

        It holds for the key that the contact has now: after a rotation it counts as verified before.

        Raises:
            ContactError: ``unknown``, ``ambiguous``. StateError: not written.
        """
        peer = self._roster.find(reference)
        return self._roster.replace(peer.contact.with_verified(verified))

    async def block(self, reference: str) -> Contact:
        """End every link with a contact at once and answer it no more than a stranger; on disk afterwards.

        What waits for it and from it stays on disk until it is removed, and so do its grants, which do not
        count meanwhile. The contact is told that we go offline, and nothing after that.

        Raises:
            ContactError: ``unknown``, ``ambiguous``, ``being-removed``. StateError: not written, nothing
                was changed.
        """
        try:
            return await self._roster.set_blocked(reference, blocked=True)
        finally:
            self._changed()

    async def unblock(self, reference: str) -> Contact:
        """Be its contact again: it is called, and what waited is sent. Raises as `block`."""
        try:
            contact = await self._roster.set_blocked(reference, blocked=False)
        finally:
            self._changed()
        self._roster.find(contact.peer_id).wake()
        return contact

    # -- our own key -----------------------------------------------------------------------------------------

    def rotate(self) -> RotationState:
        """Take a new key; on disk when this returns. Contacts follow when they are linked next.

        Raises:
            InputError: ``too-many``. StateError: not written. Nothing was changed.
        """
        ring, parts = self.ring, self._running
        contacts = [contact.peer_id for contact in self._roster.contacts]
        ring.rotate(Identity(parts.entropy.token(KEY_BYTES)), contacts, now_ms=parts.clock.wall_ms())
        ring.prune(now_ms=parts.clock.wall_ms())  # with no contacts nobody needs the former key
        self.key_changes.announce()
        self._changed()
        return self.rotation

    @property
    def rotation(self) -> RotationState:
        """Where the last rotation stands."""
        keys = self.ring.keys
        waiting = tuple(one for one in self._roster.contacts if keys.owed_to(one.peer_id))
        kept = len(keys.readers()) - 1
        return RotationState(keys.current.peer_id, keys.current.public_key, len(keys.former), waiting, kept)

    # -- for the node ----------------------------------------------------------------------------------------

    def begin(self, parts: NodeParts) -> KeyRing:
        """The node starts; gives the keys that it works with. Raises StateError."""
        self._parts = parts
        ring = KeyRing(parts.keys or OwnKeys(parts.identity), parts.save_keys)
        ring.prune(now_ms=parts.clock.wall_ms())
        self._ring = ring
        self._key_changes = KeyChanges(
            ring,
            parts.clock,
            find=self._peer,
            contacts=lambda: self._roster.contacts,
            replace=self._take_over,
            renew=lambda peer_id: self._spawn(self._roster.renew(peer_id)),
            warn=self._warn,
        )
        return ring

    @property
    def ring(self) -> KeyRing:
        """Our keys."""
        if self._ring is None:
            raise _not_running()
        return self._ring

    @property
    def key_changes(self) -> KeyChanges:
        """Who tells contacts of our keys and takes over theirs."""
        if self._key_changes is None:
            raise _not_running()
        return self._key_changes

    @property
    def _running(self) -> NodeParts:
        if self._parts is None:
            raise _not_running()
        return self._parts

    def _peer(self, peer_id: PeerId) -> Peer | None:
        return self._roster.get(peer_id)

    def _take_over(self, contact: Contact) -> None:
        self._roster.replace(contact)
        self._changed()


def _not_running() -> LocalError:
    return LocalError("The node is not running. Nothing was changed.", code="not-running")
