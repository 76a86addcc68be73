"""Identities: RFC 8032's own examples, key coding, and which keys prove nothing (spec/identity.md)."""

from __future__ import annotations

import hashlib

import pytest

from p4.core.identity import (
    Identity,
    decode_key,
    encode_key,
    is_peer_id,
    is_usable_key,
    peer_id_of,
    verify_signature,
)

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P


def test_rfc_8032_test_3_signature() -> None:
    identity = Identity(bytes.fromhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"))
    assert identity.public_key.hex() == "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"
    signature = identity.sign(bytes.fromhex("af82"))
    assert signature.hex() == (
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
    )
    assert verify_signature(identity.public_key, signature, bytes.fromhex("af82"))
    assert not verify_signature(identity.public_key, signature, b"")


def test_peer_id_is_the_beginning_of_the_hash() -> None:
    identity = Identity(bytes(32))
    assert identity.peer_id == hashlib.sha256(identity.public_key).hexdigest()[:24]
    assert identity.peer_id == peer_id_of(identity.public_key)
    assert is_peer_id(identity.peer_id)


@pytest.mark.parametrize("text", ["", "0" * 23, "0" * 25, "0" * 23 + "A", "0" * 24 + "\n", "٠" * 24])
def test_not_a_peer_id(text: str) -> None:
    assert not is_peer_id(text)


def test_repr_hides_the_seed() -> None:
    seed = b"never-to-be-shown-in-any-log-...".ljust(32)
    assert "never" not in repr(Identity(seed))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_seed_has_32_bytes(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Identity(bytes(length))


def test_key_coding_round_trip() -> None:
    key = bytes(range(32))
    assert decode_key(encode_key(key)) == key


@pytest.mark.parametrize("text", ["", "é", "A" * 43, "A" * 43 + "B", "A" * 44, "A" * 43 + "=\n", "\ud800"])
def test_key_coding_is_canonical(text: str) -> None:
    with pytest.raises(ValueError, match=r"base64|bytes instead"):
        decode_key(text)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_signature_check_never_raises(length: int) -> None:
    assert not verify_signature(bytes(length), bytes(64), b"")
    assert not verify_signature(bytes(32), bytes(length), b"")


def test_ordinary_keys_are_usable() -> None:
    assert all(is_usable_key(Identity(bytes([number]) * 32).public_key) for number in range(50))


def test_exactly_the_points_of_small_order_are_refused() -> None:
    """Computed here from the curve alone: multiply candidates up, do not trust a list of constants."""
    small = {multiply(torsion_generator(), factor) for factor in range(8)}
    assert len(small) == 8
    for x, y in small:
        assert multiply((x, y), 8) == (0, 1)
        assert not is_usable_key(encode_point(x, y))
    # y and the field's prime minus y belong together, so the set is closed under both signs.
    assert all(not is_usable_key(encode_point(-x % P, y)) for x, y in small)


def test_a_point_of_mixed_order_is_usable() -> None:
    """Adding torsion to an honest key gives another key, not one for which anybody can sign."""
    base_y = 4 * pow(5, -1, P) % P
    mixed = add((recover_x(base_y), base_y), torsion_generator())
    assert is_usable_key(encode_point(*mixed))


def test_anybody_can_sign_for_a_point_of_small_order() -> None:
    """Why they are refused: the library takes a signature that nobody made."""
    neutral = encode_point(0, 1)
    assert verify_signature(neutral, neutral + bytes(32), b"anything")


Point = tuple[int, int]


def add(a: Point, b: Point) -> Point:
    (x1, y1), (x2, y2) = a, b
    product = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, P) % P
    y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, P) % P
    return x, y


def multiply(point: Point, factor: int) -> Point:
    result = (0, 1)
    for bit in f"{factor:b}":
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def recover_x(y: int) -> int:
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    root = pow(square, (P + 3) // 8, P)
    if root * root % P != square:
        root = root * pow(2, (P - 1) // 4, P) % P
    if root * root % P != square:
        raise ValueError("not on the curve")
    return root


def torsion_generator() -> Point:
    """A point of order 8: any point times the order of the prime subgroup, unless it lands lower."""
    subgroup_order = 2**252 + 27742317777372353535851937790883648493
    for y in range(2, 100):
        try:
            point = multiply((recover_x(y), y), subgroup_order)
        except ValueError:
            continue
        if multiply(point, 4) != (0, 1):
            return point
    raise AssertionError("no generator found")


def encode_point(x: int, y: int) -> bytes:
    return (y | (x & 1) << 255).to_bytes(32, "little")
