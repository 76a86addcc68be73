"""Keys, peer ids and signatures (spec/identity.md)."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from vectors.generate.common import ALICE, BOB, Vector, b64, id_of

FIELD = 2**255 - 19
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
SMALL_ORDER_8 = bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")


def vectors() -> Iterator[Vector]:
    # RFC 8032 section 7.1, tests 1 and 2: secret key and public key.
    for name, seed, public_key in (
        (
            "rfc8032_test_1",
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        ),
        (
            "rfc8032_test_2",
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        ),
    ):
        key = bytes.fromhex(public_key)
        yield Vector(
            "identity",
            f"derive_{name}",
            "public key and peer id of a known seed",
            "derive",
            {"seed_b64": b64(bytes.fromhex(seed))},
            "identity",
            value={"public_key_b64": b64(key), "peer_id": id_of(key)},
        )
    yield _key("key_ok", "an ordinary public key", ALICE.public_key_b64, peer_id=ALICE.peer_id)
    plain = ALICE.public_key_b64
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    trailing = plain[:42] + last[last.index(plain[42]) | 3] + "="
    yield _key("key_trailing_bits", "unused bits of the last base64 character are set", trailing)
    yield _key("key_no_padding", "base64 padding is missing", plain.rstrip("="))
    yield _key("key_urlsafe", "the URL-safe base64 alphabet", "-_" + "A" * 41 + "=")
    yield _key("key_white_space", "white space before the base64", " " + plain)
    yield _key("key_31_bytes", "one byte too few", b64(ALICE.public_key[:31]))
    yield _key("key_33_bytes", "one byte too many", b64(ALICE.public_key + b"\0"))
    yield _key("key_empty", "an empty string", "")
    looser = "the v1 core only counts the bytes of a key"
    yield _key("key_small_order_4", "a point of order 4: anybody can sign for it", b64(bytes(32)), looser)
    yield _key(
        "key_small_order_1", "the neutral element: anybody can sign for it", b64(b"\1" + bytes(31)), looser
    )
    yield _key("key_small_order_8", "a point of order 8: anybody can sign for it", b64(SMALL_ORDER_8), looser)
    yield _key(
        "key_not_canonical",
        "y is not below the field's prime: two codings of one point",
        b64((FIELD + 3).to_bytes(32, "little")),
        looser,
    )
    yield _key("key_not_on_curve", "no point has y = 2", b64(b"\2" + bytes(31)), looser)

    message = b"P4"
    signature = ALICE.sign(message)
    yield _signature("signature_ok", "an ordinary signature", ALICE.public_key_b64, message, signature)
    yield _signature(
        "signature_other_message", "signed was another message", plain, b"P5", signature, good=False
    )
    yield _signature(
        "signature_other_key", "another key signed", BOB.public_key_b64, message, signature, good=False
    )
    raw_signature = base64.b64decode(signature)
    scalar = int.from_bytes(raw_signature[32:], "little") + GROUP_ORDER
    yield _signature(
        "signature_malleated",
        "S plus the group order: the equation holds, RFC 8032 section 5.1.7 refuses it",
        plain,
        message,
        b64(raw_signature[:32] + scalar.to_bytes(32, "little")),
        good=False,
    )


def _key(name: str, comment: str, key: str, v1_looser: str = "", peer_id: str = "") -> Vector:
    given = {"public_key_b64": key}
    if peer_id:
        return Vector("identity", name, comment, "key", given, "identity", value={"peer_id": peer_id})
    return Vector("identity", name, comment, "key", given, "identity", "bad-key", v1_looser=v1_looser)


def _signature(
    name: str, comment: str, key: str, message: bytes, signature: str, *, good: bool = True
) -> Vector:
    given = {"public_key_b64": key, "message_hex": message.hex(), "signature_b64": signature}
    code = "ok" if good else "bad-signature"
    return Vector("identity", name, comment, "verify", given, "identity", code, value={})
