"""Comparison codes (spec/verification.md)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.counts import examples

from p4.core.verification import comparison_indices
from p4.node.peer_trust import comparison_words

KEY = st.binary(min_size=32, max_size=32)


@given(KEY, KEY)
@examples(0.08)
def test_both_sides_see_the_same_words_and_others_do_not(one: bytes, other: bytes) -> None:
    code = comparison_indices(one, other)
    assert code == comparison_indices(other, one)
    assert len(code) == 6
    assert all(0 <= index < 2048 for index in code)
    changed = bytes([one[0] ^ 1]) + one[1:]
    assert comparison_indices(changed, other) != code


def test_words_of_the_published_list() -> None:
    words = comparison_words(bytes(32), bytes(31) + b"\1")
    assert len(words) == 6
    assert all(word.isascii() and word.islower() and 3 <= len(word) <= 8 for word in words)
    assert words == comparison_words(bytes(31) + b"\1", bytes(32))


def test_only_keys() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        comparison_indices(bytes(32), bytes(33))
