"""The Python package of version 1, on our core: programs written against it run with one import changed.

    from p4_core import P4Core        # before
    from p4.v1 import P4Core          # after

No native library is loaded. What is stricter than version 1 is listed in docs/version-1.md. New programs
hold a `p4.Node`, or ask the daemon with `p4.client`.
"""

from __future__ import annotations

import json
import operator
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from p4.adapters.tor.binary import find_tor
from p4.core import v1_envelope
from p4.core.canonical import parse_object, parse_value
from p4.core.identity import (
    KEY_BYTES,
    Identity,
    decode_key,
    encode_key,
    is_usable_key,
    peer_id_of,
)
from p4.errors import P4CoreError, P4Error, TorError

__all__ = ["P4Core", "P4CoreError", "resolve_onionrelay_binary_path"]

_NANOSECONDS_PER_MILLISECOND = 1_000_000
_DEFAULT_SKEW_MS = 60_000  # version 1's


class P4Core:
    """Identities and signed envelopes, with the methods of version 1. May be used by several threads.

    Args:
        lib_path: taken so that programs that pass it go on running, and not used: nothing is loaded.
    """

    def __init__(self, lib_path: str | None = None) -> None:
        del lib_path
        self._last = threading.local()

    def generate_identity(self) -> dict[str, Any]:
        """A new identity: ``private_key_b64``, ``public_key_b64`` and ``peer_id``, all texts."""
        with self._remembered():
            identity = Identity(secrets.token_bytes(KEY_BYTES))
            return {
                "private_key_b64": encode_key(identity.seed),
                "public_key_b64": encode_key(identity.public_key),
                "peer_id": str(identity.peer_id),
            }

    def peer_id_from_public_key_b64(self, public_key_b64: str) -> str:
        """The id that belongs to a public key.

        Args:
            public_key_b64: the 32 bytes in standard padded base64.

        Raises:
            P4CoreError: ``bad-key``.
        """
        with self._remembered():
            return str(peer_id_of(_public_key(public_key_b64)))

    def sign_envelope(
        self,
        private_key_b64: str,
        sender_peer_id: str,
        recipient_peer_id: str,
        payload: dict[str, Any],
        nonce: str,
        timestamp_ms: int | None = None,
    ) -> dict[str, Any]:
        """Sign a payload for a recipient.

        Args:
            private_key_b64: the 32-byte seed in standard padded base64.
            sender_peer_id: the id that the recipient knows the sender by.
            recipient_peer_id: whom it is for.
            payload: what `json.dumps` writes as an object.
            nonce: any text that this sender never used before. Current nodes accept 32 hex digits in lower
                case, 16 random bytes, only.
            timestamp_ms: Unix time in milliseconds, at most 2^53-1; now if None.

        Returns:
            The envelope (spec/envelope.md), to be sent as JSON.

        Raises:
            P4CoreError: ``bad-key``; or why the payload, the time or a text has no canonical form:
                ``not-object``, ``duplicate-key``, ``bad-number``, ``bad-string``, ``too-deep``.
            TypeError: an argument, or a value in the payload, is of the wrong type.
        """
        when = (
            time.time_ns() // _NANOSECONDS_PER_MILLISECOND
            if timestamp_ms is None
            else _integer("timestamp_ms", timestamp_ms)
        )
        texts = {"sender_peer_id": sender_peer_id, "recipient_peer_id": recipient_peer_id, "nonce": nonce}
        for name, text in texts.items():
            _check_text(name, text)
        written = _json(payload)
        with self._remembered():
            if when < 0:
                raise P4CoreError("timestamp_ms is before 1970. Nothing was signed.", code="bad-number")
            return v1_envelope.sign(
                Identity(_key("private_key_b64", private_key_b64)),
                sender=sender_peer_id,
                recipient=recipient_peer_id,
                payload=parse_object(written),
                timestamp_ms=when,
                nonce=nonce,
            )

    def verify_envelope(
        self,
        envelope: dict[str, Any],
        signer_public_key_b64: str,
        max_skew_ms: int = _DEFAULT_SKEW_MS,
        now_ms: int | None = None,
    ) -> bool:
        """Prove that the owner of the key signed the envelope at about this time.

        Not checked, as in version 1: whether it is addressed to you (compare ``recipient_peer_id``), and
        whether you have received it before (remember nonces).

        Args:
            envelope: as it was received.
            signer_public_key_b64: the sender's key, 32 bytes in standard padded base64.
            max_skew_ms: accepted difference of clocks, either way, in milliseconds.
            now_ms: Unix time in milliseconds; now if None.

        Returns:
            True. Everything else is an exception.

        Raises:
            P4CoreError: ``bad-key``; a code of the JSON profile; ``bad-version``, ``missing-field``,
                ``bad-field``, ``wrong-sender``, ``bad-time`` or ``bad-signature``.
            TypeError: an argument is of the wrong type.
        """
        skew = _integer("max_skew_ms", max_skew_ms)
        now = time.time_ns() // _NANOSECONDS_PER_MILLISECOND if now_ms is None else _integer("now_ms", now_ms)
        with self._remembered():
            if not isinstance(envelope, dict):
                raise P4CoreError("The envelope is not a JSON object.", code="not-object")
            # Apart from each other: the payload may have as many levels as where it was signed.
            fields = {key: value for key, value in envelope.items() if key != "payload"}
            fields = parse_object(_json(fields))
            if "payload" in envelope:
                fields["payload"] = parse_value(_json(envelope["payload"]))
            key = _public_key(signer_public_key_b64)
            v1_envelope.verify(fields, key, now_ms=now, max_skew_ms=skew)
        return True

    def last_error(self) -> str:
        """Why the last call of this thread failed; an empty text if it did not."""
        return str(getattr(self._last, "reason", ""))

    @contextmanager
    def _remembered(self) -> Iterator[None]:
        try:
            yield
        except P4Error as error:
            refused = error if isinstance(error, P4CoreError) else P4CoreError(error.message, code=error.code)
            self._last.reason = str(refused)
            raise refused from (error.__cause__ if refused is error else error)
        self._last.reason = ""


def resolve_onionrelay_binary_path(onionrelay_bin: str | None = None) -> str:
    """The Tor program to start.

    Args:
        onionrelay_bin: a path or a command; by default what ``P4_ONIONRELAY_BIN`` names, the package
            ``p4-tor``, or ``tor`` on PATH.

    Raises:
        OSError: there is none; the text says how to get one.
    """
    try:
        return str(find_tor(Path(onionrelay_bin) if onionrelay_bin else None))
    except TorError as error:
        raise OSError(error.message) from error


def _json(value: object) -> bytes:
    """As version 1 read its arguments: tuples become lists, and numbers that are keys become texts."""
    return json.dumps(value, separators=(",", ":")).encode()


def _key(name: str, text: str) -> bytes:
    _check_text(name, text)
    try:
        return decode_key(text)
    except ValueError as error:
        raise P4CoreError(
            f"{name} is not a key of {KEY_BYTES} bytes in standard padded base64: {error}. Nothing was done.",
            code="bad-key",
        ) from error


def _public_key(text: str) -> bytes:
    key = _key("The public key", text)
    if not is_usable_key(key):
        raise P4CoreError(
            "The public key proves nothing: it is no point of the curve, or anybody could sign for it. "
            "Nothing was done.",
            code="bad-key",
        )
    return key


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{name} is a text, not a {type(value).__name__}")


def _integer(name: str, value: object) -> int:
    try:
        return int(operator.index(value))  # type: ignore[arg-type]  # it is what is asked
    except TypeError as error:
        raise TypeError(f"{name} is an integer, not a {type(value).__name__}") from error
