"""A silent server slows the first gathering and not every reconnection."""

from __future__ import annotations

from p4.adapters.webrtc.patience import GatheringPatience
from p4.core import limits


def test_a_gathering_gets_the_whole_cap_at_first() -> None:
    assert GatheringPatience().seconds(relay_only=False) == limits.GATHER_SECONDS


def test_after_a_silent_server_the_next_ones_are_short_and_then_one_is_long_again() -> None:
    patience = GatheringPatience()
    given = []
    for _ in range(limits.GATHER_SHORT_TIMES + 2):
        given.append(patience.seconds(relay_only=False))
        patience.ended(complete=False)
    short = [limits.GATHER_SILENT_SECONDS] * limits.GATHER_SHORT_TIMES
    assert given == [limits.GATHER_SECONDS, *short, limits.GATHER_SECONDS]


def test_a_server_that_answers_again_gets_the_whole_cap_again() -> None:
    patience = GatheringPatience()
    patience.ended(complete=False)
    patience.ended(complete=True)
    assert patience.seconds(relay_only=False) == limits.GATHER_SECONDS


def test_where_only_relays_count_they_get_the_whole_cap() -> None:
    patience = GatheringPatience()
    patience.ended(complete=False)
    assert patience.seconds(relay_only=True) == limits.GATHER_SECONDS
