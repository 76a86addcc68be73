"""What a person decided about a contact, and what became of its key (spec/identity.md, Contacts)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from p4.core import limits
from p4.core.identity import decode_key, encode_key
from p4.core.rotation import RotationStatement, current_key
from p4.errors import RemoteError

__all__ = ["TRUST_KEYS", "Outcome", "Trust", "Verification"]

TRUST_KEYS = ("verified_key_b64", "blocked", "rotations_b64", "waning_keys", "rotation_settled_ms")
"""What `Trust` adds to an entry of ``contacts.json``."""


class Verification(StrEnum):
    """Whether a person compared the words of a contact."""

    NO = "no"
    """Never."""
    VERIFIED = "verified"
    """With the key that it has now."""
    ROTATED = "verified-before-rotation"
    """With a former key, which signed for the present one."""


class Outcome(StrEnum):
    """What became of a statement of rotation."""

    TAKEN = "taken"
    """The contact's key is another one from now on."""
    KNOWN = "known"
    """It was taken over before."""
    CONFLICT = "conflict"
    """A key from which the contact has rotated already signed for another successor: two devices have it."""
    FOREIGN = "foreign"
    """It begins at a key that this contact never had."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Immutable; every change gives a new one.

    Args:
        verified_key: the raw key for which a person confirmed the comparison code; empty for none.
        blocked: nothing of the contact is answered, and it is not called.
        rotations: how its present key follows from the one that its id belongs to.
        waning: how many former keys, the latest ones, still count: the contact has not signed with its
            present key yet, so it may not know that we took that.
        settled_ms: when the contact first signed with a key that it rotated to, by its own clock, Unix
            milliseconds: what a retired key signed before that is only late, or repeated by somebody.
    """

    verified_key: bytes = b""
    blocked: bool = False
    rotations: tuple[RotationStatement, ...] = ()
    waning: int = 0
    settled_ms: int = 0

    def verification(self, public_key: bytes) -> Verification:
        """Whether the contact is verified, given its present key."""
        if not self.verified_key:
            return Verification.NO
        if self.verified_key == public_key:
            return Verification.VERIFIED
        former = any(statement.old_key == self.verified_key for statement in self.rotations)
        return Verification.ROTATED if former else Verification.NO

    @property
    def waning_keys(self) -> tuple[bytes, ...]:
        """Former keys that still count, the latest first."""
        return tuple(reversed(self.former_keys[len(self.rotations) - self.waning :]))

    @property
    def retired_keys(self) -> tuple[bytes, ...]:
        """Former keys that count no more: only a thief, or an old copy of the device, signs with them."""
        return self.former_keys[: len(self.rotations) - self.waning]

    @property
    def former_keys(self) -> tuple[bytes, ...]:
        """All keys that the contact had before, the oldest first."""
        return tuple(statement.old_key for statement in self.rotations)

    def first_key(self, public_key: bytes) -> bytes:
        """The key that the contact's id belongs to, given its present one."""
        return self.rotations[0].old_key if self.rotations else public_key

    def consider(self, statement: RotationStatement, public_key: bytes) -> Outcome:
        """What a statement, which came over a proven link of the contact, means.

        Args:
            public_key: the contact's present key.
        """
        if statement.old_key == public_key:
            # Back to a key that it had before: whoever got hold of that one would like this.
            full = len(self.rotations) >= limits.ROTATIONS_OF_A_CONTACT
            return Outcome.CONFLICT if full or statement.new_key in self.former_keys else Outcome.TAKEN
        for known in self.rotations:
            if known.old_key == statement.old_key:
                return Outcome.KNOWN if known.new_key == statement.new_key else Outcome.CONFLICT
        return Outcome.FOREIGN

    def rotated(self, statement: RotationStatement) -> Trust:
        """After a statement that `consider` found to be ``TAKEN``."""
        return replace(self, rotations=(*self.rotations, statement), waning=self.waning + 1)

    @classmethod
    def from_object(cls, fields: Mapping[str, object], first_key: bytes) -> tuple[Trust, bytes]:
        """Read it from an entry of ``contacts.json``.

        Args:
            first_key: the key that the contact's id belongs to.

        Returns:
            With the contact's present key.

        Raises:
            ValueError: a part has the wrong form, or a rotation is not signed; fits after "because".
        """
        verified, rotations = fields.get("verified_key_b64", ""), fields.get("rotations_b64", [])
        if not isinstance(verified, str) or not isinstance(rotations, list):
            raise ValueError("what is kept about its key has the wrong form")  # noqa: TRY004 - about the file
        try:
            statements = tuple(RotationStatement.parse(_decode(one)) for one in rotations)
        except RemoteError as error:
            raise ValueError(f"a rotation of its key cannot be used: {error}") from error
        trust = cls(
            decode_key(verified) if verified else b"",
            fields.get("blocked") is True,
            statements,
            _count(fields.get("waning_keys", 0), len(statements)),
            _count(fields.get("rotation_settled_ms", 0), limits.SAFE_INTEGER),
        )
        return trust, current_key(first_key, statements)

    def to_object(self) -> dict[str, object]:
        """The keys of an entry of ``contacts.json``; those that say nothing are left out."""
        fields: dict[str, object] = {}
        if self.verified_key:
            fields["verified_key_b64"] = encode_key(self.verified_key)
        if self.blocked:
            fields["blocked"] = True
        if self.rotations:
            fields["rotations_b64"] = [
                base64.b64encode(statement.encoded).decode("ascii") for statement in self.rotations
            ]
        if self.waning:
            fields["waning_keys"] = self.waning
        if self.settled_ms:
            fields["rotation_settled_ms"] = self.settled_ms
        return fields


def _decode(text: object) -> bytes:
    if not isinstance(text, str):
        raise ValueError("a rotation of its key is not a string")  # noqa: TRY004 - about the file
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("a rotation of its key is not base64") from error


def _count(value: object, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError("what is kept about its key has the wrong form")
    return value
