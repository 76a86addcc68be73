from __future__ import annotations

import pytest

from p4.core import limits
from p4.core.session.heartbeat import Heartbeat, Verdict

START = 100.0


def measured(round_trip: float = 0.05) -> tuple[Heartbeat, float]:
    """A heartbeat whose round trip is known, and the time."""
    heartbeat = Heartbeat(START)
    token = heartbeat.next_ping(START)
    now = START + round_trip
    heartbeat.pong(token, now)
    return heartbeat, now


def test_the_first_ping_goes_at_once() -> None:
    assert Heartbeat(START).tick(START) is Verdict.PING


def test_a_slow_first_answer_is_not_death() -> None:
    heartbeat = Heartbeat(START)
    heartbeat.next_ping(START)
    now = START
    while now < START + limits.FIRST_PONG_SECONDS - 0.1:
        now = max(heartbeat.deadline, now)
        if now < START + limits.FIRST_PONG_SECONDS:
            assert heartbeat.tick(now) is Verdict.PING
            heartbeat.next_ping(now)
    assert heartbeat.tick(START + limits.FIRST_PONG_SECONDS) is Verdict.DEAD


def test_traffic_makes_pings_superfluous() -> None:
    heartbeat, now = measured()
    for _ in range(10):
        now += 0.9 * limits.HEARTBEAT_SECONDS
        heartbeat.heard(now)
        assert heartbeat.tick(now) is Verdict.QUIET


def test_silence_is_death_after_some_intervals_and_three_round_trips() -> None:
    heartbeat, now = measured(0.05)
    heard = now
    pings = 0
    while (verdict := heartbeat.tick(now := max(now, heartbeat.deadline))) is not Verdict.DEAD:
        if verdict is Verdict.PING:
            pings += 1
            heartbeat.next_ping(now)
    assert now - heard == pytest.approx(limits.HEARTBEAT_MISSES * limits.HEARTBEAT_SECONDS + 3 * 0.05)
    assert pings >= 2


def test_a_slow_path_gets_more_patience() -> None:
    heartbeat, now = measured(2.0)
    for second in range(1, 8):
        heartbeat.next_ping(now + second)
        assert heartbeat.tick(now + second) is not Verdict.DEAD


def test_a_suspicion_shortens_the_patience() -> None:
    heartbeat, now = measured()
    heartbeat.suspect(now)
    heartbeat.next_ping(now)
    assert heartbeat.deadline <= now + limits.PROBE_SECONDS
    assert heartbeat.tick(now + limits.PROBE_SECONDS) is Verdict.DEAD


def test_a_stronger_suspicion_shortens_it_further_and_a_weaker_one_never_lengthens_it() -> None:
    heartbeat, now = measured(0.01)
    heartbeat.suspect(now, limits.PATH_PROBE_SECONDS)
    heartbeat.suspect(now + 0.1)
    heartbeat.next_ping(now)
    assert heartbeat.tick(now + limits.PATH_PROBE_SECONDS - 0.01) is not Verdict.DEAD
    assert heartbeat.tick(now + limits.PATH_PROBE_SECONDS) is Verdict.DEAD
    other, now = measured(0.01)
    other.suspect(now)
    other.suspect(now + 0.1, limits.PATH_PROBE_SECONDS)
    assert other.tick(now + 0.1 + limits.PATH_PROBE_SECONDS) is Verdict.DEAD


def test_a_slow_path_is_not_judged_by_a_short_patience() -> None:
    heartbeat, now = measured(1.0)
    heartbeat.suspect(now, limits.PATH_PROBE_SECONDS)
    heartbeat.next_ping(now)
    assert heartbeat.tick(now + 2.9) is not Verdict.DEAD
    assert heartbeat.tick(now + 3.0) is Verdict.DEAD


def test_a_sign_of_life_ends_the_suspicion() -> None:
    heartbeat, now = measured()
    heartbeat.suspect(now)
    heartbeat.heard(now + 0.1)
    assert heartbeat.tick(now + limits.PROBE_SECONDS) is Verdict.QUIET


def test_a_suspicion_gives_a_slow_path_three_round_trips() -> None:
    heartbeat, now = measured(2.0)
    heartbeat.suspect(now)
    heartbeat.next_ping(now)
    assert heartbeat.tick(now + 5.9) is not Verdict.DEAD
    assert heartbeat.tick(now + 6.0) is Verdict.DEAD


def test_a_process_that_stood_still_asks_before_it_judges() -> None:
    heartbeat, now = measured()
    late = now + 60.0
    assert heartbeat.tick(late) is Verdict.PING
    heartbeat.next_ping(late)
    assert heartbeat.tick(late + limits.PROBE_SECONDS) is Verdict.DEAD


def test_the_round_trip_is_smoothed() -> None:
    heartbeat, now = measured(0.08)
    token = heartbeat.next_ping(now)
    heartbeat.pong(token, now + 0.16)
    assert heartbeat.round_trip is not None
    assert abs(heartbeat.round_trip - 0.09) < 1e-9


def test_an_unknown_pong_is_only_a_sign_of_life() -> None:
    heartbeat, now = measured(0.05)
    heartbeat.pong(999, now + 0.5)
    assert heartbeat.round_trip is not None
    assert abs(heartbeat.round_trip - 0.05) < 1e-9


def test_unanswered_pings_do_not_pile_up() -> None:
    heartbeat = Heartbeat(START)
    for second in range(1000):
        heartbeat.next_ping(START + second)
    assert len(heartbeat._awaited) <= 16


def test_an_idle_link_has_one_asking_side() -> None:
    """The other one is informed by the questions, and asks by itself only when they stay out."""
    leader, follower = Heartbeat(START, leads=True), Heartbeat(START, leads=False)
    asked = {"leader": 0, "follower": 0}
    now = START
    while now < START + 25:
        for name, one, other in (("leader", leader, follower), ("follower", follower, leader)):
            if one.tick(now) is Verdict.PING:
                asked[name] += 1
                token = one.next_ping(now)
                other.heard(now + 0.2)
                one.pong(token, now + 0.4)
        now += 0.05
    assert asked["leader"] >= 15
    assert asked["follower"] <= 1  # the first, which measures


def test_the_follower_asks_when_the_leader_is_silent() -> None:
    follower = Heartbeat(START, leads=False)
    follower.pong(follower.next_ping(START), START + 0.05)
    assert follower.tick(START + 0.05 + limits.HEARTBEAT_FOLLOW_SECONDS) is Verdict.PING


def idle_link(round_trip: float = 0.05) -> tuple[Heartbeat, float]:
    """A heartbeat that nobody has used for long, right after an answer, and the time."""
    heartbeat, now = measured(round_trip)
    while not heartbeat.idle:
        now = heartbeat.deadline
        if heartbeat.tick(now) is Verdict.PING:
            now += round_trip
            heartbeat.pong(heartbeat.next_ping(now - round_trip), now)
        assert now < START + 2 * limits.IDLE_SECONDS
    return heartbeat, now


def test_an_unused_link_is_asked_less_often() -> None:
    heartbeat, now = idle_link()
    assert now >= START + limits.IDLE_SECONDS
    assert heartbeat.deadline - now > 3 * limits.HEARTBEAT_SECONDS


def test_an_unused_link_that_does_not_answer_is_dead_soon_after_it_was_asked() -> None:
    heartbeat, now = idle_link()
    pings: list[float] = []
    while (verdict := heartbeat.tick(now := max(now, heartbeat.deadline))) is not Verdict.DEAD:
        assert verdict is Verdict.PING
        pings.append(now)
        heartbeat.next_ping(now)
    silence = limits.HEARTBEAT_MISSES * limits.HEARTBEAT_SECONDS
    assert now - pings[0] == pytest.approx(silence + 3 * 0.05)
    assert len(pings) >= 3


def test_use_ends_the_idleness_at_once() -> None:
    heartbeat, now = idle_link()
    now += 2.0
    heartbeat.used(now)
    assert not heartbeat.idle
    assert heartbeat.tick(now) is Verdict.PING
    heartbeat.next_ping(now)
    assert heartbeat.tick(now + 1.0) is not Verdict.DEAD
    while heartbeat.tick(now := max(now, heartbeat.deadline)) is Verdict.PING:
        heartbeat.next_ping(now)
    assert now - heartbeat._used < limits.HEARTBEAT_MISSES * limits.HEARTBEAT_SECONDS + 3 * 0.05


def test_a_used_link_is_never_idle() -> None:
    heartbeat, now = measured()
    while now < START + 3 * limits.IDLE_SECONDS:
        now += 5.0
        heartbeat.used(now)
        heartbeat.heard(now)
        heartbeat.tick(now)
        assert not heartbeat.idle
