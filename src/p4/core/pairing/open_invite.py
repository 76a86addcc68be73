"""Invites that wait for a guest, as they are kept on disk until they are used or expire."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from p4.core import limits
from p4.core.canonical import parse_object
from p4.core.identity import decode_key, encode_key
from p4.errors import InputError

__all__ = ["InviteKind", "OpenInvite", "parse_invites", "serialise_invites"]

_FILE_VERSION: Final = 1


class InviteKind(StrEnum):
    """What a person hands over."""

    LINK = "link"
    """A link, as text or QR code."""
    WORDS = "words"
    """Eight words, for everywhere."""
    LOCAL_WORDS = "local-words"
    """Two words, for the local network."""


@dataclass(frozen=True, slots=True)
class OpenInvite:
    """An invite of ours that was not used up. Immutable: each step gives a new one, to be written down.

    Args:
        id: 16 hexadecimal digits; names it to people and programs, and is no secret.
        text: the link, or the words with a blank between; secret.
        created_ms, expires_at_ms: Unix time in milliseconds.
        name: what the guest shall be called here; empty for what it calls itself.
        guessed: the one guess that its words allow was made.
        claimed_by: raw Ed25519 key of the guest that has proved itself; empty as long as there is none.
    """

    id: str
    kind: InviteKind
    text: str = field(repr=False)
    created_ms: int
    expires_at_ms: int
    name: str = ""
    guessed: bool = False
    claimed_by: bytes = b""

    @property
    def alive(self) -> bool:
        """Whether a guest can still come: no guess was spent on it, or its guest may come again."""
        return not self.guessed or bool(self.claimed_by)

    def answers(self, guest_key: bytes) -> bool:
        """Whether this guest, having proved that it knows the secret, is the one to be paired."""
        return not self.claimed_by or self.claimed_by == guest_key

    def after_guess(self) -> OpenInvite:
        """Somebody shows that it knows the secret, or guesses: written down before it is looked at."""
        return replace(self, guessed=True)

    def after_claim(self, guest_key: bytes) -> OpenInvite:
        """The guest proved that it knows the secret; nobody else can use it from now on."""
        return replace(self, claimed_by=guest_key)


def serialise_invites(invites: Iterable[OpenInvite]) -> bytes:
    """The content of the file."""
    entries = [
        {
            "id": invite.id,
            "kind": invite.kind.value,
            "text": invite.text,
            "created_ms": invite.created_ms,
            "expires_at_ms": invite.expires_at_ms,
            "name": invite.name,
            "guessed": invite.guessed,
            "claimed_by": encode_key(invite.claimed_by) if invite.claimed_by else "",
        }
        for invite in invites
    ]
    return (json.dumps({"version": _FILE_VERSION, "invites": entries}, indent=1) + "\n").encode("ascii")


def parse_invites(data: bytes) -> list[OpenInvite]:
    """Read the file.

    Raises:
        InputError: ``bad-invites``, or a code of `p4.core.canonical.parse_object`: it is none of ours, or
            damaged.
    """
    fields = parse_object(data, InputError)
    entries = fields.get("invites")
    if fields.get("version") != _FILE_VERSION or not isinstance(entries, list):
        raise _bad()
    return [_read(entry) for entry in entries[: limits.PAIRING_INVITES]]


def _bad() -> InputError:
    return InputError("The file of open invites does not have its form.", code="bad-invites")


def _read(entry: object) -> OpenInvite:
    if not isinstance(entry, dict):
        raise _bad()
    try:
        claimed = _text(entry, "claimed_by")
        return OpenInvite(
            _text(entry, "id"),
            InviteKind(_text(entry, "kind")),
            _text(entry, "text"),
            _number(entry, "created_ms"),
            _number(entry, "expires_at_ms"),
            _text(entry, "name"),
            entry.get("guessed") is not False,
            decode_key(claimed) if claimed else b"",
        )
    except ValueError as error:
        raise _bad() from error


def _text(entry: Mapping[str, object], key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str):
        raise _bad()
    return value


def _number(entry: Mapping[str, object], key: str) -> int:
    value = entry.get(key)
    if type(value) is not int:
        raise _bad()
    return value
