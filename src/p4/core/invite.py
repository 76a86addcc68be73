"""Invites: who a peer is and where its signaling answers (spec/invite.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from p4.core.address import RendezvousAddress, Transport
from p4.core.canonical import parse_object
from p4.core.identity import PeerId, decode_key, encode_key, is_usable_key, peer_id_of
from p4.errors import InviteError

__all__ = ["INVITE_BYTES", "Invite", "decode_invite_text"]

INVITE_BYTES = 16 * 1024
"""Longest invite that is read, in bytes; a real one has about 300."""


@dataclass(frozen=True, slots=True)
class Invite:
    """What one person gives another so that their devices find each other. It holds no secret.

    Args:
        public_key: raw 32-byte Ed25519 key.
        rendezvous: where the signaling of its owner answers.
    """

    public_key: bytes
    rendezvous: RendezvousAddress

    @property
    def peer_id(self) -> PeerId:
        """The id that belongs to the key."""
        return peer_id_of(self.public_key)

    def to_object(self) -> dict[str, object]:
        """The JSON object of the invite, keys in version 1's order."""
        return {
            "peer_id": self.peer_id,
            "public_key_b64": encode_key(self.public_key),
            "rendezvous": {
                "transport": self.rendezvous.transport.value,
                "address": self.rendezvous.host,
                "port": self.rendezvous.port,
            },
        }

    def to_text(self) -> str:
        """The invite as indented JSON without a final newline, as version 1 prints it."""
        return json.dumps(self.to_object(), indent=2)

    @classmethod
    def parse(cls, data: bytes | str) -> Invite:
        """Read an invite from a file or from pasted text.

        Args:
            data: text, or bytes in UTF-8 or UTF-16 with or without byte order mark. White space around the
                object is allowed.

        Raises:
            InviteError: ``too-large``, a code of `p4.core.canonical.parse_object`, ``missing-field``,
                ``bad-field``, ``bad-key``, ``wrong-id``, ``bad-transport``, ``bad-address`` or
                ``bad-port``.
        """
        if len(data) > INVITE_BYTES:
            raise InviteError(
                f"This is longer than {INVITE_BYTES} bytes and cannot be an invite. Check that it is the "
                "right file.",
                code="too-large",
            )
        text = decode_invite_text(data) if isinstance(data, bytes) else data
        try:
            # The byte order mark counts as white space here: it may be pasted along.
            encoded = text.strip("\ufeff \t\r\n\v\f\u00a0").encode("utf-8")
        except UnicodeEncodeError as error:
            raise InviteError("The text has characters that cannot be read.", code="bad-string") from error
        try:
            fields = parse_object(encoded, InviteError)
        except InviteError as error:
            raise InviteError(
                f"This is not an invite. {error.message} An invite is the JSON object that `p4 invite` "
                "prints on the other device.",
                code=error.code,
            ) from error
        return cls.from_object(fields)

    @classmethod
    def from_object(cls, fields: Mapping[str, object], *, known: bool = False) -> Invite:
        """Check the JSON object of an invite. Unknown keys are ignored.

        Args:
            known: its key was checked when it first came (`p4.core.identity.is_usable_key`).

        Raises:
            InviteError: as `parse`, from ``missing-field`` on.
        """
        peer_id, encoded_key = _string(fields, "peer_id"), _string(fields, "public_key_b64")
        rendezvous = _field(fields, "rendezvous")
        if not isinstance(rendezvous, dict):
            raise InviteError("The rendezvous of the invite is not an object.", code="bad-field")
        try:
            public_key = decode_key(encoded_key)
        except ValueError as error:
            raise InviteError(f"The key of the invite cannot be read: {error}.", code="bad-key") from error
        if not is_usable_key(public_key, known=known):
            raise InviteError("The key of the invite is not a safe Ed25519 public key.", code="bad-key")
        if peer_id != peer_id_of(public_key):
            raise InviteError(
                "The peer id of the invite does not belong to its key. Somebody changed it on the way, or "
                "it was copied in part. Ask for it again over another way.",
                code="wrong-id",
            )
        return cls(public_key, _rendezvous(rendezvous))


def _rendezvous(fields: Mapping[str, object]) -> RendezvousAddress:
    name, host, port = _string(fields, "transport"), _string(fields, "address"), _field(fields, "port")
    try:
        transport = Transport(name)
    except ValueError as error:
        raise InviteError(
            f"The invite names the transport {name[:32]!r}; this program knows "
            f"{' and '.join(Transport)}. It may be from a newer version: update, then try again.",
            code="bad-transport",
        ) from error
    if type(port) is not int:
        raise InviteError("The port of the invite is not a whole number.", code="bad-port")
    return RendezvousAddress(transport, host, port)


def _field(fields: Mapping[str, object], key: str) -> object:
    if key not in fields:
        raise InviteError(f"The invite has no {key}. It may be copied in part.", code="missing-field")
    return fields[key]


def _string(fields: Mapping[str, object], key: str) -> str:
    value = _field(fields, key)
    if not isinstance(value, str):
        raise InviteError(f"The {key} of the invite is not a string.", code="bad-field")
    return value


def decode_invite_text(data: bytes) -> str:
    """Text of a file. Windows shells redirect into UTF-16, some editors put a mark before UTF-8.

    Raises:
        InviteError: ``not-utf8``.
    """
    try:
        return data.decode(_encoding(data))
    except UnicodeDecodeError as error:
        raise InviteError("The file is neither UTF-8 nor UTF-16 text.", code="not-utf8") from error


def _encoding(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    # An invite begins with an ASCII character, so a zero byte beside it gives UTF-16 away.
    if len(data) >= 2 and data[0] == 0:
        return "utf-16-be"
    if len(data) >= 2 and data[1] == 0:
        return "utf-16-le"
    return "utf-8"
