"""Sealed payloads (spec/sealing.md). HPKE is written out here, since a vector needs a fixed ephemeral key."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from vectors.generate.common import ALICE, BOB, CAROL, Person, Vector, b64, canonical
from vectors.generate.signaling import SESSION, described
from vectors.generate.x25519 import private_key

EPHEMERAL = X25519PrivateKey.from_private_bytes(bytes(range(96, 128)))
# RFC 9180 section 7: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305.
KEM_SUITE = b"KEM" + (0x0020).to_bytes(2, "big")
HPKE_SUITE = b"HPKE" + b"".join(number.to_bytes(2, "big") for number in (0x0020, 0x0001, 0x0003))
BASE_MODE = b"\0"
PING = {"type": "ping", "session_id": SESSION}


def extract(suite: bytes, salt: bytes, label: bytes, secret: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + secret, hashlib.sha256)


def expand(suite: bytes, key: bytes, label: bytes, info: bytes, length: int) -> bytes:
    labelled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.digest(key, labelled + b"\1", hashlib.sha256)[:length]  # never more than one block


def hpke(plain: bytes, recipient: bytes, info: bytes) -> bytes:
    """RFC 9180 sections 4.1, 5.1 and 6.1: the encapsulated key, then the ciphertext."""
    enc = EPHEMERAL.public_key().public_bytes_raw()
    shared = EPHEMERAL.exchange(X25519PublicKey.from_public_bytes(recipient))
    eae = extract(KEM_SUITE, b"", b"eae_prk", shared)
    secret = expand(KEM_SUITE, eae, b"shared_secret", enc + recipient, 32)
    context = (
        BASE_MODE
        + extract(HPKE_SUITE, b"", b"psk_id_hash", b"")
        + extract(HPKE_SUITE, b"", b"info_hash", info)
    )
    scheduled = extract(HPKE_SUITE, secret, b"secret", b"")
    key = expand(HPKE_SUITE, scheduled, b"key", context, 32)
    nonce = expand(HPKE_SUITE, scheduled, b"base_nonce", context, 12)
    return enc + ChaCha20Poly1305(key).encrypt(nonce, plain, b"")


def info(sender: Person, recipient: Person, label: bytes = b"P4 sealed signaling 1\0") -> bytes:
    return label + b"".join(one.peer_id.encode() + one.public_key for one in (sender, recipient))


def sealed_bytes(plain: bytes, context: bytes | None = None, to: Person = BOB) -> bytes:
    public = private_key(to).public_key().public_bytes_raw()
    return hpke(plain, public, context if context is not None else info(ALICE, to))


def payload(sealed: bytes) -> dict[str, Any]:
    return {"type": "sealed", "hpke": b64(sealed)}


def vectors() -> Iterator[Vector]:
    good = sealed_bytes(canonical(PING))
    yield _open("ok_ping", "a ping", payload(good), value=PING)
    offer = described(p4={"v": 2, "caps": [], "boot": "0" * 16, "nonce": "1" * 32})
    yield _open("ok_offer", "an offer", payload(sealed_bytes(canonical(offer))), value=offer)
    yield _open("ok_empty", "an empty object", payload(sealed_bytes(b"{}")), value={})
    spaced = sealed_bytes(b' {"type": "later"}\n')
    yield _open("ok_white_space", "a reader takes any white space", payload(spaced), value={"type": "later"})
    yield _open("ok_unknown_key", "unknown keys are ignored", {**payload(good), "later": 1}, value=PING)

    text = b64(good)
    for name, comment, hpke_field in (
        ("missing", "no hpke", None),
        ("number", "a number", 7),
        ("empty", "empty", ""),
        ("short", "no room for key and tag", b64(good[:47])),
        ("not_base64", "not base64", "!" + text[1:]),
        ("white_space", "white space before the base64", " " + text),
        ("no_padding", "base64 padding is missing", b64(good + b"\0" * (1 - len(good) % 3)).rstrip("=")),
        ("trailing_bits", "unused bits of the last base64 character are set", b64(bytes(49))[:-3] + "B=="),
    ):
        malformed: dict[str, Any] = {"type": "sealed", "hpke": hpke_field}
        if hpke_field is None:
            del malformed["hpke"]
        yield _open(f"form_{name}", comment, malformed, "bad-sealed")

    for name, comment, content in (
        ("tag_changed", "the last bit is another", good[:-1] + bytes([good[-1] ^ 1])),
        ("text_changed", "a bit of the ciphertext is another", good[:40] + bytes([good[40] ^ 1]) + good[41:]),
        ("key_changed", "a bit of the encapsulated key is another", bytes([good[0] ^ 1]) + good[1:]),
        ("cut", "the last byte is missing", good[:-1]),
        ("longer", "a byte more", good + b"\0"),
        ("key_of_small_order", "the encapsulated key is zero", bytes(32) + good[32:]),
        ("for_another", "sealed to Carol", sealed_bytes(canonical(PING), to=CAROL)),
        (
            "from_another",
            "Carol sealed it, Alice signs it: info names the sender",
            sealed_bytes(canonical(PING), info(CAROL, BOB)),
        ),
        (
            "other_label",
            "of another protocol",
            sealed_bytes(canonical(PING), info(ALICE, BOB, b"P4 other\0")),
        ),
        ("no_info", "bound to nobody", sealed_bytes(canonical(PING), b"")),
        (
            "recipient_swapped",
            "info names sender and recipient in the wrong order",
            sealed_bytes(canonical(PING), info(BOB, ALICE)),
        ),
    ):
        yield _open(f"not_opened_{name}", comment, payload(content), "not-opened")

    for name, comment, plain, code in (
        ("nested", "a sealed payload inside", canonical(payload(good)), "nested"),
        ("array", "not an object", b"[]", "not-object"),
        ("no_json", "no JSON", b"ping", "not-json"),
        ("nothing", "nothing at all", b"", "not-json"),
        ("not_utf8", "not UTF-8", b'{"a":"\xff"}', "not-utf8"),
        ("duplicate_key", "a key twice", b'{"a":1,"a":2}', "duplicate-key"),
    ):
        yield _open(f"content_{name}", comment, payload(sealed_bytes(plain)), code)


def _open(name: str, comment: str, content: dict[str, Any], code: str = "ok", value: Any = None) -> Vector:
    given = {
        "payload": content,
        "sender_public_key_b64": ALICE.public_key_b64,
        "recipient_seed_b64": b64(BOB.seed),
    }
    return Vector("sealed", name, comment, "open", given, "sealed", code, value)
