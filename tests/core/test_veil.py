"""Veiled lines; single malformed ones are vectors (vectors/veiled)."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p4.core import envelope, limits
from p4.core.identity import Identity
from p4.core.sealing import seal_payload
from p4.core.signaling import FAILURE_LINE, Offer
from p4.core.veil import is_veiled, unveil, veil
from p4.errors import SignalingError

ALICE, BOB, CAROL = (Identity(bytes([number]) * 32) for number in (1, 2, 3))


def refused(line: bytes, recipient: Identity = BOB) -> str:
    with pytest.raises(SignalingError) as caught:
        unveil(line, recipient)
    return caught.value.code


@given(st.binary(max_size=2000).filter(lambda line: not is_veiled(line)))
def test_its_recipient_reads_it(line: bytes) -> None:
    hidden = veil(line, BOB.public_key)
    assert is_veiled(hidden)
    assert b"\n" not in hidden
    assert unveil(hidden, BOB) == line


def test_nobody_else_reads_it_not_even_who_wrote_it() -> None:
    hidden = veil(b"line", BOB.public_key)
    assert refused(hidden, ALICE) == refused(hidden, CAROL) == "not-opened"


def test_every_altered_byte_is_noticed() -> None:
    line = b'{"payload":{}}'
    hidden = json.loads(veil(line, BOB.public_key))["veiled"]
    content = base64.b64decode(hidden)
    for position in range(len(content)):
        # The exchange ignores the top bit of the key (RFC 7748 section 5); the key schedule does not.
        for bit in (1, 128):
            changed = bytearray(content)
            changed[position] ^= bit
            assert refused(b'{"veiled":"' + base64.b64encode(changed) + b'"}') == "not-opened", position


@given(st.data())
def test_every_altered_character_is_refused(data: st.DataObject) -> None:
    hidden = veil(b"a line", BOB.public_key)
    position = data.draw(st.integers(0, len(hidden) - 1))
    character = data.draw(st.integers(0x21, 0x7E).filter(lambda value: value != hidden[position]))
    altered = hidden[:position] + bytes((character,)) + hidden[position + 1 :]
    with pytest.raises(SignalingError):
        unveil(altered, BOB)


def test_it_is_bound_to_its_purpose() -> None:
    """What was sealed as a payload opens no veil, though the keys are the same."""
    sealed = seal_payload({}, sender_key=ALICE.public_key, recipient_key=BOB.public_key)
    assert refused(json.dumps({"veiled": sealed["hpke"]}).encode()) == "not-opened"


def test_a_veil_within_a_veil() -> None:
    assert refused(veil(veil(b"line", BOB.public_key), BOB.public_key)) == "nested"


def test_the_same_line_never_looks_the_same_and_tells_its_length_only() -> None:
    first, second = (veil(b"line", BOB.public_key) for _ in range(2))
    assert first != second
    assert len(first) == len(second) == len(b'{"veiled": ""}') + 4 * ((32 + 4 + 16 + 2) // 3)


def test_the_longest_line_and_one_byte_more() -> None:
    """Base64 of key, line and tag must fit; the newline has a byte as well."""
    room = limits.SIGNALING_LINE_BYTES - 1 - len(b'{"veiled": ""}')
    longest = room // 4 * 3 - 48
    hidden = veil(b"x" * longest, BOB.public_key)
    assert len(hidden) < limits.SIGNALING_LINE_BYTES
    assert len(unveil(hidden, BOB)) == longest
    with pytest.raises(ValueError, match="too long"):
        veil(b"x" * (longest + 1), BOB.public_key)


def test_a_sealed_offer_of_30_000_characters_fits_under_a_veil() -> None:
    """Twice what a host with 20 addresses and 4 TURN servers makes."""
    payload = Offer("s" * 64, "x" * 30_000).to_payload()
    sealed = seal_payload(payload, sender_key=ALICE.public_key, recipient_key=BOB.public_key)
    line = envelope.seal(ALICE, BOB.peer_id, sealed, timestamp_ms=limits.SAFE_INTEGER, nonce=bytes(16))
    assert unveil(veil(line, BOB.public_key), BOB) == line


def test_a_key_that_would_give_everybody_the_same_secret_is_refused() -> None:
    for key in (bytes(32), b"\1" + bytes(31)):
        with pytest.raises(ValueError, match="not a usable"):
            veil(b"line", key)


def test_no_envelope_and_no_failure_looks_veiled() -> None:
    line = envelope.seal(ALICE, BOB.peer_id, {"veiled": "x"}, timestamp_ms=1, nonce=bytes(16))
    assert not is_veiled(line)
    assert not is_veiled(FAILURE_LINE)
