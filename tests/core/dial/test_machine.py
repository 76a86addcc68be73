"""The table of spec/signaling.md, "Dial policy", cell by cell."""

from __future__ import annotations

import pytest

from p4.core import limits
from p4.core.dial import (
    Abandon,
    Adopt,
    AnswerOffer,
    AnswerReceived,
    AnswerSent,
    AttemptFailed,
    CloseLink,
    Decline,
    Dial,
    DialMachine,
    DropRequested,
    Improve,
    LinkLost,
    LinkProven,
    OfferArrived,
    OfferSent,
    OfferWithdrawn,
    PathChanged,
    Phase,
    Stop,
    TimePassed,
    Wake,
)
from p4.core.identity import PeerId

LOW, HIGH = PeerId("a" * 24), PeerId("b" * 24)
NOW = 50.0
ANSWERED_MS = 1000


def machine(*, lower: bool = True, protocol: int = 2, jitter: float = 0.5) -> DialMachine:
    me, peer = (LOW, HIGH) if lower else (HIGH, LOW)
    return DialMachine(me, peer, protocol=protocol, jitter=lambda: jitter)


def offer(token: int = 1, *, protocol: int = 2, boot: str = "one", sent_ms: int = 1000) -> OfferArrived:
    return OfferArrived(token, protocol, boot, sent_ms)


def dialling(**given: bool | int) -> DialMachine:
    m = machine(**given)  # type: ignore[arg-type] # passed on
    assert m.handle(Wake(), NOW) == [Dial(1, fresh=False)]
    return m


def offered(**given: bool | int) -> DialMachine:
    m = dialling(**given)
    assert m.handle(OfferSent(1), NOW) == []
    return m


def opening(**given: bool | int) -> DialMachine:
    m = offered(**given)
    assert m.handle(AnswerReceived(1, 2, "one", ANSWERED_MS), NOW) == []
    return m


def live(**given: bool | int) -> DialMachine:
    m = opening(**given)
    assert m.handle(LinkProven(1), NOW) == [Adopt(1)]
    return m


# --- who dials, and when -----------------------------------------------------------------------------


@pytest.mark.parametrize("lower", [True, False])
def test_both_dial_a_contact_that_is_known_to_be_ours(lower: bool) -> None:
    assert machine(lower=lower).handle(Wake(), NOW) == [Dial(1, fresh=False)]


def test_the_lower_id_dials_anybody_at_once() -> None:
    for protocol in (0, 1):
        assert machine(protocol=protocol).handle(Wake(), NOW) == [Dial(1, fresh=False)]


@pytest.mark.parametrize(
    ("protocol", "quiet"), [(0, limits.QUIET_SECONDS), (1, limits.QUIET_V1_SECONDS)], ids=["unknown", "v1"]
)
def test_the_higher_id_leaves_v1_the_first_word(protocol: int, quiet: tuple[float, float]) -> None:
    m = machine(lower=False, protocol=protocol)
    assert m.handle(Wake(), NOW) == []
    assert m.deadline == NOW + sum(quiet) / 2
    assert m.handle(Wake(), NOW + 1) == [], "a second wake must not shorten the wait"
    assert m.handle(TimePassed(), m.deadline) == [Dial(1, fresh=False)]


def test_nothing_is_dialled_before_dialling_is_possible() -> None:
    m = machine()
    assert m.deadline is None
    assert m.handle(TimePassed(), NOW) == []


def test_failures_back_off_up_to_the_limit_and_ask_for_a_fresh_descriptor() -> None:
    m = dialling()
    now, delays = NOW, []
    for attempt in range(1, 12):
        assert m.handle(AttemptFailed(attempt, "no"), now) == []
        assert m.retry_at is not None
        delays.append(m.retry_at - now)
        now = m.retry_at
        assert m.handle(TimePassed(), now) == [Dial(attempt + 1, fresh=True)]
    assert delays[0] == pytest.approx(limits.RETRY_FIRST_SECONDS)
    assert delays[1] == pytest.approx(2 * delays[0])
    assert max(delays) == pytest.approx(limits.RETRY_MAX_SECONDS)


def test_retries_are_spread() -> None:
    moments = []
    for jitter in (0.0, 1.0):
        m = DialMachine(LOW, HIGH, protocol=2, jitter=lambda jitter=jitter: jitter)  # type: ignore[misc] # bound
        m.handle(Wake(), NOW)
        m.handle(AttemptFailed(1, "no"), NOW)
        moments.append(m.retry_at)
    assert moments[0] != moments[1]


def test_busy_waits_for_the_contacts_own_offer() -> None:
    m = offered()
    m.handle(AttemptFailed(1, "busy", busy=True), NOW)
    assert m.retry_at == NOW + 1.5 * limits.BUSY_SECONDS


# --- glare -----------------------------------------------------------------------------------------------


def test_an_offer_is_answered_when_nothing_else_goes_on() -> None:
    assert machine().handle(offer(), NOW) == [AnswerOffer(1, 1)]


@pytest.mark.parametrize("lower", [True, False])
def test_before_anything_was_sent_the_contacts_offer_wins(lower: bool) -> None:
    assert dialling(lower=lower).handle(offer(), NOW) == [Abandon(1), AnswerOffer(2, 1)]


def test_the_higher_id_drops_its_offer() -> None:
    assert offered(lower=False).handle(offer(), NOW) == [Abandon(1), AnswerOffer(2, 1)]


def test_the_lower_id_holds_the_others_offer_and_declines_it_when_its_own_succeeds() -> None:
    m = offered()
    assert m.handle(offer(7), NOW) == []
    assert m.tokens == {7}
    m.handle(AnswerReceived(1, 2, "one"), NOW)
    assert m.handle(LinkProven(1), NOW) == [Decline(7), Adopt(1)]


def test_the_lower_id_answers_the_held_offer_when_its_own_fails() -> None:
    m = offered()
    m.handle(offer(7), NOW)
    assert m.handle(AttemptFailed(1, "no reply"), NOW) == [AnswerOffer(2, 7)]


def test_the_lower_id_answers_the_held_offer_when_its_own_stays_unanswered() -> None:
    m = offered()
    m.handle(offer(7), NOW)
    assert m.deadline == NOW + limits.HOLD_SECONDS
    assert m.handle(TimePassed(), NOW + limits.HOLD_SECONDS) == [Abandon(1), AnswerOffer(2, 7)]


def test_a_held_offer_that_is_withdrawn_is_forgotten() -> None:
    m = offered()
    m.handle(offer(7), NOW)
    assert m.handle(OfferWithdrawn(7), NOW) == []
    assert m.tokens == set()


def test_of_two_held_offers_the_newer_stays() -> None:
    m = offered()
    m.handle(offer(7), NOW)
    assert m.handle(offer(8), NOW) == [Decline(7)]


@pytest.mark.parametrize("lower", [True, False])
def test_v1_cannot_answer_while_it_dials_so_its_offer_wins(lower: bool) -> None:
    for m in (offered(lower=lower), opening(lower=lower)):
        assert m.handle(offer(protocol=1, boot=""), NOW) == [Abandon(1), AnswerOffer(2, 1)]


def test_while_a_link_opens_a_late_offer_is_held() -> None:
    assert opening().handle(offer(boot="one", sent_ms=ANSWERED_MS), NOW) == []


def test_an_offer_sealed_after_the_answer_means_that_the_contact_gave_it_up() -> None:
    late = offer(boot="one", sent_ms=ANSWERED_MS + 1)
    assert opening().handle(late, NOW) == [Abandon(1), AnswerOffer(2, 1)]


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


# --- links -------------------------------------------------------------------------------------------------


def test_a_live_link_stays_until_the_new_one_is_proven() -> None:
    m = live()
    assert m.handle(offer(9), NOW) == [AnswerOffer(2, 9)]
    assert m.live == 1
    m.handle(AnswerSent(2), NOW)
    assert m.handle(LinkProven(2), NOW) == [CloseLink(1, goodbye=False), Adopt(2)]


def test_a_failed_answer_leaves_the_live_link_alone() -> None:
    m = live()
    m.handle(offer(9), NOW)
    assert m.handle(AttemptFailed(2, "bad sdp"), NOW) == []
    assert m.live == 1
    assert m.deadline is None


def test_a_link_that_opens_before_the_answer_is_written_counts() -> None:
    m = machine()
    m.handle(offer(), NOW)
    assert m.handle(LinkProven(1), NOW) == [Adopt(1)]


def test_events_of_old_generations_change_nothing() -> None:
    m = live()
    m.handle(DropRequested(), NOW)
    assert m.attempt == 2
    for event in (LinkLost(1, "late"), LinkProven(1), AttemptFailed(1, "late"), AnswerReceived(1, 2, "")):
        assert m.handle(event, NOW) == []
    assert (m.attempt, m.phase, m.live) == (2, Phase.DIALLING, None)


def test_the_lower_id_dials_at_once_after_a_loss_and_the_higher_a_little_later() -> None:
    later = NOW + limits.STABLE_SECONDS
    assert live().handle(LinkLost(1, "gone"), later) == [Dial(2, fresh=False)]
    m = live(lower=False)
    assert m.handle(LinkLost(1, "gone"), later) == []
    assert m.retry_at == later + limits.STAGGER_SECONDS


def test_who_was_told_goodbye_waits_for_the_others_offer() -> None:
    m = live()
    assert m.handle(LinkLost(1, "dropped", by_peer=True), NOW) == []
    assert m.retry_at == NOW + limits.STAGGER_SECONDS


def test_links_that_break_at_once_are_not_dialled_in_a_tight_loop() -> None:
    m, now, delays = live(), NOW, []
    for generation in range(1, 8):
        m.handle(LinkLost(generation, "broken"), now)
        assert m.retry_at is not None
        delays.append(m.retry_at - now)
        now = m.retry_at
        m.handle(TimePassed(), now)
        m.handle(OfferSent(generation + 1), now)
        m.handle(AnswerReceived(generation + 1, 2, ""), now)
        m.handle(LinkProven(generation + 1), now)
    assert delays[-1] > 10 * delays[0]


def test_an_attempt_that_does_not_open_is_given_up() -> None:
    m = opening()
    assert m.deadline == NOW + limits.LINK_OPEN_SECONDS
    assert m.handle(TimePassed(), m.deadline) == [Abandon(1)]
    assert m.retry_at is not None


def test_time_alone_never_ends_an_attempt_that_has_not_reached_its_deadline() -> None:
    for m in (dialling(), offered(), opening()):
        assert m.handle(TimePassed(), NOW + limits.LINK_OPEN_SECONDS - 0.1) == []
        assert m.attempt == 1


def test_an_answered_offer_whose_stream_ends_gets_little_time() -> None:
    m = machine()
    m.handle(offer(4), NOW)
    m.handle(AnswerSent(1), NOW)
    m.handle(OfferWithdrawn(4), NOW)
    assert m.deadline == NOW + limits.WITHDRAWN_SECONDS


def test_drop_closes_with_a_goodbye_and_dials() -> None:
    assert live(lower=False).handle(DropRequested(), NOW) == [
        CloseLink(1, goodbye=True),
        Dial(2, fresh=False),
    ]


def test_drop_without_a_link_does_nothing() -> None:
    assert machine().handle(DropRequested(), NOW) == []


def test_stop_ends_everything_and_declines_what_comes_later() -> None:
    m = live()
    m.handle(offer(3), NOW)
    assert m.handle(Stop(), NOW) == [Abandon(2), CloseLink(1, goodbye=True)]
    assert m.handle(offer(4), NOW) == [Decline(4)]
    assert m.handle(Wake(), NOW) == []
    assert m.deadline is None


def test_the_highest_protocol_is_remembered() -> None:
    m = machine(protocol=0)
    m.handle(offer(protocol=2), NOW)
    assert m.protocol == 2
    m.handle(AttemptFailed(1, "no"), NOW)
    m.handle(offer(5, protocol=1), NOW)
    assert m.protocol == 2
