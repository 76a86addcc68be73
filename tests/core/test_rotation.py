"""Statements of rotation, chains of them, and what a contact's trust makes of them (spec/rotation.md)."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.counts import examples

from p4.core import limits
from p4.core.identity import Identity
from p4.core.rotation import STATEMENT_BYTES, RotationStatement, current_key
from p4.core.trust import Outcome, Trust, Verification
from p4.errors import RemoteError

KEYS = [Identity(bytes([number] * 32)) for number in range(1, 9)]
FIRST, SECOND, THIRD, THIEF, OTHER, *_ = KEYS


def statement(old: Identity, new: Identity, now_ms: int = 5) -> RotationStatement:
    return RotationStatement.make(old, new, now_ms=now_ms)


CHAIN = (statement(FIRST, SECOND), statement(SECOND, THIRD))


@given(st.integers(0, 7), st.integers(0, 7), st.integers(0, limits.SAFE_INTEGER))
@examples(0.3)
def test_what_is_made_is_read(old: int, new: int, now_ms: int) -> None:
    if old == new:
        with pytest.raises(ValueError, match="another key"):
            statement(KEYS[old], KEYS[new], now_ms)
        return
    made = statement(KEYS[old], KEYS[new], now_ms)
    assert len(made.encoded) == STATEMENT_BYTES == 200
    assert RotationStatement.parse(made.encoded) == made


@given(st.integers(0, STATEMENT_BYTES - 1), st.integers(1, 255))
@examples(0.8)
def test_a_changed_byte_is_noticed(place: int, change: int) -> None:
    encoded = bytearray(CHAIN[0].encoded)
    encoded[place] ^= change
    with pytest.raises(RemoteError):
        RotationStatement.parse(bytes(encoded))


def test_a_chain_leads_to_the_present_key() -> None:
    assert current_key(FIRST.public_key, ()) == FIRST.public_key
    assert current_key(FIRST.public_key, CHAIN) == THIRD.public_key
    for broken in (
        CHAIN[::-1],
        CHAIN[1:],
        (*CHAIN, statement(SECOND, OTHER)),
        (*CHAIN, statement(THIRD, FIRST)),
    ):
        with pytest.raises(ValueError, match="follow"):
            current_key(FIRST.public_key, broken)


def after(*statements: RotationStatement) -> tuple[Trust, bytes]:
    trust, key = Trust(verified_key=FIRST.public_key), FIRST.public_key
    for one in statements:
        assert trust.consider(one, key) is Outcome.TAKEN
        trust, key = trust.rotated(one), one.new_key
    return trust, key


@pytest.mark.parametrize(
    ("one", "outcome"),
    [
        (statement(THIRD, OTHER), Outcome.TAKEN),
        (statement(FIRST, SECOND), Outcome.KNOWN),
        (statement(FIRST, SECOND, 77), Outcome.KNOWN),
        (statement(SECOND, THIRD), Outcome.KNOWN),
        (statement(FIRST, THIEF), Outcome.CONFLICT),
        (statement(SECOND, THIEF), Outcome.CONFLICT),
        (statement(THIRD, FIRST), Outcome.CONFLICT),
        (statement(THIEF, OTHER), Outcome.FOREIGN),
    ],
)
def test_what_a_statement_means(one: RotationStatement, outcome: Outcome) -> None:
    trust, key = after(*CHAIN)
    assert trust.consider(one, key) is outcome


def test_a_chain_does_not_grow_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ROTATIONS_OF_A_CONTACT", 2)
    trust, key = after(*CHAIN)
    assert trust.consider(statement(THIRD, OTHER), key) is Outcome.CONFLICT


def test_a_key_that_changed_is_never_verified() -> None:
    trust, key = after()
    assert trust.verification(key) is Verification.VERIFIED
    trust, key = after(*CHAIN)
    assert trust.verification(key) is Verification.ROTATED
    assert trust.verification(OTHER.public_key) is Verification.ROTATED
    assert Trust(verified_key=OTHER.public_key).verification(key) is Verification.NO
    assert Trust().verification(key) is Verification.NO
    assert dataclasses.replace(trust, verified_key=key).verification(key) is Verification.VERIFIED


def test_former_keys_count_until_the_present_one_was_used() -> None:
    trust, _ = after(*CHAIN)
    assert trust.waning_keys == (SECOND.public_key, FIRST.public_key)
    assert trust.retired_keys == ()
    settled = dataclasses.replace(trust, waning=0)
    assert settled.waning_keys == ()
    assert settled.retired_keys == (FIRST.public_key, SECOND.public_key)


def test_it_survives_the_disk() -> None:
    for trust, key in (after(), after(*CHAIN), (Trust(blocked=True), FIRST.public_key)):
        assert Trust.from_object(trust.to_object(), FIRST.public_key) == (trust, key)
    assert Trust().to_object() == {}


@pytest.mark.parametrize(
    "change",
    [
        {"rotations_b64": "x"},
        {"rotations_b64": [1]},
        {"rotations_b64": ["%"]},
        {"rotations_b64": ["AAAA"]},
        {"verified_key_b64": 1},
        {"verified_key_b64": "AAAA"},
        {"waning_keys": 3},
        {"waning_keys": -1},
        {"waning_keys": True},
        {"rotation_settled_ms": -1},
    ],
)
def test_a_file_that_was_tampered_with_is_not_used(change: dict[str, object]) -> None:
    trust, _ = after(*CHAIN)
    with pytest.raises(ValueError, match=r"."):
        Trust.from_object({**trust.to_object(), **change}, FIRST.public_key)
    with pytest.raises(ValueError, match="follow"):
        Trust.from_object(trust.to_object(), OTHER.public_key)
