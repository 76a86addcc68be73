"""X25519 keys that belong to Ed25519 identities (spec/sealing.md)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from vectors.generate.common import ALICE, BOB, CAROL, Person, Vector, b64
from vectors.generate.identity import FIELD, SMALL_ORDER_8

# RFC 8032 section 7.1, tests 1 and 2.
KNOWN = {
    "rfc8032_test_1": Person(
        bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    ),
    "rfc8032_test_2": Person(
        bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    ),
    "alice": ALICE,
    "bob": BOB,
    "carol": CAROL,
}


def private_key(person: Person) -> X25519PrivateKey:
    """The scalar of Ed25519. The library finds the public point by itself: nothing here converts points."""
    return X25519PrivateKey.from_private_bytes(scalar(person))


def scalar(person: Person) -> bytes:
    half = int.from_bytes(hashlib.sha512(person.seed).digest()[:32], "little")
    return (half % 2**254 // 8 * 8 + 2**254).to_bytes(32, "little")


def vectors() -> Iterator[Vector]:
    for name, person in KNOWN.items():
        public = private_key(person).public_key().public_bytes_raw()
        yield Vector(
            "x25519",
            f"private_{name}",
            "the private key that belongs to a known seed",
            "private",
            {"seed_b64": b64(person.seed)},
            "x25519",
            value={"private_key_hex": scalar(person).hex()},
        )
        yield _public(f"public_{name}", "the public key of the same identity", person.public_key, public)
    flipped = ALICE.public_key[:31] + bytes([ALICE.public_key[31] ^ 0x80])
    same = private_key(ALICE).public_key().public_bytes_raw()
    yield _public("public_other_sign", "the sign of x does not matter", flipped, same)
    for name, comment, key in (
        ("small_order_1", "y = 1 has no u", b"\1" + bytes(31)),
        ("small_order_2", "y = -1: everybody would get the same secret", (FIELD - 1).to_bytes(32, "little")),
        ("small_order_4", "y = 0: everybody would get the same secret", bytes(32)),
        ("small_order_8", "order 8: everybody would get the same secret", SMALL_ORDER_8),
        ("not_canonical", "y is not below the field's prime", (FIELD + 3).to_bytes(32, "little")),
        ("not_on_curve", "no point has y = 2", b"\2" + bytes(31)),
        ("31_bytes", "one byte too few", ALICE.public_key[:31]),
    ):
        yield _public(f"public_{name}", comment, key)


def _public(name: str, comment: str, key: bytes, public: bytes = b"") -> Vector:
    given = {"public_key_hex": key.hex()}
    if public:
        value = {"x25519_public_key_hex": public.hex()}
        return Vector("x25519", name, comment, "public", given, "x25519", value=value)
    return Vector("x25519", name, comment, "public", given, "x25519", "bad-key")
