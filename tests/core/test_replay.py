"""The replay window; single cases are vectors, the general law is tests/property/test_core_replay.py."""

from __future__ import annotations

import pytest

from p4.core import limits
from p4.core.replay import ReplayWindow
from p4.errors import EnvelopeError


def nonce(number: int) -> bytes:
    return number.to_bytes(limits.NONCE_BYTES, "big")


def test_refusing_leaves_the_window_as_it_was() -> None:
    window = ReplayWindow().accept(nonce(1), 100)
    with pytest.raises(EnvelopeError) as caught:
        window.accept(nonce(1), 100)
    assert caught.value.code == "replayed"
    assert window == ReplayWindow(0, ((100, nonce(1)),))


def test_it_never_holds_more_than_its_capacity() -> None:
    window = ReplayWindow()
    for number in range(limits.REPLAY_NONCES + 10):
        window = window.accept(nonce(number), number + 1)
    assert len(window.entries) == limits.REPLAY_NONCES
    assert window.floor_ms == 10
    with pytest.raises(EnvelopeError):
        window.accept(nonce(0), 1)


def test_a_store_that_gives_too_much_or_disorder_is_brought_into_order() -> None:
    stored = [(3, nonce(3)), (1, nonce(1)), (2, nonce(2))]
    window = ReplayWindow(1, tuple(stored))
    assert window.entries == ((2, nonce(2)), (3, nonce(3)))
    assert ReplayWindow(0, tuple(stored), capacity=1) == ReplayWindow(2, ((3, nonce(3)),), capacity=1)


def test_pruning_nothing_changes_nothing() -> None:
    window = ReplayWindow().accept(nonce(1), 100)
    assert window.prune(100 + limits.MAX_SKEW_MS) is window


def test_a_clock_that_is_years_ahead_does_not_shut_the_sender_out() -> None:
    window = ReplayWindow().accept(nonce(1), 100).prune(10**15)
    assert window.floor_ms == 100
    assert window.accept(nonce(2), 101).entries == ((101, nonce(2)),)
