"""Envelopes as an API; single wire cases are vectors (vectors/envelope)."""

from __future__ import annotations

import copy
import dataclasses
import json
from typing import Any

import pytest

from p4.core import limits
from p4.core.envelope import Verified, parse, seal
from p4.core.identity import Identity
from p4.errors import EnvelopeError, InputError

ALICE, BOB, CAROL = (Identity(bytes([number]) * 32) for number in (1, 2, 3))
NOW = 1_700_000_000_000
NONCE = bytes(range(16))


def sealed(payload: dict[str, object] | None = None) -> bytes:
    return seal(ALICE, BOB.peer_id, payload or {"type": "ping"}, timestamp_ms=NOW, nonce=NONCE)


def verified() -> Verified:
    return parse(sealed()).verify(ALICE.public_key, me=BOB.peer_id, now_ms=NOW)


def test_round_trip() -> None:
    result = parse(sealed({"a": [1, {"b": None}]})).verify(ALICE.public_key, me=BOB.peer_id, now_ms=NOW)
    assert result.sender == ALICE.peer_id
    assert (result.timestamp_ms, result.nonce) == (NOW, NONCE)
    assert result.payload == {"a": [1, {"b": None}]}


def test_sealing_is_deterministic_and_one_line() -> None:
    assert sealed({"b": "\n", "a": 1}) == sealed({"a": 1, "b": "\n"})
    assert b"\n" not in sealed({"b": "\n"})


def test_a_verified_cannot_be_made_up() -> None:
    with pytest.raises(TypeError, match=r"Unverified\.verify"):
        Verified(ALICE.peer_id, NOW, NONCE, {}, object())


def test_a_verified_cannot_be_turned_into_another() -> None:
    with pytest.raises((TypeError, ValueError)):
        dataclasses.replace(verified(), sender=CAROL.peer_id)  # type: ignore[call-arg]
    with pytest.raises(dataclasses.FrozenInstanceError):
        verified().sender = CAROL.peer_id  # type: ignore[misc]
    with pytest.raises(TypeError):
        verified().payload["type"] = "offer"  # type: ignore[index]


def test_nothing_but_the_six_signed_fields_and_the_signature_is_taken_along() -> None:
    decorated = {**json.loads(sealed()), "trusted": True}
    result = parse(json.dumps(decorated).encode())
    assert "trusted" not in repr(result)


@pytest.mark.parametrize("position", range(0, 64, 7))
def test_any_changed_bit_of_the_signature_is_noticed(position: int) -> None:
    unverified = parse(sealed())
    signature = bytearray(unverified.signature)
    signature[position] ^= 1
    with pytest.raises(EnvelopeError) as caught:
        dataclasses.replace(unverified, signature=bytes(signature)).verify(
            ALICE.public_key, me=BOB.peer_id, now_ms=NOW
        )
    assert caught.value.code == "bad-signature"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"sender": CAROL.peer_id, "recipient": CAROL.peer_id, "timestamp_ms": 0}, "wrong-sender"),
        ({"recipient": CAROL.peer_id, "timestamp_ms": 0}, "wrong-recipient"),
        ({"timestamp_ms": 0}, "bad-time"),
        ({"nonce": bytes(16)}, "bad-signature"),
    ],
)
def test_checks_come_in_their_documented_order(change: dict[str, Any], code: str) -> None:
    envelope = dataclasses.replace(parse(sealed()), **change)
    with pytest.raises(EnvelopeError) as caught:
        envelope.verify(ALICE.public_key, me=BOB.peer_id, now_ms=NOW)
    assert caught.value.code == code


def test_the_clock_message_tells_by_how_much() -> None:
    with pytest.raises(EnvelopeError, match=r"differ by 48\.0 hours") as caught:
        parse(sealed()).verify(ALICE.public_key, me=BOB.peer_id, now_ms=NOW - 2 * limits.MAX_SKEW_MS)
    assert caught.value.code == "bad-time"


def test_a_copy_is_equal_and_still_verified() -> None:
    result = verified()
    assert copy.copy(result) == result


def test_the_longest_line_is_sealed_and_read() -> None:
    room = limits.SIGNALING_LINE_BYTES - 1 - len(sealed({"x": ""}))
    longest = sealed({"x": "a" * room})
    assert len(longest) + len(b"\n") == limits.SIGNALING_LINE_BYTES
    assert parse(longest)
    with pytest.raises(ValueError, match="does not fit"):
        sealed({"x": "a" * (room + 1)})
    with pytest.raises(EnvelopeError) as caught:
        parse(longest + b" ")
    assert caught.value.code == "too-long"


def test_what_cannot_be_signed_is_our_own_mistake() -> None:
    with pytest.raises(InputError):
        sealed({"x": "\ud800"})
    with pytest.raises(ValueError, match="nonce"):
        seal(ALICE, BOB.peer_id, {}, timestamp_ms=NOW, nonce=b"short")


def test_a_strangers_envelope_is_checked_as_a_contacts_forged_one_is() -> None:
    """What is found first must not depend on whether the sender is known; so the same work is done."""
    for line, me, now, code in (
        (sealed(), CAROL.peer_id, NOW, "wrong-recipient"),
        (sealed(), BOB.peer_id, NOW + limits.MAX_SKEW_MS + 1, "bad-time"),
        (sealed(), BOB.peer_id, NOW, "bad-signature"),
    ):
        with pytest.raises(EnvelopeError) as caught:
            parse(line).refuse_stranger(BOB.public_key, me=me, now_ms=now)
        assert caught.value.code == code


def test_a_stranger_that_signs_with_our_key_is_still_a_stranger() -> None:
    with pytest.raises(EnvelopeError) as caught:
        parse(sealed()).refuse_stranger(ALICE.public_key, me=BOB.peer_id, now_ms=NOW)
    assert caught.value.code == "unknown-sender"
