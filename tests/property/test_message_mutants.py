"""Planted bugs in the message machine: each must be found by the worlds or by the histories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase
from tests.property.message_world import World
from tests.property.test_message_state_machine import run
from tests.property.test_message_worlds import (
    AT_ONCE,
    LAST_SHORT_LIVED,
    LATEST,
    SHORT_LIVED,
    after_backup,
    explore,
)

from p4.core.session.grants import GrantTable
from p4.core.session.messages import sending
from p4.core.session.messages.consumption import Consumption
from p4.core.session.messages.events import Accepted, ConsumedHere, Transmit
from p4.core.session.messages.inbox import Inbox
from p4.core.session.messages.machine import MessageMachine
from p4.core.session.messages.outbox import Outbox
from p4.core.session.messages.sending import Sending
from p4.core.session.messages.stored import RenewOutbox
from p4.core.session.session_frames import Ack

MOST_STATES = 4_000
EXAMPLES = 500
Patch = pytest.MonkeyPatch


def search(world: World) -> None:
    """The small world that concerns the bug; then, if nothing was found, long histories."""
    explore(world, most_states=MOST_STATES)
    # What is found is not made smaller: that it is found is enough.
    run(MessageMachine, examples=EXAMPLES, steps=80, phases=(Phase.generate,))


def acknowledges_before_commit(patch: Patch) -> None:
    honest = Inbox.message

    def message(self: Inbox, frame: Any) -> None:
        honest(self, frame)
        self._desk.effects.append(Transmit(Ack(frame.number)))

    patch.setattr(Inbox, "message", message)


def accepts_before_commit(patch: Patch) -> None:
    honest = Outbox._append

    def append(self: Outbox) -> None:
        honest(self)
        for submit in self._appending:
            self._desk.effects.append(Accepted(submit.token, self.epoch, self.next))

    patch.setattr(Outbox, "_append", append)


def never_renews(patch: Patch) -> None:
    patch.setattr(Outbox, "is_outdated", lambda self, in_epoch, in_next: False)


def compares_with_what_is_queued(patch: Patch) -> None:
    honest = Outbox.is_outdated

    def hasty(self: Outbox, in_epoch: bytes, in_next: int) -> bool:
        return in_next > self.next if in_epoch == self.epoch else honest(self, in_epoch, in_next)

    patch.setattr(Outbox, "is_outdated", hasty)


def takes_a_later_name_for_a_stranger(patch: Patch) -> None:
    honest = Outbox.is_outdated

    def forgetful(self: Outbox, in_epoch: bytes, in_next: int) -> bool:
        return in_epoch == self.epoch and honest(self, in_epoch, in_next)

    patch.setattr(Outbox, "is_outdated", forgetful)


def keeps_the_name_when_renewing(patch: Patch) -> None:
    """Numbers are used again under the same name."""
    honest = Outbox.go_on

    def go_on(self: Outbox) -> None:
        self._fresh_epoch = lambda: self.epoch
        honest(self)

    patch.setattr(Outbox, "go_on", go_on)


def sends_on_a_link_that_knows_the_old_name(patch: Patch) -> None:
    def renewed(self: MessageMachine, operation: RenewOutbox, record: Any) -> None:
        self._outbox.renewed(operation, record)
        self._epoch = self._outbox.epoch
        self._outbox.offering = True
        self._begin_to_send()

    patch.setattr(MessageMachine, "_renewed", renewed)


def sends_what_is_not_on_record_as_offered(patch: Patch) -> None:
    patch.setattr(Sending, "_end", lambda self: self._outbox.next)


def sends_before_resume(patch: Patch) -> None:
    honest = MessageMachine._link_up

    def link_up(self: MessageMachine, event: Any) -> None:
        honest(self, event)
        self._outbox.offering = True
        self._sending = Sending(self._desk, self._outbox, self._outbox.first, GrantTable(("*",)))

    patch.setitem(MessageMachine._handlers, type_of("LinkUp"), link_up)


def forgets_to_begin_anew_after_a_flap(patch: Patch) -> None:
    """What was under way on the last link still fills the window of the next, where it is narrow."""
    patch.setattr(sending, "SEND_WINDOW_MESSAGES", 1)
    patch.setattr(Outbox, "nothing_under_way", lambda self: None)


def says_void_before_the_drop(patch: Patch) -> None:
    honest = Sending._give_up

    def give_up(self: Sending) -> None:
        honest(self)
        self.forget(self._outbox.dropping)
        self._transmit_ready()

    patch.setattr(Sending, "_give_up", give_up)


def forgets_the_last_holes(patch: Patch) -> None:
    honest = Sending._void

    def void(self: Sending, last: int) -> None:
        if self._ready:
            honest(self, last)

    patch.setattr(Sending, "_void", void)


def drops_without_a_word(patch: Patch) -> None:
    def dropped(self: Outbox) -> None:
        self.waiting -= len(self.dropping)
        self.dropping = {}

    patch.setattr(Outbox, "dropped", dropped)


def believes_an_answer_to_an_earlier_link(patch: Patch) -> None:
    honest = Sending.read

    def read(self: Sending, operation: Any, messages: Any) -> None:
        self._reading = operation
        honest(self, operation, messages)

    patch.setattr(Sending, "read", read)


def acknowledges_what_another_link_brought(patch: Patch) -> None:
    honest = Inbox._acknowledge

    def acknowledge(self: Inbox) -> None:
        self._seen = max(self._seen, self.next - 1)
        honest(self)

    patch.setattr(Inbox, "_acknowledge", acknowledge)


def loses_what_the_disk_refused(patch: Patch) -> None:
    patch.setattr(Inbox, "not_accepted", lambda self, operation: None)


def is_silent_about_a_gap(patch: Patch) -> None:
    honest = Inbox.resume

    def resume(self: Inbox, peer: Any) -> None:
        honest(self, peer)
        self._skip = None

    patch.setattr(Inbox, "resume", resume)


def is_silent_about_a_queue_it_has_forgotten(patch: Patch) -> None:
    honest = Inbox.resume

    def resume(self: Inbox, peer: Any) -> None:
        honest(self, peer)
        self._batch = type(self._batch)([], [])

    patch.setattr(Inbox, "resume", resume)


def tells_taken_before_it_is(patch: Patch) -> None:
    honest = Consumption.take

    def take(self: Consumption, event: Any) -> None:
        honest(self, event)
        self._desk.effects.append(ConsumedHere(event.token))

    patch.setattr(Consumption, "take", take)


def takes_all_for_consumed(patch: Patch) -> None:
    honest = Consumption._tell

    def tell(self: Consumption, service: str, through: int) -> None:
        honest(self, service, through + 1)

    patch.setattr(Consumption, "_tell", tell)


def replaces_what_the_application_has(patch: Patch) -> None:
    patch.setitem(MessageMachine._handlers, type_of("HandedOver"), lambda self, event: None)


def type_of(name: str) -> type:
    return next(kind for kind in MessageMachine._handlers if kind.__name__ == name)


def at_once(**faults: Any) -> World:
    return World(MessageMachine, [AT_ONCE, []], **faults)


MUTANTS: dict[Callable[[Patch], None], Callable[[], World]] = {
    acknowledges_before_commit: at_once,
    accepts_before_commit: at_once,
    never_renews: lambda: after_backup(0),
    compares_with_what_is_queued: lambda: after_backup(0),
    takes_a_later_name_for_a_stranger: lambda: after_backup(0, 0),
    keeps_the_name_when_renewing: lambda: after_backup(0),
    sends_on_a_link_that_knows_the_old_name: lambda: after_backup(0),
    sends_what_is_not_on_record_as_offered: at_once,
    sends_before_resume: at_once,
    forgets_to_begin_anew_after_a_flap: lambda: at_once(flaps=1),
    says_void_before_the_drop: lambda: World(MessageMachine, [SHORT_LIVED, []], expiry=True),
    forgets_the_last_holes: lambda: World(MessageMachine, [LAST_SHORT_LIVED, []], expiry=True),
    drops_without_a_word: lambda: World(MessageMachine, [SHORT_LIVED, []], expiry=True),
    believes_an_answer_to_an_earlier_link: lambda: at_once(flaps=2),
    acknowledges_what_another_link_brought: lambda: at_once(flaps=1),
    loses_what_the_disk_refused: lambda: at_once(full=1),
    is_silent_about_a_gap: lambda: after_backup(1),
    is_silent_about_a_queue_it_has_forgotten: lambda: after_backup(0, 1),
    tells_taken_before_it_is: lambda: at_once(takes=True),
    takes_all_for_consumed: lambda: at_once(takes=True),
    replaces_what_the_application_has: lambda: World(MessageMachine, [LATEST, []]),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_planted_bug_is_found(mutant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    world = MUTANTS[mutant]()
    mutant(monkeypatch)
    with pytest.raises((AssertionError, KeyError)):
        search(world)
