"""The keys of this device: the present one, those before it, which contact knows which (spec/rotation.md).

A contact that was paired before a rotation goes on calling this device by the id that it learnt then, and
learns of the new key by a statement. Until it has confirmed that, it is spoken to with the key that it knows.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from p4.core import limits
from p4.core.identity import Identity, PeerId, decode_key, encode_key, is_peer_id
from p4.core.rotation import RotationStatement
from p4.errors import InputError, RemoteError

__all__ = ["FormerKey", "KnownBy", "OwnKeys"]

_DAY_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class FormerKey:
    """A key that this device had.

    Args:
        identity: with its private key; None when that has been erased, because nobody needs it any more.
        statement: by which the next key followed.
    """

    identity: Identity | None
    statement: RotationStatement


@dataclass(frozen=True, slots=True)
class KnownBy:
    """How a contact knows this device.

    Args:
        peer_id: the id that it calls us by.
        public_key: the latest of our keys that it has confirmed.
    """

    peer_id: PeerId
    public_key: bytes


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """Immutable; every change gives a new one.

    Args:
        current: the key of today.
        former: those before it, the oldest first.
        known_by: contacts that may know another key or id than those of ``current``.
    """

    current: Identity
    former: tuple[FormerKey, ...] = ()
    known_by: Mapping[PeerId, KnownBy] = field(default_factory=dict)

    # -- towards a contact -----------------------------------------------------------------------------------

    def name_for(self, contact: PeerId) -> PeerId:
        """The id by which a contact knows us."""
        known = self.known_by.get(contact)
        return known.peer_id if known else self.current.peer_id

    def signer_for(self, contact: PeerId) -> Identity:
        """With what to sign for a contact: the latest key that it is known to have taken."""
        known = self.known_by.get(contact)
        if known is None:
            return self.current
        usable = (one for one in self.readers() if one.public_key == known.public_key)
        return replace(next(usable, self.current), known_as=known.peer_id)

    def readers_for(self, contact: PeerId) -> tuple[Identity, ...]:
        """The keys that a contact may encrypt to, the likeliest first."""
        signer = self.signer_for(contact)
        others = (replace(one, known_as=signer.peer_id) for one in self.readers())
        return (signer, *(one for one in others if one.public_key != signer.public_key))

    def readers(self) -> tuple[Identity, ...]:
        """Every private key that is still there, the present one first."""
        return (self.current, *(one.identity for one in reversed(self.former) if one.identity is not None))

    def owed_to(self, contact: PeerId) -> tuple[RotationStatement, ...]:
        """The statements that a contact has not confirmed, in order."""
        known = self.known_by.get(contact)
        statements = tuple(one.statement for one in self.former)
        if known is None:
            return ()
        begin = next((at for at, one in enumerate(statements) if one.old_key == known.public_key), None)
        return () if begin is None else statements[begin:]

    # -- changes ---------------------------------------------------------------------------------------------

    def rotated(self, new: Identity, contacts: Iterable[PeerId], *, now_ms: int) -> OwnKeys:
        """With a new key.

        Args:
            contacts: all that there are.

        Raises:
            InputError: ``too-many``.
        """
        if len(self.former) >= limits.ROTATIONS_OF_A_CONTACT:
            raise InputError(
                f"This device has changed its key {len(self.former)} times, and contacts remember no more. "
                "Nothing was changed. Make a new state directory and pair again.",
                code="too-many",
            )
        now_known = KnownBy(self.current.peer_id, self.current.public_key)
        known_by = {contact: self.known_by.get(contact, now_known) for contact in contacts}
        statement = RotationStatement.make(self.current, new, now_ms=now_ms)
        return OwnKeys(new, (*self.former, FormerKey(self.current, statement)), known_by)

    def confirmed(self, contact: PeerId, public_key: bytes) -> OwnKeys:
        """A contact has taken over a key. What is no news changes nothing."""
        known = self.known_by.get(contact)
        owed = [statement.new_key for statement in self.owed_to(contact)]
        if known is None or public_key not in owed:
            return self
        return replace(self, known_by={**self.known_by, contact: replace(known, public_key=public_key)})

    def forgotten(self, contact: PeerId) -> OwnKeys:
        """A contact was removed: if it is paired again it knows us by the present key."""
        if contact not in self.known_by:
            return self
        return replace(
            self, known_by={peer_id: known for peer_id, known in self.known_by.items() if peer_id != contact}
        )

    def pruned(self, now_ms: int) -> OwnKeys:
        """Without private keys that nobody needs, or that waited for ``limits.FORMER_KEY_DAYS``."""
        needed = {known.public_key for known in self.known_by.values()}
        horizon = now_ms - limits.FORMER_KEY_DAYS * _DAY_MS
        former: list[FormerKey] = []
        wanted = False
        for one in self.former:
            wanted = wanted or one.statement.old_key in needed
            keep = wanted and one.statement.made_ms >= horizon
            former.append(one if keep else replace(one, identity=None))
        return self if tuple(former) == self.former else replace(self, former=tuple(former))

    # -- on disk ---------------------------------------------------------------------------------------------

    def to_object(self) -> dict[str, object]:
        """As JSON; holds private keys."""
        return {
            "private_key_b64": encode_key(self.current.seed),
            "former": [
                {
                    "private_key_b64": encode_key(one.identity.seed) if one.identity else None,
                    "statement_b64": base64.b64encode(one.statement.encoded).decode("ascii"),
                }
                for one in self.former
            ],
            "known_by": {
                contact: {"peer_id": known.peer_id, "public_key_b64": encode_key(known.public_key)}
                for contact, known in self.known_by.items()
            },
        }

    @classmethod
    def from_object(cls, value: object) -> OwnKeys:
        """Read what `to_object` made, every part checked against the others.

        Raises:
            ValueError: unusable; fits after "it", and shows no key.
        """
        fields = _object(value)
        former_values, known_values = fields.get("former"), _object(fields.get("known_by"))
        if not isinstance(former_values, list):
            raise ValueError("has no list of former keys")  # noqa: TRY004 - about the file
        former = tuple(_former(_object(one)) for one in former_values)
        current = Identity(_key(fields.get("private_key_b64")))
        chain = [*(one.statement.old_key for one in former), current.public_key]
        if any(one.statement.new_key != chain[at + 1] for at, one in enumerate(former)):
            raise ValueError("holds rotations that do not follow from each other")
        return cls(
            current, former, {_peer_id(key): _known(_object(one)) for key, one in known_values.items()}
        )


def _former(fields: Mapping[str, object]) -> FormerKey:
    private_key, statement = fields.get("private_key_b64"), fields.get("statement_b64")
    try:
        parsed = RotationStatement.parse(base64.b64decode(_text(statement), validate=True))
    except (RemoteError, binascii.Error) as error:
        raise ValueError("holds a rotation that is not signed") from error
    identity = None if private_key is None else Identity(_key(private_key))
    if identity is not None and identity.public_key != parsed.old_key:
        raise ValueError("holds a former key that belongs to no rotation")
    return FormerKey(identity, parsed)


def _known(fields: Mapping[str, object]) -> KnownBy:
    return KnownBy(_peer_id(fields.get("peer_id")), _key(fields.get("public_key_b64")))


def _object(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ValueError("is not made of JSON objects")  # noqa: TRY004 - about the file
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("lacks a part")  # noqa: TRY004 - about the file
    return value


def _key(value: object) -> bytes:
    try:
        return decode_key(_text(value))
    except ValueError:
        # From None: the message of the decoder may quote the secret.
        raise ValueError("holds a key that is not 32 bytes in base64") from None


def _peer_id(value: object) -> PeerId:
    if not isinstance(value, str) or not is_peer_id(value):
        raise ValueError("holds an impossible peer id")
    return PeerId(value)
