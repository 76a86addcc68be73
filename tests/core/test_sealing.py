from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p4.core import envelope, limits
from p4.core.identity import Identity
from p4.core.sealing import is_sealed, open_payload, seal_payload, x25519_private_key, x25519_public_key
from p4.errors import SignalingError

ALICE, BOB, CAROL = (Identity(bytes([number]) * 32) for number in (1, 2, 3))
PAYLOADS = st.dictionaries(st.text("abcé", max_size=5), st.text("xyzß\n", max_size=50) | st.integers(0, 9))


@given(PAYLOADS)
def test_what_was_sealed_for_us_opens(payload: dict[str, object]) -> None:
    sealed = seal_payload(payload, sender_key=ALICE.public_key, recipient_key=BOB.public_key)
    assert is_sealed(sealed)
    assert open_payload(sealed, sender_key=ALICE.public_key, recipient=BOB) == payload


def test_nobody_else_opens_it_and_nobody_else_sent_it() -> None:
    sealed = seal_payload({}, sender_key=ALICE.public_key, recipient_key=BOB.public_key)
    for sender, recipient in ((ALICE, CAROL), (CAROL, BOB), (BOB, BOB), (ALICE, ALICE)):
        with pytest.raises(SignalingError) as caught:
            open_payload(sealed, sender_key=sender.public_key, recipient=recipient)
        assert caught.value.code == "not-opened"


def test_the_same_payload_never_looks_the_same() -> None:
    keys = {"sender_key": ALICE.public_key, "recipient_key": BOB.public_key}
    assert seal_payload({}, **keys) != seal_payload({}, **keys)


@given(st.binary(min_size=32, max_size=32))
def test_both_halves_belong_together(seed: bytes) -> None:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    private = X25519PrivateKey.from_private_bytes(x25519_private_key(seed))
    assert private.public_key().public_bytes_raw() == x25519_public_key(Identity(seed).public_key)


def test_a_key_that_would_give_everybody_the_same_secret_is_refused() -> None:
    for key in (bytes(32), b"\1" + bytes(31), (2**255 - 20).to_bytes(32, "little")):
        with pytest.raises(ValueError, match="not a usable"):
            seal_payload({}, sender_key=ALICE.public_key, recipient_key=key)


def test_a_description_of_45_000_characters_still_fits_a_line() -> None:
    """Three times what a host with 20 addresses and 4 TURN servers makes."""
    payload = {"type": "offer", "session_id": "s" * 64, "sdp": "x" * 45_000, "sdp_type": "offer"}
    sealed = seal_payload(payload, sender_key=ALICE.public_key, recipient_key=BOB.public_key)
    line = envelope.seal(ALICE, BOB.peer_id, sealed, timestamp_ms=limits.SAFE_INTEGER, nonce=bytes(16))
    assert len(line) < limits.SIGNALING_LINE_BYTES
