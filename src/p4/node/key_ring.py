"""The keys of this device as a running node holds them: on disk before anybody acts on a change."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from p4.core.identity import Identity, PeerId
from p4.core.own_keys import OwnKeys
from p4.core.rotation import RotationStatement

__all__ = ["KeyRing"]


class KeyRing:
    """Which key and which name to use towards whom (spec/rotation.md).

    Args:
        keys: as they are on disk.
        save: writes them to disk before it returns; raises StateError.
    """

    def __init__(self, keys: OwnKeys, save: Callable[[OwnKeys], None]) -> None:
        self._keys = keys
        self._save = save

    @property
    def current(self) -> Identity:
        """The identity that new contacts learn."""
        return self._keys.current

    @property
    def keys(self) -> OwnKeys:
        """All of it."""
        return self._keys

    def name_for(self, contact: PeerId) -> PeerId:
        """The id by which a contact knows us."""
        return self._keys.name_for(contact)

    def signer_for(self, contact: PeerId) -> Identity:
        """With what to sign for a contact, under the name that it knows."""
        return self._keys.signer_for(contact)

    def readers_for(self, contact: PeerId) -> tuple[Identity, ...]:
        """What a contact may have encrypted to, the likeliest first."""
        return self._keys.readers_for(contact)

    def readers(self) -> tuple[Identity, ...]:
        """Every key that somebody may have encrypted to."""
        return self._keys.readers()

    def owed_to(self, contact: PeerId) -> tuple[RotationStatement, ...]:
        """The statements that a contact has not confirmed."""
        return self._keys.owed_to(contact)

    def is_ours(self, peer_id: PeerId) -> bool:
        """Whether somebody may call us by this id."""
        return peer_id == self.current.peer_id or any(
            known.peer_id == peer_id for known in self._keys.known_by.values()
        )

    def rotate(self, new: Identity, contacts: Iterable[PeerId], *, now_ms: int) -> None:
        """Take another key; on disk when this returns. Raises InputError, StateError: nothing was changed."""
        self._put(self._keys.rotated(new, contacts, now_ms=now_ms))

    def confirm(self, contact: PeerId, public_key: bytes, *, now_ms: int) -> bool:
        """A contact has taken over a key; whether that is news. Raises StateError: nothing was changed."""
        keys = self._keys.confirmed(contact, public_key)
        if keys is self._keys:
            return False
        self._put(keys.pruned(now_ms))
        return True

    def forget(self, contact: PeerId, *, now_ms: int) -> None:
        """A contact was removed. Raises StateError."""
        keys = self._keys.forgotten(contact)
        if keys is not self._keys:
            self._put(keys.pruned(now_ms))

    def prune(self, *, now_ms: int) -> None:
        """Erase what nobody needs any more. Raises StateError."""
        keys = self._keys.pruned(now_ms)
        if keys is not self._keys:
            self._put(keys)

    def _put(self, keys: OwnKeys) -> None:
        self._save(keys)
        self._keys = keys
