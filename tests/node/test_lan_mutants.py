"""Bugs planted into the presence on the local network: a test of test_lan.py notices each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.node import test_lan

from p4.core.address import RendezvousAddress, Transport
from p4.core.identity import PeerId
from p4.core.lan import Recognition
from p4.node.lan import LanPresence, _Place

PRESENCE = "p4.node.lan.LanPresence"


def _anybody(recognition: Recognition, tags: tuple[bytes, ...]) -> PeerId | None:
    return next(iter(recognition), None)


def _tell_at_once(presence: LanPresence, peer_id: PeerId, place: _Place, when: float) -> None:
    presence._tell(peer_id, place)


def _oldest_first(place: _Place) -> tuple[RendezvousAddress, ...]:
    return tuple(
        RendezvousAddress(Transport.DIRECT, host, sighting.port)
        for sighting in place.sightings.values()
        for host in sighting.addresses
    )


MUTANTS: list[tuple[str, str, Any, Callable[[], None]]] = [
    (
        "everybody is taken for a contact",
        "p4.core.lan.Recognition.recognise",
        _anybody,
        test_lan.test_contacts_find_each_other_and_nobody_else,
    ),
    (
        "tags never change",
        "p4.node.lan.period_of",
        lambda _: 2_000_000,
        test_lan.test_they_stay_found_while_names_and_tags_change,
    ),
    (
        "all nodes change their tags together",
        "p4.core.limits.LAN_JITTER_SECONDS",
        0.0,
        test_lan.test_not_everybody_shows_new_tags_at_the_same_moment,
    ),
    (
        "who was removed is recognised",
        f"{PRESENCE}._forget_all_but",
        lambda *_: None,
        test_lan.test_who_is_no_contact_any_more_is_gone_at_once_and_the_others_stay,
    ),
    (
        "strangers are not looked at again",
        f"{PRESENCE}._look_again",
        lambda _: None,
        test_lan.test_one_that_was_seen_before_it_was_a_contact_is_found_when_it_becomes_one,
    ),
    (
        "a replaced announcement is a departure",
        "p4.core.limits.LAN_GONE_SECONDS",
        0.0,
        test_lan.test_a_change_of_network_is_not_told_where_nothing_changed,
    ),
    (
        "old addresses first",
        "p4.node.lan._Place.addresses",
        property(_oldest_first),
        test_lan.test_after_a_crash_the_new_address_is_tried_first,
    ),
    (
        "every copy counts",
        "p4.core.limits.LAN_SOURCES",
        10**6,
        test_lan.test_repeated_announcements_cost_few_addresses_and_few_words,
    ),
    (
        "every change is told at once",
        f"{PRESENCE}._tell_soon",
        _tell_at_once,
        test_lan.test_repeated_announcements_cost_few_addresses_and_few_words,
    ),
    (
        "clocks must agree",
        "p4.core.limits.LAN_PERIODS_AROUND",
        1,
        test_lan.test_clocks_may_be_most_of_an_hour_apart,
    ),
]


@pytest.mark.parametrize(("bug", "target", "replacement", "test"), MUTANTS, ids=[each[0] for each in MUTANTS])
def test_a_planted_bug_is_noticed(
    bug: str, target: str, replacement: Any, test: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, replacement)
    with pytest.raises(AssertionError):
        test()
