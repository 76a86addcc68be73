"""The onion service's key and address on disk."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from tests.adapters.store.sample_state import SEED, Warnings, onion_pair, write

from p4.adapters.store.state_dir import StateDirectory
from p4.errors import CorruptFileError, StateError


@pytest.mark.parametrize("number", range(20))
def test_an_onion_key_and_its_address_belong_together(
    state: StateDirectory, told: Warnings, number: int
) -> None:
    blob, service_id = onion_pair(bytes([number]) * 32)
    assert state.load_onion_key() is None
    state.save_onion_key(f"ED25519-V3:{blob}", f"{service_id}.onion")
    key = StateDirectory(state.path).load_onion_key()
    assert key is not None
    assert (key.blob, key.service_id) == (blob, service_id)
    assert blob not in repr(key)
    assert state.onion_key_path.read_text() == blob
    assert state.onion_id_path.read_text() == service_id
    assert told == []
    # The same again is no change; another one is never put in its place.
    state.save_onion_key(blob, service_id)
    with pytest.raises(StateError) as caught:
        state.save_onion_key(*onion_pair(b"z" * 32))
    assert caught.value.code == "onion-key-exists"
    assert state.onion_key_path.read_text() == blob


def test_an_address_of_another_key_is_not_saved(state: StateDirectory) -> None:
    with pytest.raises(ValueError, match="does not belong"):
        state.save_onion_key(onion_pair(SEED)[0], onion_pair(b"z" * 32)[1])
    assert not state.tor_directory.exists()


@pytest.mark.parametrize("data", [b"", bytes(88), b"AAAA", onion_pair(SEED)[0].encode()[:-10], b"\xff" * 88])
def test_a_damaged_onion_key_is_kept_and_reported(state: StateDirectory, data: bytes) -> None:
    state.save_onion_key(*onion_pair(SEED))
    write(state.onion_key_path, data)
    with pytest.raises(CorruptFileError, match=r"onion address.*backup.*new invite") as caught:
        state.load_onion_key()
    assert Path(caught.value.kept_as).read_bytes() == data


@pytest.mark.parametrize(
    "data",
    [b"", bytes(56), b"short", onion_pair(b"z" * 32)[1].encode(), onion_pair(SEED)[1].encode()[:-1] + b"a"],
)
def test_a_damaged_or_strange_address_is_kept_with_a_warning(
    state: StateDirectory, told: Warnings, data: bytes
) -> None:
    blob, service_id = onion_pair(SEED)
    state.save_onion_key(blob, service_id)
    write(state.onion_id_path, data)
    key = state.load_onion_key()
    assert key is not None
    assert (key.blob, key.service_id) == (blob, "")
    assert len(told) == 1
    (kept,) = state.tor_directory.glob("onion_service_id.txt.corrupt-*")
    assert kept.read_bytes() == data
    # Tor names the address of the key again.
    state.save_onion_key(blob, service_id)
    key = state.load_onion_key()
    assert key is not None
    assert key.service_id == service_id


def test_an_address_whose_key_is_gone_is_kept_with_a_warning(state: StateDirectory, told: Warnings) -> None:
    _, service_id = onion_pair(SEED)
    state.save_onion_key(*onion_pair(SEED))
    state.onion_key_path.unlink()
    assert state.load_onion_key() is None
    assert len(told) == 1
    assert "new invite" in told[0]
    (kept,) = state.tor_directory.glob("onion_service_id.txt.corrupt-*")
    assert kept.read_text() == service_id


def test_a_key_that_is_not_clamped_is_left_to_tor(state: StateDirectory) -> None:
    secret = bytearray(base64.b64decode(onion_pair(SEED)[0]))
    secret[0] |= 1
    blob = base64.b64encode(bytes(secret)).decode()
    state.save_onion_key(blob, onion_pair(b"z" * 32)[1])
    key = state.load_onion_key()
    assert key is not None
    assert key.service_id
