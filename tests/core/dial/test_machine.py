"""The table of spec/signaling.md, "Dial policy", cell by cell."""

from __future__ import annotations

import pytest
from tests.core.dial.machines import (
    ANSWERED_MS,
    HIGH,
    LOW,
    NOW,
    dialling,
    live,
    machine,
    offer,
    offered,
    opening,
)

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
    LinkLost,
    LinkProven,
    OfferArrived,
    OfferSent,
    OfferWithdrawn,
    Phase,
    Stop,
    TimePassed,
    Wake,
)

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


@pytest.mark.parametrize(
    ("ours_opened", "theirs", "seconds"),
    [
        ([False], OfferArrived(7, 2, "one", 5, opened=True), limits.HOLD_QUICK_SECONDS),
        ([False, True], OfferArrived(7, 2, "one", 5, opened=True), limits.HOLD_SECONDS),
        ([True, False], OfferArrived(7, 2, "one", 5, opened=True), limits.HOLD_SECONDS),
        ([False], OfferArrived(7, 2, "one", 5), limits.HOLD_SECONDS),
        ([True], OfferArrived(7, 2, "one", 5, quick=True), limits.HOLD_QUICK_SECONDS),
    ],
)
def test_an_offer_over_a_new_stream_says_that_older_ones_are_dead(
    ours_opened: list[bool], theirs: OfferArrived, seconds: float
) -> None:
    m = dialling()
    for opened in ours_opened:
        m.handle(OfferSent(1, opened), NOW)
    assert m.handle(theirs, NOW) == []
    assert m.handle(TimePassed(), NOW + seconds - 0.01) == []
    assert m.handle(TimePassed(), NOW + seconds) == [Abandon(1), AnswerOffer(2, 7)]


def test_while_the_answered_link_opens_a_new_stream_says_nothing() -> None:
    m = offered()
    m.handle(AnswerReceived(1, 2, "one", 9), NOW)
    m.handle(OfferArrived(7, 2, "one", 5, opened=True), NOW)
    assert m.deadline == NOW + limits.HOLD_SECONDS


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


@pytest.mark.parametrize("joining", [False, True])
@pytest.mark.parametrize("lower", [True, False])
def test_a_cancel_ends_what_was_answered_and_somebody_dials_again(joining: bool, lower: bool) -> None:
    m = machine(lower=lower)
    m.handle(Wake(), NOW)
    m.handle(offer(4), NOW)
    if joining:
        m.handle(AnswerSent(2), NOW)
    assert m.handle(OfferWithdrawn(4, cancelled=True), NOW) == [Abandon(2)]
    assert (m.attempt, m.tokens) == (None, set())
    assert m.retry_at is not None
    assert m.handle(TimePassed(), m.retry_at) == [Dial(3, fresh=False)], "it was no failure"
    assert m.last_failure == "the offer was withdrawn"


def test_after_a_cancel_the_lower_id_dials_first_whatever_the_jitter() -> None:
    moments: dict[bool, list[float]] = {True: [], False: []}
    for lower, found in moments.items():
        for jitter in (0.0, 1.0):
            m = machine(lower=lower, jitter=jitter)
            m.handle(offer(4), NOW)
            m.handle(AnswerSent(1), NOW)
            m.handle(OfferWithdrawn(4, cancelled=True), NOW)
            assert m.retry_at is not None
            found.append(m.retry_at - NOW)
    assert max(moments[True]) + limits.STAGGER_SECONDS < min(moments[False]), "its offer is there in time"
    assert max(moments[False]) < limits.BUSY_SECONDS / 2


@pytest.mark.parametrize("protocol", [0, 1])
def test_after_a_cancel_the_higher_id_still_leaves_v1_the_first_word(protocol: int) -> None:
    m = machine(lower=False, protocol=protocol)
    m.handle(offer(4, protocol=protocol), NOW)
    m.handle(AnswerSent(1), NOW)
    m.handle(OfferWithdrawn(4, cancelled=True), NOW)
    assert m.retry_at == NOW + sum(limits.QUIET_V1_SECONDS if protocol else limits.QUIET_SECONDS) / 2


def test_a_cancel_leaves_the_live_link_alone() -> None:
    m = live()
    m.handle(offer(9), NOW)
    m.handle(AnswerSent(2), NOW)
    assert m.handle(OfferWithdrawn(9, cancelled=True), NOW) == [Abandon(2)]
    assert (m.live, m.deadline) == (1, None)


def test_a_held_offer_that_is_cancelled_is_forgotten_and_ours_goes_on() -> None:
    m = offered()
    m.handle(offer(7), NOW)
    assert m.handle(OfferWithdrawn(7, cancelled=True), NOW) == []
    assert (m.attempt, m.tokens) == (1, set())


def test_the_cancel_of_an_offer_that_was_replaced_changes_nothing() -> None:
    m = machine()
    m.handle(offer(4, sent_ms=1000), NOW)
    m.handle(AnswerSent(1), NOW)
    m.handle(offer(5, sent_ms=1001), NOW)
    assert m.handle(OfferWithdrawn(4, cancelled=True), NOW) == []
    assert (m.attempt, m.tokens) == (2, {5})


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
