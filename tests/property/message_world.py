"""Two message machines, their disks and the links between them: all that can happen, one step at a time.

The disks are models that keep every promise of the store; what a machine asks of its disk waits until it is
performed, and a crash may come after any part of it. Each step is checked at once: what is on the wire is on
the sender's disk, what is acknowledged is on the receiver's, what is dropped has been said.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, cast

from tests.core.session.messages.model_disk import RefusalError
from tests.property.message_checks import check_consumed, check_delivered, check_frame
from tests.property.message_side import Disk, Epochs, Side, place

from p4.core.session.messages.events import (
    Accepted,
    ConsumedByPeer,
    ConsumedHere,
    Delivered,
    Dropped,
    DropReason,
    EndLink,
    Failed,
    FramesArrived,
    GrantsChanged,
    HandedOver,
    LinkUp,
    MessageEffect,
    MessageEvent,
    MessageFrame,
    Notice,
    NoticeKind,
    Perform,
    Performed,
    Received,
    Rejected,
    Take,
    TimePassed,
    Transmit,
    Withdrawn,
    Writable,
)
from p4.core.session.messages.machine import MessageMachine
from p4.core.session.messages.stored import (
    AcceptInbox,
    AcknowledgeOutbox,
    AppendOutbox,
    Draft,
    DropOutbox,
    InboxMessage,
    Operation,
    Quota,
    SkipInbox,
)
from p4.core.session.session_frames import Grants, Message, Resume, Void

ROOMY = Quota(1_000, 1_000_000)
CALM_STEPS = 3_000


class World:
    """Everything; `moves` lists what may happen next.

    Args:
        scripts: what the application of each side hands over, in order.
        flaps, crashes, repeats, full: how often a link breaks, a process dies, a frame doubled, a disk fails.
        expiry: whether the wall clock may jump beyond every time to live.
        refusal: whether side 1 may take its grant for ``door`` back.
    """

    def __init__(
        self,
        make: type[MessageMachine],
        scripts: Iterable[Iterable[tuple[Draft, ...]]],
        *,
        flaps: int = 0,
        crashes: int = 0,
        repeats: int = 0,
        full: int = 0,
        expiry: bool = False,
        refusal: bool = False,
        takes: bool = False,
    ) -> None:
        self.make = make
        self.now = 0.0
        self.now_ms = 1_000
        self.flaps, self.crashes, self.repeats, self.full = flaps, crashes, repeats, full
        self.expiry, self.refusal, self.takes = expiry, refusal, takes
        self.link = 1
        self.wires: list[list[MessageFrame]] = [[], []]
        """What is under way to each side."""
        self.names: dict[tuple[int, bytes, int], bytes] = {}
        self.may_repeat: set[bytes] = set()
        self.sides: list[Side] = []
        self.grants: list[tuple[str, ...]] = [("chat", "door"), ("chat", "door")]
        for index, script in enumerate(scripts):
            epochs = Epochs(index)
            self.sides.append(Side(self._machine(index, epochs, Disk()), epochs, script=list(script)))

    def _machine(self, index: int, epochs: Callable[[], bytes], disk: Disk) -> MessageMachine:
        return self.make(disk.model.load(), quota=ROOMY, fresh_epoch=epochs, grants=self.grants[index])

    def frozen(self) -> bytes:
        """The state: equal for worlds in which the same can happen."""
        return pickle.dumps(self)

    @staticmethod
    def thawed(state: bytes) -> World:
        """A world in this state."""
        return cast("World", pickle.loads(state))  # noqa: S301 # our own

    # --- moves --------------------------------------------------------------------------------------------

    def moves(self) -> Iterator[tuple[str, Callable[[World], None]]]:
        for index, side in enumerate(self.sides):
            if side.script:
                yield f"{index} hands over", partial(World.submit, index=index)
            if side.todo:
                yield f"disk {index}: {type(side.todo[0]).__name__}", partial(World.work, index=index)
                if self.full:
                    yield f"disk {index} is full", partial(World.refuse, index=index)
            if side.joined != self.link:
                yield f"{index} joins link {self.link}", partial(World.join, index=index)
            elif self.wires[index]:
                yield f"{index} hears {self.wires[index][0]}", partial(World.hear, index=index)
                if self.repeats and isinstance(self.wires[index][0], Message | Void):
                    yield f"{index} hears it twice", partial(World.repeat, index=index)
            if self.takes and side.given:
                yield f"{index} takes", partial(World.take, index=index)
            if self.crashes:
                for done in range(len(side.todo) + 1):
                    yield f"{index} dies after {done} writes", partial(World.crash, index=index, done=done)
        if self.flaps and any(side.joined == self.link for side in self.sides):
            yield "the link breaks", World.flap
        if self.expiry:
            yield "time to live passes", World.expire
        if self.refusal:
            yield "1 takes a grant back", World.take_grant_back

    def submit(self, index: int) -> None:
        self.feed(index, self.sides[index].next_submit())

    def work(self, index: int) -> None:
        operation = self.sides[index].todo.pop(0)
        try:
            result = self._perform(index, operation)
        except RefusalError as error:
            self.feed(index, Failed(operation, error.code, "no"))
        else:
            self.feed(index, Performed(operation, result))

    def refuse(self, index: int) -> None:
        """The disk fails once."""
        self.full -= bool(self.full)
        self.feed(index, Failed(self.sides[index].todo.pop(0), "full", "The disk is full."))

    def join(self, index: int) -> None:
        side = self.sides[index]
        side.joined = self.link
        side.resume_sent = side.resume_heard = None
        side.grants_heard = False
        side.named = set()
        side.refused = {}
        self.feed(index, LinkUp(2))

    def hear(self, index: int) -> None:
        self._hear(index, self.wires[index].pop(0))

    def repeat(self, index: int) -> None:
        self.repeats -= 1
        self._hear(index, self.wires[index][0])

    def _hear(self, index: int, frame: MessageFrame) -> None:
        side = self.sides[index]
        match frame:
            case Resume():
                side.resume_heard = frame
            case Grants():
                side.grants_heard = True
            case Message(number=number, service=service, body=body):
                if not side.machine.grants_service(service):
                    side.refused[number] = body
        self.feed(index, FramesArrived([frame]))

    def take(self, index: int) -> None:
        side = self.sides[index]
        side.token += 1
        side.open_tokens.add(side.token)
        message = side.given.pop(0)
        side.taking[side.token] = message.position
        self.feed(index, Take(side.token, (message,)))

    def flap(self) -> None:
        self.flaps -= 1
        self.break_link()

    def break_link(self) -> None:
        self.link += 1
        self.wires = [[], []]

    def crash(self, index: int, done: int, backup: Disk | None = None) -> None:
        """The process dies when so many writes were performed, and another one starts."""
        self.crashes = max(0, self.crashes - 1)
        side = self.sides[index]
        for operation in side.todo[:done]:
            if isinstance(operation, SkipInbox | AcceptInbox):
                side.may_be_silent = True  # the gap is on disk, and who would tell of it is dead
            try:
                self._perform(index, operation)
            except RefusalError:
                continue
        self.break_link()
        disk = side.disk if backup is None else backup.copy()
        self.sides[index] = Side(
            self._machine(index, side.epochs, disk),
            side.epochs,
            disk,
            script=side.script,
            token=side.token,
            given=list(disk.model.inbox.values()),
            ever=side.ever,
            told_dropped=side.told_dropped,
            crashed=True,
            missing_told=side.missing_told,
            may_be_silent=side.may_be_silent,
        )
        if held := tuple(p for p, message in disk.model.inbox.items() if message.key):
            self.feed(index, HandedOver(held))

    def restore(self, index: int, backup: Disk) -> None:
        """The process dies, and starts again on an earlier copy of its disk."""
        self.may_repeat |= {message.body for message in backup.model.outbox.values()}
        self.crash(index, 0, backup)

    def expire(self) -> None:
        self.expiry = False
        self.now_ms += 1_000_000

    def take_grant_back(self) -> None:
        self.refusal = False
        self.grants[1] = ("chat",)
        self.feed(1, GrantsChanged(self.grants[1]))

    # --- the disk -----------------------------------------------------------------------------------------

    def _perform(self, index: int, operation: Operation) -> Any:
        side, other = self.sides[index], self.sides[1 - index]
        disk, model = side.disk, side.disk.model
        before = dict(model.outbox)
        result = model.perform(operation)
        match operation:
            case AppendOutbox(drafts):
                disk.accepted += [draft.body for draft in drafts]
                new = {result.first + place: draft.body for place, draft in enumerate(drafts)}
                disk.gone |= {before[n].body if n in before else new[n] for n in result.removed}
                for number, body in new.items():
                    self.names[index, model.record.out_epoch, number] = body
            case DropOutbox(numbers):
                disk.gone |= {before[number].body for number in numbers if number in before}
            case AcknowledgeOutbox(through):
                lost = [m.body for n, m in before.items() if n <= through and m.body not in other.ever]
                assert not lost, f"{index} forgets what {1 - index} never had: {lost}"
            case AcceptInbox():
                self._arrived(side, operation, result.messages)
        for number, message in model.outbox.items():
            self.names[index, model.record.out_epoch, number] = message.body
        return result

    def _arrived(self, side: Side, operation: AcceptInbox, kept: tuple[InboxMessage, ...]) -> None:
        disk = side.disk
        numbers = [message.number for message in operation.messages]
        assert numbers == sorted(set(numbers)), "numbers that are not in order go to the disk"
        for message in kept:
            named = (message.epoch, message.number)
            assert named not in disk.ids, f"{named} is in the inbox twice"
            disk.ids.add(named)
            if message.body not in self.may_repeat:
                assert message.body not in disk.arrived, f"{message.body!r} arrived twice"
                fresh = [place(body) for body in disk.arrived if body not in self.may_repeat]
                assert place(message.body) > max(fresh, default=-1), f"{message.body!r} is out of order"
            disk.arrived.append(message.body)
        brought = {message.body for message in operation.messages}
        brought |= {body for number, body in side.refused.items() if number <= operation.through}
        disk.settled |= brought - set(disk.arrived)
        side.ever |= brought

    # --- effects ------------------------------------------------------------------------------------------

    def feed(self, index: int, event: MessageEvent) -> None:
        """Give a machine an event, and carry out its effects."""
        side = self.sides[index]
        events: list[MessageEvent] = [event]
        while events:
            for effect in side.machine.handle(events.pop(0), self.now, self.now_ms):
                if isinstance(effect, Received) and any(m.key for m in effect.messages):
                    events.append(HandedOver(tuple(m.position for m in effect.messages if m.key)))
                self._carry_out(index, side, effect)
            if side.machine.wants_budget:
                events.append(Writable(1_000))
        if not side.todo:
            first = side.machine.out_first
            left = [m for m in side.disk.model.outbox.values() if m.number >= first]
            waiting = sum(message.body not in side.told_dropped for message in left)
            exact = side.machine.queued == waiting
            assert exact or (side.crashed and side.machine.queued > waiting), (
                f"counts wrongly: {waiting} wait"
            )

    def _carry_out(self, index: int, side: Side, effect: MessageEffect) -> None:
        model = side.disk.model
        match effect:
            case Perform(operation):
                same = [other for other in side.todo if type(other) is type(operation)]
                assert not same, f"two of {operation} at once"
                side.todo.append(operation)
            case Transmit(frame):
                check_frame(side, frame)
                if side.joined == self.link:
                    self.wires[1 - index].append(frame)
            case EndLink(reason, broke_protocol):
                assert not broke_protocol, reason
                if side.joined == self.link:
                    self.break_link()
                side.joined = 0
            case Accepted(token, epoch, first):
                side.open_tokens.remove(token)
                assert (index, epoch, first) in self.names
            case Rejected(token):
                side.open_tokens.remove(token)
            case ConsumedHere(token):
                side.open_tokens.remove(token)
                assert side.taking.pop(token) not in model.inbox, "taken and still on disk"
            case Delivered(epoch, through):
                mine = {n: b for (i, name, n), b in self.names.items() if (i, name) == (index, epoch)}
                check_delivered(side, self.sides[1 - index], mine, through)
            case Dropped(epoch, numbers, _, reason):
                bodies = {self.names[index, epoch, number] for number in numbers}
                if reason is not DropReason.REFUSED or not bodies <= self.sides[1 - index].disk.settled:
                    assert not set(numbers) & model.outbox.keys(), "told before it was done"
                side.told_dropped |= bodies
            case Received(messages):
                assert all(m.position in model.inbox or m in side.given for m in messages)
                side.given += messages
            case Withdrawn(positions):
                assert not {m.position for m in side.given} & set(positions)
            case ConsumedByPeer(epoch, service, through):
                check_consumed(self.sides[1 - index], epoch, service, through, named=None)
            case Notice(NoticeKind.MISSING_HERE, count):
                side.missing_told += count

    # --- the end ------------------------------------------------------------------------------------------

    def calm(self) -> None:
        """Nothing fails any more: everything arrives."""
        for _ in range(CALM_STEPS):
            if not self._calm_step():
                break
        else:
            raise AssertionError("they never come to rest")
        for index, side in enumerate(self.sides):
            other = self.sides[1 - index]
            assert not side.disk.model.outbox, f"{index} keeps {side.disk.model.outbox}"
            assert side.machine.queued == 0, f"{index} counts {side.machine.queued} in an empty outbox"
            assert side.machine.out_first == side.disk.model.record.out_next, (
                f"{index} waits for confirmation"
            )
            assert not side.open_tokens, f"{index} got no answer to {side.open_tokens}"
            assert not side.script
            untold = side.disk.gone - side.told_dropped - other.ever
            assert side.crashed or not untold, f"{untold} were dropped without a word"
            found = set(other.disk.arrived) | other.disk.settled | side.disk.gone
            missing = [body for body in side.disk.accepted if body not in found]
            assert len(missing) <= other.missing_told or other.may_be_silent, f"{missing} are lost"

    def _calm_step(self) -> bool:
        for index, side in enumerate(self.sides):
            if side.joined != self.link:
                self.join(index)
            elif side.script:
                self.submit(index)
            elif side.todo:
                self.work(index)
            elif self.wires[index]:
                self.hear(index)
            elif self.takes and side.given:
                self.take(index)
            else:
                continue
            return True
        waits = [s.machine.deadline for s in self.sides if s.machine.deadline is not None]
        if not waits:
            return False
        self.now = max(self.now, min(waits))
        for index in (0, 1):
            self.feed(index, TimePassed())
        return True
