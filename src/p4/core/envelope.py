"""Envelopes: signed, addressed, timed payloads (spec/envelope.md).

Bytes become `Unverified` by `parse`, and `Verified` only by `Unverified.verify`. Code that needs trust takes
`Verified` and nothing else.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import InitVar, dataclass
from types import MappingProxyType
from typing import Final, NoReturn

from p4.core import limits
from p4.core.canonical import canonical_bytes, parse_object
from p4.core.identity import Identity, PeerId, encode_key, is_peer_id, peer_id_of, verify_signature
from p4.errors import EnvelopeError

__all__ = [
    "Unverified",
    "Verified",
    "bad_field",
    "check_time",
    "check_version",
    "parse",
    "parse_fields",
    "required_field",
    "seal",
    "signature_of",
    "timestamp_of",
]

_NONCE = re.compile(rf"[0-9a-f]{{{2 * limits.NONCE_BYTES}}}")
_SIGNATURE_BYTES = 64
_VERIFIED_HERE: Final = object()


@dataclass(frozen=True, slots=True)
class Verified:
    """A payload that its sender signed for us, recently. Only `Unverified.verify` can make one.

    It proves neither that the envelope is new (see `p4.core.replay`) nor that the payload makes sense.
    """

    sender: PeerId
    timestamp_ms: int
    nonce: bytes
    payload: Mapping[str, object]
    proof: InitVar[object]

    def __post_init__(self, proof: object) -> None:
        if proof is not _VERIFIED_HERE:
            raise TypeError("a Verified comes from Unverified.verify only")


@dataclass(frozen=True, slots=True)
class Unverified:
    """A well-formed envelope of which nothing is proven. Use it to look up the sender's key, no more."""

    sender: PeerId
    recipient: PeerId
    timestamp_ms: int
    nonce: bytes
    payload: Mapping[str, object]
    signature: bytes

    def verify(
        self,
        public_key: bytes,
        *,
        me: PeerId,
        now_ms: int,
        max_skew_ms: int = limits.MAX_SKEW_MS,
        contact: PeerId | None = None,
    ) -> Verified:
        """Prove that the owner of the key sent this to us at about this time.

        Args:
            public_key: raw key of the contact that ``sender`` names.
            me: our own id.
            now_ms: Unix time in milliseconds.
            max_skew_ms: accepted difference of clocks, either way, in milliseconds.
            contact: the id of the contact whose key it is; by default the id of the key. A contact keeps that
                of its first key (spec/rotation.md).

        Returns:
            The verified content. The caller next asks the sender's `ReplayWindow`, and acts only when the
            new window is on disk.

        Raises:
            EnvelopeError: in this order: ``wrong-sender``, ``wrong-recipient``, ``bad-time``,
                ``bad-signature``.
        """
        if (contact or peer_id_of(public_key)) != self.sender:
            raise EnvelopeError(
                "The envelope names another sender than the key belongs to.", code="wrong-sender"
            )
        self._check(public_key, me, now_ms, max_skew_ms)
        return Verified(self.sender, self.timestamp_ms, self.nonce, self.payload, _VERIFIED_HERE)

    def refuse_stranger(self, any_key: bytes, *, me: PeerId, now_ms: int) -> NoReturn:
        """Refuse a sender that we do not know, in the time that a contact's forged envelope takes.

        Otherwise the time to our refusal would tell strangers whom we know.

        Args:
            any_key: a usable public key, such as our own.

        Raises:
            EnvelopeError: ``unknown-sender``, or what `verify` would have found first.
        """
        self._check(any_key, me, now_ms, limits.MAX_SKEW_MS)
        raise EnvelopeError("The sender is not a contact.", code="unknown-sender")

    def _check(self, public_key: bytes, me: PeerId, now_ms: int, max_skew_ms: int) -> None:
        if self.recipient != me:
            # A contact could pass on to us what somebody signed for him.
            raise EnvelopeError("The envelope is addressed to somebody else.", code="wrong-recipient")
        check_time(self.timestamp_ms, now_ms, max_skew_ms)
        signed = canonical_bytes(
            _signed_fields(self.sender, self.recipient, self.payload, self.timestamp_ms, self.nonce)
        )
        if not verify_signature(public_key, self.signature, signed):
            raise EnvelopeError("The signature is not the sender's.", code="bad-signature")


def seal(
    identity: Identity,
    recipient: PeerId,
    payload: Mapping[str, object],
    *,
    timestamp_ms: int,
    nonce: bytes,
) -> bytes:
    r"""Sign a payload for a recipient.

    Args:
        identity: the sender.
        recipient: the only peer that will accept it.
        payload: a JSON object.
        timestamp_ms: Unix time in milliseconds.
        nonce: 16 bytes that were never used before.

    Returns:
        One line of JSON in UTF-8 without its ``\n``, itself in canonical form.

    Raises:
        InputError: the payload has no canonical form.
        ValueError: nonce or recipient has the wrong form, or the line would be too long to be read.
    """
    if len(nonce) != limits.NONCE_BYTES:
        raise ValueError(f"a nonce has {limits.NONCE_BYTES} bytes, not {len(nonce)}")
    if not is_peer_id(recipient):
        raise ValueError("the recipient is not a peer id")
    fields = _signed_fields(identity.peer_id, recipient, payload, timestamp_ms, nonce)
    signature = identity.sign(canonical_bytes(fields))
    line = canonical_bytes({**fields, "signature_b64": encode_key(signature)})
    if len(line) >= limits.SIGNALING_LINE_BYTES:
        raise ValueError(f"an envelope of {len(line)} bytes does not fit into a signaling line")
    return line


def parse(line: bytes) -> Unverified:
    r"""Read an envelope and check its form.

    Args:
        line: one line without its ``\n``.

    Raises:
        EnvelopeError: ``too-long``; a code of `p4.core.canonical.parse_object`; ``bad-version``;
            ``missing-field``; or ``bad-field``. In this order.
    """
    if len(line) >= limits.SIGNALING_LINE_BYTES:
        raise EnvelopeError(
            f"The line is longer than {limits.SIGNALING_LINE_BYTES} bytes with its end.", code="too-long"
        )
    return parse_fields(parse_object(line, EnvelopeError))


def parse_fields(fields: Mapping[str, object]) -> Unverified:
    """As `parse`, for an object that was read already with `p4.core.canonical.parse_object`.

    Keys that are not of version 1 are dropped: nothing signs them (spec/envelope.md, Unknown keys).

    Raises:
        EnvelopeError: ``bad-version``, ``missing-field`` or ``bad-field``.
    """
    check_version(fields)  # first of all: of an unknown version we know no other field
    sender = _peer_id(fields, "sender_peer_id")
    recipient = _peer_id(fields, "recipient_peer_id")
    timestamp_ms = timestamp_of(fields)
    nonce = required_field(fields, "nonce")
    if not isinstance(nonce, str) or not _NONCE.fullmatch(nonce):
        raise bad_field("nonce")
    payload = required_field(fields, "payload")
    if not isinstance(payload, dict):
        raise bad_field("payload")
    signature = signature_of(fields)
    return Unverified(
        sender, recipient, timestamp_ms, bytes.fromhex(nonce), MappingProxyType(payload), signature
    )


def _signed_fields(
    sender: PeerId, recipient: PeerId, payload: Mapping[str, object], timestamp_ms: int, nonce: bytes
) -> dict[str, object]:
    return {
        "protocol_version": limits.PROTOCOL_VERSION,
        "sender_peer_id": sender,
        "recipient_peer_id": recipient,
        "timestamp_ms": timestamp_ms,
        "nonce": nonce.hex(),
        "payload": dict(payload),
    }


def _peer_id(fields: Mapping[str, object], key: str) -> PeerId:
    value = required_field(fields, key)
    if not isinstance(value, str) or not is_peer_id(value):
        raise bad_field(key)
    return PeerId(value)


# --- what `p4.core.v1_envelope` checks in the same way ------------------------------------------------


def check_version(fields: Mapping[str, object]) -> None:
    """Refuse every version of the protocol but ours.

    Raises:
        EnvelopeError: ``missing-field``, ``bad-field`` or ``bad-version``.
    """
    version = required_field(fields, "protocol_version")
    if type(version) is not int:
        raise bad_field("protocol_version")
    if version != limits.PROTOCOL_VERSION:
        raise EnvelopeError(
            f"The envelope is of protocol version {version}; this program speaks {limits.PROTOCOL_VERSION}.",
            code="bad-version",
        )


def check_time(timestamp_ms: int, now_ms: int, max_skew_ms: int) -> None:
    """Refuse an envelope that is too old or from the future; all in milliseconds of Unix time.

    Raises:
        EnvelopeError: ``bad-time``.
    """
    if abs(now_ms - timestamp_ms) > max_skew_ms:
        raise EnvelopeError(
            f"The sender's clock and ours differ by {_duration(now_ms - timestamp_ms)}; at most "
            f"{_duration(max_skew_ms)} are accepted. Correct the clock that is wrong.",
            code="bad-time",
        )


def timestamp_of(fields: Mapping[str, object]) -> int:
    """When the envelope says that it was signed, in milliseconds of Unix time.

    Raises:
        EnvelopeError: ``missing-field`` or ``bad-field``.
    """
    timestamp_ms = required_field(fields, "timestamp_ms")
    if type(timestamp_ms) is not int or timestamp_ms < 0:
        raise bad_field("timestamp_ms")
    return timestamp_ms


def required_field(fields: Mapping[str, object], key: str) -> object:
    """The value of a key that no envelope lacks.

    Raises:
        EnvelopeError: ``missing-field``.
    """
    if key not in fields:
        raise EnvelopeError(f"The envelope has no {key}.", code="missing-field")
    return fields[key]


def bad_field(key: str) -> EnvelopeError:
    """The error that says that a key's value is of the wrong kind."""
    return EnvelopeError(f"The {key} of the envelope has the wrong form.", code="bad-field")


def signature_of(fields: Mapping[str, object]) -> bytes:
    """The 64 bytes of the signature.

    Raises:
        EnvelopeError: ``missing-field`` or ``bad-field``.
    """
    value = required_field(fields, "signature_b64")
    if not isinstance(value, str):
        raise bad_field("signature_b64")
    try:
        signature = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_field("signature_b64") from error
    if len(signature) != _SIGNATURE_BYTES or encode_key(signature) != value:
        raise bad_field("signature_b64")
    return signature


def _duration(milliseconds: int) -> str:
    seconds = abs(milliseconds) / 1000
    return f"{seconds:.0f} seconds" if seconds < 600 else f"{seconds / 3600:.1f} hours"
