"""Changes of path, better paths, restarts of the contact: what the dial machine makes of them."""

from __future__ import annotations

from tests.core.dial.machines import ANSWERED_MS, NOW, live, machine, offer, offered, opening

from p4.core import limits
from p4.core.dial import (
    Abandon,
    Adopt,
    AnswerOffer,
    AnswerReceived,
    AttemptFailed,
    CloseLink,
    Decline,
    Dial,
    Improve,
    LinkLost,
    LinkProven,
    OfferSent,
    PathChanged,
)

# --- changes of our own network ------------------------------------------------------------------------


def test_after_a_change_of_path_a_new_link_is_made_beside_the_one_in_service() -> None:
    m = live()
    assert m.handle(PathChanged(), NOW) == [Dial(2, fresh=False, beside=True)]
    assert m.live == 1
    m.handle(OfferSent(2), NOW)
    m.handle(AnswerReceived(2, 2, "one"), NOW)
    assert m.handle(LinkProven(2), NOW) == [CloseLink(1, goodbye=False), Adopt(2)]


def test_a_change_of_path_voids_the_attempt_in_progress() -> None:
    for m in (offered(), opening()):
        assert m.handle(PathChanged(), NOW) == [Abandon(1), Dial(2, fresh=False)]


def test_what_was_answered_before_a_change_of_path_is_offered_anew() -> None:
    m = live()
    m.handle(offer(7), NOW)
    assert m.handle(PathChanged(), NOW) == [Abandon(2), Dial(3, fresh=False, beside=True)]


def test_a_held_offer_is_answered_after_a_change_of_path() -> None:
    m = offered()
    m.handle(offer(7), NOW)
    assert m.handle(PathChanged(), NOW) == [Abandon(1), AnswerOffer(2, 7)]


def test_before_the_node_is_awake_a_change_of_path_does_nothing() -> None:
    assert machine().handle(PathChanged(), NOW) == []


def test_a_failed_renewal_leaves_the_link_in_service_alone() -> None:
    m = live()
    m.handle(PathChanged(), NOW)
    assert m.handle(AttemptFailed(2, "no way"), NOW) == []
    assert m.live == 1
    assert m.deadline is None


def test_a_link_over_a_relay_is_improved_by_a_direct_one_only() -> None:
    m = live()
    assert m.handle(Improve(), NOW) == [Dial(2, fresh=False, direct=True, beside=True)]
    assert m.handle(Improve(), NOW) == []
    m.handle(OfferSent(2), NOW)
    m.handle(AnswerReceived(2, 2, "one", ANSWERED_MS), NOW)
    assert m.handle(AttemptFailed(2, "no direct path"), NOW) == []
    assert m.last_failure == "", "there is a link"
    assert m.deadline is None, "whoever watches the path says when to try again"


def test_an_attempt_that_may_lead_nowhere_ends_with_the_link_that_it_shall_replace() -> None:
    for sent in (False, True):
        m = live()
        m.handle(Improve(), NOW)
        if sent:
            m.handle(OfferSent(2), NOW)
        later = NOW + limits.STABLE_SECONDS
        assert m.handle(LinkLost(1, "gone"), later) == [Abandon(2), Dial(3, fresh=False)]


def test_a_direct_link_that_is_about_to_open_has_a_moment_left() -> None:
    m = live()
    m.handle(Improve(), NOW)
    m.handle(OfferSent(2), NOW)
    m.handle(AnswerReceived(2, 2, "one", ANSWERED_MS), NOW)
    assert m.handle(LinkLost(1, "the contact has adopted the direct one"), NOW + 1) == []
    assert m.deadline == NOW + 1 + limits.DIRECT_OPENING_SECONDS
    assert m.handle(LinkProven(2), NOW + 1.1) == [Adopt(2)]


def test_what_was_begun_without_hurry_begins_anew_when_the_link_is_lost() -> None:
    m = live()
    m.handle(PathChanged(), NOW)
    assert m.handle(LinkLost(1, "gone"), NOW) == [Abandon(2), Dial(3, fresh=False)]


def test_without_a_link_there_is_nothing_to_improve() -> None:
    assert machine().handle(Improve(), NOW) == []


def test_a_contact_that_restarted_while_the_link_opens_is_answered_at_once() -> None:
    assert opening().handle(offer(boot="two"), NOW) == [Abandon(1), AnswerOffer(2, 1)]


def test_while_answering_a_newer_offer_replaces_the_older() -> None:
    m = machine()
    m.handle(offer(1, sent_ms=1000), NOW)
    assert m.handle(offer(2, sent_ms=2000), NOW) == [Abandon(1), AnswerOffer(2, 2)]


def test_an_offer_that_was_overtaken_is_declined() -> None:
    m = machine()
    m.handle(offer(1, sent_ms=2000), NOW)
    assert m.handle(offer(2, sent_ms=1000), NOW) == [Decline(2)]


def test_a_contact_whose_clock_was_set_back_is_still_answered() -> None:
    m = machine()
    m.handle(offer(1, sent_ms=10_000_000), NOW)
    assert m.handle(offer(2, sent_ms=1000), NOW) == [Abandon(1), AnswerOffer(2, 2)]
