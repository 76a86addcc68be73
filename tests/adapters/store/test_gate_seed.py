"""The key of the gated service on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from p4.adapters.store.gate_seed import GATE_SEED_FILE, load_gate_seed
from p4.errors import CorruptFileError


def test_it_is_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    directory = tmp_path / "onionrelay"
    made = iter([b"a" * 32, b"b" * 32])
    assert load_gate_seed(directory, lambda length: next(made)[:length]) == b"a" * 32
    assert load_gate_seed(directory, lambda length: next(made)[:length]) == b"a" * 32
    assert (directory / GATE_SEED_FILE).stat().st_mode & 0o077 == 0
    assert directory.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", [b"", b"x", b"AAAA", b"*" * 44, b"\xff" * 44])
def test_a_damaged_one_is_set_aside_and_said(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / GATE_SEED_FILE
    path.write_bytes(damage)
    path.chmod(0o600)
    with pytest.raises(CorruptFileError):
        load_gate_seed(tmp_path, bytes)
    assert not path.exists()
    assert load_gate_seed(tmp_path, lambda length: b"c" * length) == b"c" * 32
