"""Planted mistakes that the exploration of small worlds, or long random histories, must find."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis.stateful import run_state_machine_as_test
from tests.property.stream_side import Plan
from tests.property.test_stream_state_machine import StreamHistories, histories
from tests.property.test_stream_worlds import explore

from p4.core import limits
from p4.core.session.stream_frames import Credit, ResetReason, StreamFrame
from p4.core.session.streams.announcements import Announcements
from p4.core.session.streams.events import Save
from p4.core.session.streams.machine import StreamMachine
from p4.core.session.streams.reader import Reader
from p4.core.session.streams.reassembly import Reassembly
from p4.core.session.streams.writer import Writer
from p4.errors import FrameError

Patch = Callable[[pytest.MonkeyPatch], None]


def acknowledges_before_the_disk(patch: pytest.MonkeyPatch) -> None:
    credit = Reader.credit

    def mutant(self: Reader, stream: int, on_disk: int) -> Credit | None:
        return credit(self, stream, self.consumed)

    patch.setattr(Reader, "credit", mutant)


def forgets_where_it_ended_at_its_start(patch: pytest.MonkeyPatch) -> None:
    init = Writer.__init__

    def mutant(self: Writer, confirmed: int = 0, written: int = 0, floor: int | None = None) -> None:
        init(self, confirmed, written, floor)
        self.floor = None

    patch.setattr(Writer, "__init__", mutant)


def takes_the_first_credit_for_an_answer(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Writer, "told", property(lambda self: self._credits > 0))


def gives_out_bytes_before_written_has_come(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reader, "_may_take", True)
    patch.setattr(Reader, "heard", property(lambda self: True, lambda self, value: None))


def does_not_send_again_what_was_lost_with_a_link(patch: pytest.MonkeyPatch) -> None:
    def mutant(self: Writer) -> None:
        self._credits = 0

    patch.setattr(Writer, "link_up", mutant)


def keeps_what_an_earlier_link_left(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reassembly, "drop", lambda self: None)


def says_everything_on_one_link_only(patch: pytest.MonkeyPatch) -> None:
    farewell = Announcements.farewell
    said: set[tuple[bool, int]] = set()

    def mutant(self: Announcements, stored: Any) -> list[StreamFrame]:
        key = stored.opened_here, stored.reset
        frames = [] if key in said else farewell(self, stored)
        said.add(key)
        return frames

    patch.setattr(Announcements, "farewell", mutant)


def does_not_answer_the_farewell(patch: pytest.MonkeyPatch) -> None:
    forget = StreamMachine._forget

    def mutant(self: StreamMachine, _: StreamFrame | None, outcome: Any) -> Any:
        return forget(self, None, outcome)

    patch.setattr(StreamMachine, "_forget", mutant)


def sends_more_than_it_may(patch: pytest.MonkeyPatch) -> None:
    sendable = property(lambda self: self.written - self._sent if self._credits else 0)
    patch.setattr(Writer, "sendable", sendable)


def announces_an_end_that_power_can_take(patch: pytest.MonkeyPatch) -> None:
    save = StreamMachine._save

    def mutant(self: StreamMachine, now: float) -> Any:
        return [Save(effect.record) for effect in save(self, now) if isinstance(effect, Save)]

    patch.setattr(StreamMachine, "_save", mutant)


def keeps_bytes_twice(patch: pytest.MonkeyPatch) -> None:
    def mutant(self: Reassembly, offset: int, data: bytes) -> None:
        if offset <= self._ready.end:
            self._ready.append(data)
            self._absorb()
        else:
            self._add_ahead(offset, data)

    patch.setattr(Reassembly, "add", mutant)


def says_done_too_early(patch: pytest.MonkeyPatch) -> None:
    def mutant(self: Announcements, stored: Any, reader: Reader, writer: Writer) -> bool:
        return self.final and reader.end is not None and stored.consumed == reader.end

    patch.setattr(Announcements, "complete", mutant)


def ends_without_telling_the_application(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reader, "end_taken", property(lambda self: True, lambda self, value: None))


def ends_for_the_contacts_done_alone(patch: pytest.MonkeyPatch) -> None:
    """It has come to the end, as far as the contact knows; the application has not been told."""
    done = StreamMachine._done

    def mutant(self: StreamMachine, frame: Any) -> Any:
        self.reader.end_taken = True
        return done(self, frame)

    patch.setattr(StreamMachine, "_done", mutant)


def forgets_that_the_contact_has_said_done(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Announcements, "heard_done", property(lambda self: False, lambda self, value: None))


def tells_of_the_end_before_the_disk_knows(patch: pytest.MonkeyPatch) -> None:
    forget = StreamMachine._forget

    def mutant(self: StreamMachine, farewell: StreamFrame | None, outcome: Any) -> Any:
        effects = forget(self, farewell, outcome)
        early, self._verdict = self._verdict, []
        return [*early, *effects]

    patch.setattr(StreamMachine, "_forget", mutant)


def tells_of_its_own_reset_before_the_disk_knows(patch: pytest.MonkeyPatch) -> None:
    reset = StreamMachine._reset

    def mutant(self: StreamMachine, reason: ResetReason, text: str, now: float) -> Any:
        effects = reset(self, reason, text, now)
        early, self._verdict = self._verdict, []
        return [*early, *effects]

    patch.setattr(StreamMachine, "_reset", mutant)


def forgets_what_was_under_way_on_a_lane(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Writer, "lost", lambda self, begin, end: None)


def sends_again_what_is_confirmed(patch: pytest.MonkeyPatch) -> None:
    def mutant(self: Writer, begin: int, end: int) -> None:
        self._again = sorted({*self._again, (begin, end)})

    patch.setattr(Writer, "lost", mutant)


def goes_back_to_what_a_lane_lost(patch: pytest.MonkeyPatch) -> None:
    """And takes it for the end of what was sent: a later confirmation then names bytes never sent."""

    def mutant(self: Writer, begin: int, end: int) -> None:
        self._sent = self._reached = max(begin, self.confirmed)

    patch.setattr(Writer, "lost", mutant)


LANE = Plan(writes=((3,), ()), lanes=1)
POWER = Plan(writes=((1, 1), ()), powers=1)

EXPLORED: list[tuple[Patch, Plan]] = [
    (acknowledges_before_the_disk, Plan(writes=((1, 1), ()))),
    (forgets_where_it_ended_at_its_start, POWER),
    (gives_out_bytes_before_written_has_come, POWER),
    (does_not_send_again_what_was_lost_with_a_link, Plan(writes=((1,), ()), flaps=1)),
    (keeps_what_an_earlier_link_left, POWER),
    (does_not_answer_the_farewell, Plan(writes=((1,), (1,)), cancels=1)),
    (sends_more_than_it_may, Plan(writes=((3,), ()))),
    (announces_an_end_that_power_can_take, Plan(writes=((1,), ()))),
    (keeps_bytes_twice, Plan(writes=((1, 1), ()), flaps=1)),
    (says_done_too_early, Plan(writes=((1,), (1,)))),
    (ends_without_telling_the_application, Plan(writes=((1,), ()))),
    (tells_of_the_end_before_the_disk_knows, Plan(writes=((1,), ()), late=True)),
    (tells_of_its_own_reset_before_the_disk_knows, Plan(writes=((1,), ()), cancels=1)),
    (ends_for_the_contacts_done_alone, Plan(writes=((1,), ()), late=True)),
    (forgets_that_the_contact_has_said_done, Plan(writes=((1,), ()), late=True, flaps=1)),
    (forgets_what_was_under_way_on_a_lane, LANE),
    (sends_again_what_is_confirmed, LANE),
    (goes_back_to_what_a_lane_lost, LANE),
    (says_everything_on_one_link_only, Plan(writes=((1,), ()), flaps=1, cancels=1)),
]


@pytest.mark.parametrize(
    ("plant", "plan"), [pytest.param(plant, plan, id=plant.__name__) for plant, plan in EXPLORED]
)
def test_the_exploration_finds(plant: Patch, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STREAM_FIRST_WINDOW_BYTES", "STREAM_LEAST_WINDOW_BYTES", "STREAM_WINDOW_BYTES"):
        monkeypatch.setattr(limits, name, 2)
    plant(monkeypatch)
    with pytest.raises((AssertionError, FrameError)):
        explore(plan, turns=2)


@pytest.mark.slow
def test_a_deeper_exploration_finds_an_end_that_was_told_on_a_link_that_broke(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    takes_the_first_credit_for_an_answer(monkeypatch)
    with pytest.raises((AssertionError, FrameError)):
        explore(Plan(writes=((1, 1), ()), powers=1, flaps=1), turns=3)


IN_HISTORIES: list[Patch] = [
    acknowledges_before_the_disk,
    does_not_send_again_what_was_lost_with_a_link,
    does_not_answer_the_farewell,
    sends_more_than_it_may,
    announces_an_end_that_power_can_take,
    keeps_bytes_twice,
    says_done_too_early,
    forgets_what_was_under_way_on_a_lane,
]


@pytest.mark.parametrize("plant", IN_HISTORIES, ids=lambda plant: plant.__name__)
def test_random_histories_find(plant: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    with pytest.raises((AssertionError, FrameError)):
        run_state_machine_as_test(StreamHistories, settings=histories(most=2_000, shrink=False))
