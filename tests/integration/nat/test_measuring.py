"""What the laboratory's verdicts rest on: the arithmetic of lines and of messages; times are arguments."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict

import pytest
from tests.integration.nat.flow import Flow
from tests.integration.nat.line import Conditions, Line

LATE, COUNT = 0.3, 4
HERE, THERE = bytes((198, 18, 1)), bytes((198, 18, 2))


def packet(source: bytes, target: bytes, size: int = 100) -> bytes:
    """An IPv4 packet as far as the line looks at it."""
    return (bytes([0x45]) + bytes(11) + source + b"\x01" + target + b"\x01").ljust(size, b"\0")


def line(outward: Conditions, inward: Conditions | None = None) -> Line:
    """Out of HERE and into THERE; the way back does nothing."""
    made = Line(random.Random(7))
    still = Conditions(delay_ms=0)
    for network, prefix, out, into in ((1, HERE, outward, still), (2, THERE, still, inward or still)):
        made.configure(
            {
                "network": network,
                "prefixes": [prefix.hex()],
                "outward": asdict(out),
                "inward": asdict(into),
            }
        )
    return made


def test_a_packet_leaves_after_the_delays_of_both_networks() -> None:
    tested = line(Conditions(delay_ms=10), Conditions(delay_ms=30))
    tested.take(packet(HERE, THERE), 5.0)
    assert tested.due(5.039) == []
    assert len(tested.due(5.041)) == 1
    tested.take(packet(THERE, HERE), 6.0)
    assert tested.next_at() == 6.0


def test_jitter_keeps_the_order_unless_it_shall_not() -> None:
    for disorder in (0.0, 1.0):
        tested = line(Conditions(delay_ms=50, jitter_ms=40, disorder=disorder))
        for number in range(200):
            tested.take(packet(HERE, THERE, 100 + number), number / 1000)
        sizes = [len(one) for one in tested.due(10.0)]
        assert (sizes == sorted(sizes)) == (disorder == 0.0)
        assert len(sizes) == 200


def test_loss_and_doubling_have_their_shares() -> None:
    tested = line(Conditions(loss=0.2), Conditions(doubled=0.5))
    for number in range(5000):
        tested.take(packet(HERE, THERE), number / 1000)
    assert len(tested.due(100.0)) == pytest.approx(5000 * 0.8 * 1.5, rel=0.05)


def test_a_rate_spaces_packets_and_loses_what_waits_too_long() -> None:
    tested = line(Conditions(delay_ms=0, rate_kbit=800, queue_ms=105))
    for _ in range(50):
        tested.take(packet(HERE, THERE, 1000), 1.0)  # 10 ms each
    assert len(tested.due(1.05 + 1e-6)) == 5
    assert len(tested.due(9.0)) == 5


def test_conditions_can_be_switched_while_packets_wait() -> None:
    tested = line(Conditions(delay_ms=100))
    tested.take(packet(HERE, THERE), 1.0)
    still = asdict(Conditions(delay_ms=0))
    tested.configure({"network": 1, "outward": asdict(Conditions(loss=1.0)), "inward": still})
    tested.take(packet(HERE, THERE), 1.01)
    assert len(tested.due(1.1 + 1e-6)) == 1
    assert tested.next_at() is None


def flow(latencies: Mapping[int, float | None], pace: float = 0.25) -> Flow:
    """Messages 1, 2, ... sent at their number times the pace; None has not arrived."""
    made = Flow()
    for number in latencies:
        made.sent_at[number] = number * pace
        made.accepted.add(number)
    arriving = [(n * pace + late, n) for n, late in latencies.items() if late is not None]
    for at, number in sorted(arriving):
        made.arrived(number, at)
    return made


def test_an_outage_ends_when_the_last_late_message_arrives() -> None:
    """Sent at 0.25, 0.50, ...; down from 1.1 to 3.1."""
    tested = flow({n: 0.02 if n <= 4 or n > 12 else 3.1 - n * 0.25 for n in range(1, 20)})
    assert tested.disturbed_until(1.1, LATE) == pytest.approx(3.1)
    assert tested.longest_silence(1.1) == pytest.approx(3.1 - 1.02)
    assert tested.prompt_since(1.1, 4.8, late=LATE, count=COUNT)
    assert not tested.missing
    assert not tested.disordered


def test_a_second_break_belongs_to_the_outage() -> None:
    late = {5: 1.0, 6: 0.75, 9: 2.0, 10: 1.75}
    tested = flow({n: late.get(n, 0.02) for n in range(1, 20)})
    assert tested.disturbed_until(1.1, LATE) == pytest.approx(9 * 0.25 + 2.0)


def test_an_event_that_did_nothing_took_no_time() -> None:
    tested = flow(dict.fromkeys(range(1, 20), 0.02) | {2: 0.5})
    # What was late before it, or came again, is not its doing.
    tested.arrived(15, 9.0)
    assert tested.disturbed_until(1.1, LATE) is None


def test_it_does_not_flow_while_something_is_waited_for() -> None:
    prompt: dict[int, float | None] = dict.fromkeys(range(1, 9), 0.02)
    assert flow(prompt).prompt_since(0.3, 2.1, late=LATE, count=COUNT)
    # Not enough after the event; one that never came; an outage that has just begun; one on its way.
    assert not flow(prompt).prompt_since(1.3, 2.1, late=LATE, count=COUNT)
    assert not flow(prompt | {2: None}).prompt_since(0.3, 2.1, late=LATE, count=COUNT)
    assert not flow(prompt | {9: None, 10: None}).prompt_since(0.3, 2.6, late=LATE, count=COUNT)
    assert flow(prompt | {9: None}).prompt_since(0.3, 2.3, late=LATE, count=COUNT)
    assert not flow(prompt | {8: 0.5}).prompt_since(0.3, 2.6, late=LATE, count=COUNT)
    # Of many messages a second even the last ones are young.
    assert not flow(prompt | {3: None}, pace=0.02).prompt_since(0.0, 0.2, late=LATE, count=COUNT)


def test_a_program_that_loses_messages_flows_again_with_the_first_one_after_the_lost_ones() -> None:
    """Sent at 0.25, 0.50, ...; 5 to 8 went into a connection that was dead."""
    tested = flow({n: None if 5 <= n <= 6 or n == 8 else 0.02 for n in range(1, 13)})
    assert tested.disturbed_until(1.1, LATE) == pytest.approx(9 * 0.25 + 0.02)
    assert tested.disturbed_until(2.5, LATE) is None
    assert not tested.prompt_since(1.1, 3.1, late=LATE, count=COUNT)
    assert tested.prompt_since(1.1, 3.1, late=LATE, count=COUNT, keeps=False)
    tested = flow({n: None if n >= 11 else 0.02 for n in range(1, 14)})
    assert tested.disturbed_until(1.1, LATE) is None
    assert not tested.prompt_since(1.1, 3.4, late=LATE, count=COUNT, keeps=False)


def test_lost_doubled_and_disordered_are_counted() -> None:
    tested = Flow(sent_at=dict.fromkeys(range(1, 7), 0.0), accepted={1, 2, 3, 4, 5})
    for at, number in enumerate((1, 3, 2, 3, 5)):
        tested.arrived(number, at)
    assert tested.missing == [4]
    assert tested.doubled == [3]
    assert tested.disordered == [2]


def test_after_a_kill_only_what_was_done_may_not_come_again() -> None:
    tested = Flow(sent_at={1: 0.0, 2: 0.0}, accepted={1, 2})
    tested.arrived(1, 1.0)
    tested.done.add(1)
    tested.arrived(2, 1.1)
    tested.receiver_restarted()
    tested.arrived(2, 5.0)
    assert tested.doubled == []
    tested.arrived(1, 5.1)
    assert tested.doubled == [1]
    # The first time counts for the order.
    assert tested.disordered == []
