"""Reassembly and windows: what is kept, in what memory, and what is granted for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p4.core import limits
from p4.core.session.stream_frames import Written
from p4.core.session.streams.reader import Reader
from p4.core.session.streams.reassembly import Reassembly
from p4.core.session.streams.windows import WindowBudget
from p4.errors import FrameError

TEXT = bytes(range(200))
stretches = st.lists(st.tuples(st.integers(0, 199), st.integers(1, 60)), max_size=40)


@given(stretches, st.integers(1, 50))
def test_bytes_come_in_order_and_once_whatever_arrives_how_often(
    pieces: list[tuple[int, int]], size: int
) -> None:
    held = Reassembly(0)
    present: set[int] = set()
    taken = b""
    for offset, length in [*pieces, (0, 200)]:
        data = TEXT[offset : offset + length]
        held.add(offset, data)
        present.update(range(offset, offset + len(data)))
        assert held.held == len([at for at in present if at >= held.position]), "each byte is kept once"
        taken += held.take(size)
        assert held.position == len(taken)
    while piece := held.take(size):
        taken += piece
    assert taken == TEXT


def test_many_small_pieces_take_little_more_memory_than_their_bytes() -> None:
    held = Reassembly(0)
    for offset in range(20_000):
        held.add(offset, b"x")
    assert len(held._ready.pieces) <= 6
    assert len(held.take(100_000)) > 4000


def test_too_many_holes_are_refused() -> None:
    held = Reassembly(0)
    for number in range(limits.STREAM_GAPS):
        held.add(2 * number + 1, b"x")
    with pytest.raises(FrameError) as caught:
        held.add(2 * limits.STREAM_GAPS + 1, b"x")
    assert caught.value.code == "scattered"


def test_a_window_grows_while_the_application_keeps_up_and_begins_small_on_a_new_link() -> None:
    reader = Reader(0, WindowBudget())
    reader.claim()
    reader.link_up()
    credit = reader.credit(1, 0)
    assert credit is not None
    assert credit.limit == limits.STREAM_FIRST_WINDOW_BYTES
    reader.written(Written(1, 0, final=False))
    offset = 0
    while reader.window < limits.STREAM_WINDOW_BYTES:
        credit = reader.credit(1, 0) or credit
        assert offset < credit.limit, "credit is renewed in time"
        reader.data(offset, bytes(credit.limit - offset))
        offset = credit.limit
        while reader.take(limits.STREAM_WINDOW_BYTES):
            pass
        reader.asks()
    reader.link_up()
    assert reader.window == limits.STREAM_FIRST_WINDOW_BYTES


def test_all_windows_together_stay_within_the_budget_and_every_stream_has_one() -> None:
    budget = WindowBudget()
    windows = [budget.begin() for _ in range(5)]
    for _ in range(10):
        windows = [budget.grow(window) for window in windows]
    windows += [budget.begin() for _ in range(500)]
    assert sum(windows) == budget.used <= limits.STREAM_WINDOWS_BYTES
    assert min(windows) >= limits.STREAM_LEAST_WINDOW_BYTES
    for window in windows:
        budget.give_back(window)
    assert not budget.used


def test_bytes_beyond_the_credit_are_refused() -> None:
    reader = Reader(0, WindowBudget())
    reader.claim()
    reader.link_up()
    with pytest.raises(FrameError):
        reader.data(0, b"before any credit was given")
    reader.credit(1, 0)
    reader.data(limits.STREAM_FIRST_WINDOW_BYTES - 1, b"x")
    with pytest.raises(FrameError) as caught:
        reader.data(limits.STREAM_FIRST_WINDOW_BYTES, b"x")
    assert caught.value.code == "stream-limit"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Written(1, 5, final=True), Written(1, 6, final=True)),
        (Written(1, 5, final=True), Written(1, 9, final=False)),
        (Written(1, 0, final=False), Written(1, 2, final=True)),
    ],
)
def test_an_end_that_moves_or_contradicts_what_was_sent_is_refused(first: Written, second: Written) -> None:
    reader = Reader(0, WindowBudget())
    reader.claim()
    reader.link_up()
    reader.credit(1, 0)
    reader.data(0, b"abc")
    reader.written(first)
    with pytest.raises(FrameError) as caught:
        reader.written(second)
    assert caught.value.code == "stream-end"
