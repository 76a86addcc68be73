"""Envelopes for programs that were written against version 1's core: its rules where they are harmless.

Its programs choose nonces such as ``n1`` and any text as the recipient, their lines have no limit, and a
payload may have 32 levels by itself. Those freedoms stay: signatures are as good with them. All else is as
strict as in `p4.core.envelope`, which new programs use: the JSON profile and RFC 8785, the key, the time. The
native core has the same rules (``native/p4-core/src/v1.rs``).
"""

from __future__ import annotations

from collections.abc import Mapping

from p4.core import limits
from p4.core.canonical import canonical_bytes
from p4.core.envelope import (
    bad_field,
    check_time,
    check_version,
    required_field,
    signature_of,
    timestamp_of,
)
from p4.core.identity import Identity, encode_key, peer_id_of, verify_signature
from p4.errors import EnvelopeError

__all__ = ["sign", "verify"]


def sign(
    identity: Identity,
    *,
    sender: str,
    recipient: str,
    payload: Mapping[str, object],
    timestamp_ms: int,
    nonce: str,
) -> dict[str, object]:
    """Sign a payload.

    Args:
        identity: whose key signs.
        sender: the id that the recipient knows the sender by; need not be that of the key.
        recipient: whom it is for.
        payload: a JSON object.
        timestamp_ms: Unix time in milliseconds.
        nonce: never used before by this sender.

    Returns:
        The envelope's fields in version 1's order. ``payload`` is the one that was given, not a copy.

    Raises:
        InputError: ``bad-number`` (the time included), ``bad-string``, ``too-deep`` or ``not-json``.
    """
    signature = identity.sign(_signed_bytes(sender, recipient, payload, timestamp_ms, nonce))
    return {
        "protocol_version": limits.PROTOCOL_VERSION,
        "sender_peer_id": sender,
        "recipient_peer_id": recipient,
        "timestamp_ms": timestamp_ms,
        "nonce": nonce,
        "payload": payload,
        "signature_b64": encode_key(signature),
    }


def verify(fields: Mapping[str, object], public_key: bytes, *, now_ms: int, max_skew_ms: int) -> None:
    """Prove that the owner of the key signed the envelope at about this time.

    Neither the recipient is looked at, nor whether the envelope came before.

    Args:
        fields: as `p4.core.canonical.parse_object` reads them. Keys that are not of version 1 count for
            nothing.
        public_key: a usable key.
        now_ms: Unix time in milliseconds.
        max_skew_ms: accepted difference of clocks, either way, in milliseconds.

    Raises:
        EnvelopeError: in this order: ``bad-version``; ``missing-field`` or ``bad-field``; ``wrong-sender``;
            ``bad-time``; ``bad-signature``.
    """
    check_version(fields)
    payload = required_field(fields, "payload")
    if not isinstance(payload, dict):
        raise bad_field("payload")
    sender = _text(fields, "sender_peer_id")
    recipient = _text(fields, "recipient_peer_id")
    timestamp_ms = timestamp_of(fields)
    nonce = _text(fields, "nonce")
    signature = signature_of(fields)
    if sender != peer_id_of(public_key):
        raise EnvelopeError("The envelope names another sender than the key belongs to.", code="wrong-sender")
    check_time(timestamp_ms, now_ms, max_skew_ms)
    if not verify_signature(
        public_key, signature, _signed_bytes(sender, recipient, payload, timestamp_ms, nonce)
    ):
        raise EnvelopeError("The signature is not the sender's.", code="bad-signature")


def _signed_bytes(
    sender: str, recipient: str, payload: Mapping[str, object], timestamp_ms: int, nonce: str
) -> bytes:
    """What the signature covers, in canonical form; put together here, so that the payload has 32 levels."""
    return (
        b'{"nonce":%b,"payload":%b,"protocol_version":%d,"recipient_peer_id":%b,"sender_peer_id":%b,'
        b'"timestamp_ms":%b}'
    ) % (
        canonical_bytes(nonce),
        canonical_bytes(payload),
        limits.PROTOCOL_VERSION,
        canonical_bytes(recipient),
        canonical_bytes(sender),
        canonical_bytes(timestamp_ms),
    )


def _text(fields: Mapping[str, object], key: str) -> str:
    value = required_field(fields, key)
    if not isinstance(value, str):
        raise bad_field(key)
    return value
