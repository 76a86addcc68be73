"""The two sides of the exchange, as lines that come and lines that go (spec/pairing.md, Exchange).

    guest                                 host
    hello() ────────────────────────────► read_hello(line)
    take_pake(line) ◄──────────────────── HostExchange(...).answer()
    proof() ────────────────────────────► take_proof(line), claim written, then
    take_proof(line) ◄─────────────────── proof()
    done() ─────────────────────────────► take_done(line)

What is written to disk in between is the caller's; the order is the specification's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from spake2 import SPAKE2_A, SPAKE2_B

from p4.core import limits
from p4.core.canonical import parse_object
from p4.core.identity import KEY_BYTES, Identity, verify_signature
from p4.core.pairing.card import Card
from p4.core.pairing.refusals import pairing_error, refusal
from p4.core.pairing.secrets import TAG_BYTES, PairingSecret
from p4.errors import PairingError, SignalingError

__all__ = ["FIRST_BYTES", "GuestExchange", "Hello", "HostExchange", "read_hello"]

FIRST_BYTES: Final = b'{"pairing":'
"""How the first line of an exchange begins, and no line of signaling does."""

_ELEMENT_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_HOST, _GUEST = b"\0", b"\1"
_UNKNOWN_KEY: Final = bytes(KEY_BYTES)
_NONCE: Final = bytes(12)
_FIELD: Final = 2**255 - 19

Random = Callable[[int], bytes]
"""Gives so many unpredictable bytes."""


@dataclass(frozen=True, slots=True)
class Hello:
    """The first line of a guest.

    Args:
        version: of pairing.
        tag: which invite it comes with.
        element: its part of the PAKE.
    """

    version: int
    tag: bytes
    element: bytes


def read_hello(line: bytes) -> Hello:
    """Read a first line.

    Raises:
        SignalingError: ``bad-pairing``, or a code of `p4.core.canonical.parse_object`.
        PairingError: ``version``.
    """
    fields = parse_object(line, SignalingError)
    version = _version(fields)
    return Hello(version, _bytes(fields, "tag", TAG_BYTES), _bytes(fields, "pake", _ELEMENT_BYTES))


@dataclass(frozen=True, slots=True)
class _Keys:
    """What both sides know, once they know the same secret."""

    transcript: bytes
    secret: bytes = field(repr=False)

    def of(self, use: str) -> bytes:
        return HKDF(SHA256(), 32, self.transcript, f"P4 pairing {use} 1\0".encode("ascii")).derive(
            self.secret
        )

    def mac(self, use: str) -> bytes:
        return hmac.digest(self.of(use), self.transcript, hashlib.sha256)

    def seal(self, use: str, content: bytes) -> bytes:
        return ChaCha20Poly1305(self.of(use)).encrypt(_NONCE, content, self.transcript)

    def open(self, use: str, sealed: bytes) -> bytes:
        try:
            return ChaCha20Poly1305(self.of(use)).decrypt(_NONCE, sealed, self.transcript)
        except InvalidTag as error:
            raise _bad_card("it was altered on its way") from error


class GuestExchange:
    """The side that was invited. One object an attempt.

    Args:
        identity: ours.
        card: ours.
        random: see `Random`.
    """

    def __init__(self, secret: PairingSecret, identity: Identity, card: Card, random: Random) -> None:
        self._secret, self._identity, self._card = secret, identity, card
        self._pake = SPAKE2_B(secret.password, *_names(secret), entropy_f=random)
        self._element: bytes = self._pake.start()[1:]
        self._keys: _Keys | None = None

    def hello(self) -> bytes:
        """Line 1."""
        fields = {
            "pairing": limits.PAIRING_VERSION,
            "tag": _b64(self._secret.tag),
            "pake": _b64(self._element),
        }
        return _line(fields)

    def take_pake(self, line: bytes) -> None:
        """Read line 2.

        Raises:
            SignalingError: a malformed line. PairingError: a refusal, or ``version``.
        """
        fields = _fields(line)
        _version(fields)
        element = _bytes(fields, "pake", _ELEMENT_BYTES)
        shared = _finish(self._pake, b"A", element)
        self._keys = _Keys(_transcript(self._secret.tag, self._element, element), shared)

    def proof(self) -> bytes:
        """Line 3."""
        keys, host_key = self._known(), self._secret.host_key or _UNKNOWN_KEY
        card = _signed(self._identity, self._card, _GUEST + keys.transcript + host_key)
        return _line({"proof": _b64(keys.mac("guest proof")), "card": _b64(keys.seal("guest card", card))})

    def take_proof(self, line: bytes) -> Card:
        """Read line 4: the host's card.

        Raises:
            SignalingError: malformed, or ``bad-card``. PairingError: ``wrong`` (the other side does not know
                the secret), ``impostor``, or a refusal.
        """
        keys, fields = self._known(), _fields(line)
        _require_proof(keys.mac("host proof"), fields)
        signed = keys.open("host card", _bytes(fields, "card"))
        card = _card(signed, _HOST + keys.transcript + self._identity.public_key)
        if self._secret.host_key and card.invite.public_key != self._secret.host_key:
            raise PairingError(
                "The device that answered is not the one that made the link. Nothing was stored. Somebody "
                "else knows this link: ask for a new one over another channel.",
                code="impostor",
            )
        return card

    def done(self) -> bytes:
        """Line 5, once the host's card is on disk."""
        return _line({"done": _b64(self._known().mac("done"))})

    def _known(self) -> _Keys:
        if self._keys is None:
            raise ValueError("line 2 comes before")
        return self._keys


class HostExchange:
    """The side that made the invite. One object a visitor.

    Args:
        identity: ours.
        card: ours.
        random: see `Random`.
    """

    def __init__(
        self, secret: PairingSecret, identity: Identity, card: Card, hello: Hello, random: Random
    ) -> None:
        self._secret, self._identity, self._card, self._hello = secret, identity, card, hello
        self._pake = _HostPake(secret.password, *_names(secret), entropy_f=random)
        self._element: bytes = self._pake.start()[1:]
        self._keys: _Keys | None = None
        self._guest_key = _UNKNOWN_KEY

    def answer(self) -> bytes:
        """Line 2. Says nothing about the secret, and compares nothing yet."""
        return _line({"pairing": limits.PAIRING_VERSION, "pake": _b64(self._element)})

    def take_proof(self, line: bytes) -> Card:
        """Read line 3: complete the PAKE, compare, open the guest's card. Where one guess is all that is
        allowed, it is to be written down before this is called.

        Raises:
            SignalingError: malformed, or ``bad-card``. PairingError: ``wrong``.
        """
        fields = _fields(line)
        proof, sealed = _bytes(fields, "proof", 32), _bytes(fields, "card")
        shared = _finish(self._pake, b"B", self._hello.element)
        keys = _Keys(_transcript(self._secret.tag, self._hello.element, self._element), shared)
        if not hmac.compare_digest(keys.mac("guest proof"), proof):
            raise _wrong()
        self._keys = keys
        about = _GUEST + keys.transcript + (self._secret.host_key or _UNKNOWN_KEY)
        card = _card(keys.open("guest card", sealed), about)
        self._guest_key = card.invite.public_key
        return card

    def proof(self) -> bytes:
        """Line 4, once the guest's card and its claim are on disk."""
        keys = self._known()
        card = _signed(self._identity, self._card, _HOST + keys.transcript + self._guest_key)
        return _line({"proof": _b64(keys.mac("host proof")), "card": _b64(keys.seal("host card", card))})

    def take_done(self, line: bytes) -> None:
        """Read line 5: the guest has us on its disk.

        Raises:
            SignalingError: it is not line 5 of this exchange.
        """
        if not hmac.compare_digest(self._known().mac("done"), _bytes(_fields(line), "done", 32)):
            raise SignalingError("The last line of the exchange is not the guest's.", code="bad-pairing")

    def _known(self) -> _Keys:
        if self._keys is None:
            raise ValueError("line 3 comes before")
        return self._keys


# --- inside -------------------------------------------------------------------------------------------------


def _names(secret: PairingSecret) -> tuple[bytes, bytes]:
    return b"P4 pairing host 1\0" + secret.host_key, b"P4 pairing guest 1\0"


class _HostPake(SPAKE2_A):  # type: ignore[misc] # it has no types
    """The host's side. Its part takes a time that says nothing about the password (the library multiplies
    faster by numbers with fewer ones): everybody near a place may ask for it often, before any guess."""

    def compute_outbound_message(self) -> None:
        """Called by the library, after its random number was drawn."""
        self.outbound_message = self.xy_elem.add(_blinding(self.pw)).to_bytes()


@lru_cache(maxsize=limits.PAIRING_INVITES)
def _blinding(password: bytes) -> Any:
    """What hides the host's part, computed once for an invite."""
    pake = SPAKE2_A(password)
    return pake.my_blinding().scalarmult(pake.pw_scalar)


def _finish(pake: SPAKE2_A | SPAKE2_B, far_side: bytes, element: bytes) -> bytes:
    """The PAKE's result. The side is ours to say, so that a reflected element is only a wrong one."""
    y = int.from_bytes(element, "little") & (1 << 255) - 1
    if not 1 < y < _FIELD:
        # The library knows the neutral element, y = 1, in one of its spellings only (RFC 8032 section 5.1.3).
        raise SignalingError("The other side's part of the PAKE is not usable.", code="bad-pake")
    try:
        return bytes(pake.finish(far_side + element))
    except Exception as error:  # the library raises plain Exceptions of its own for points that are none
        raise SignalingError("The other side's part of the PAKE is not usable.", code="bad-pake") from error


def _transcript(tag: bytes, guest: bytes, host: bytes) -> bytes:
    return hashlib.sha256(b"P4 pairing transcript 1\0" + tag + guest + host).digest()


def _signed(identity: Identity, card: Card, about: bytes) -> bytes:
    content = card.to_bytes()
    return identity.sign(b"P4 pairing card 1\0" + about + content) + content


def _card(signed: bytes, about: bytes) -> Card:
    signature, content = signed[:_SIGNATURE_BYTES], signed[_SIGNATURE_BYTES:]
    card = Card.parse(content)
    if not verify_signature(card.invite.public_key, signature, b"P4 pairing card 1\0" + about + content):
        raise _bad_card("its signature is wrong")
    return card


def _bad_card(why: str) -> SignalingError:
    return SignalingError(f"The other device's card cannot be used: {why}.", code="bad-card")


def _wrong() -> PairingError:
    return PairingError(
        "The other side did not know the secret of this invite. Nothing was stored.", code="wrong"
    )


def _require_proof(expected: bytes, fields: Mapping[str, object]) -> None:
    if not hmac.compare_digest(expected, _bytes(fields, "proof", 32)):
        raise _wrong()


def _fields(line: bytes) -> dict[str, object]:
    fields = parse_object(line, SignalingError)
    if "refused" in fields:
        raise refusal(fields["refused"])
    return fields


def _version(fields: Mapping[str, object]) -> int:
    version = fields.get("pairing")
    if type(version) is not int:
        raise SignalingError("The line is not one of pairing.", code="bad-pairing")
    if version != limits.PAIRING_VERSION:
        raise pairing_error("version")
    return version


def _bytes(fields: Mapping[str, object], key: str, length: int | None = None) -> bytes:
    text = fields.get(key)
    try:
        value = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        value = b""
    if not value or _b64(value) != text or (length is not None and len(value) != length):
        raise SignalingError(f"A line of pairing has no usable {key}.", code="bad-pairing")
    return value


def _b64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _line(fields: Mapping[str, object]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode("ascii")
