"""Two stream machines, their disks and spools, and everything that can be between them.

Small enough to be explored completely, and driven at random in larger sizes. What the real node does around a
machine (its event loop, its store) is done here by moves of their own, so that all may happen in between.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from functools import partial

from tests.property import stream_lanes
from tests.property.stream_side import ID, Make, Plan, Side, same

from p4.core.session.stream_frames import (
    Credit,
    Data,
    Done,
    Gone,
    Open,
    Reset,
    ResetReason,
    StreamFrame,
    Written,
)
from p4.core.session.streams.events import (
    Cancel,
    Claim,
    Consume,
    Discard,
    Ended,
    EndTaken,
    Finish,
    Finished,
    Forget,
    Forgotten,
    FrameArrived,
    LinkDown,
    LinkUp,
    MayOpen,
    Save,
    Saved,
    StreamEffect,
    StreamEvent,
    TimePassed,
    Took,
    Transmit,
    WillWrite,
    Wrote,
)
from p4.core.session.streams.record import StreamRecord
from p4.core.session.streams.windows import WindowBudget


class World:
    """Everything; `moves` lists what may happen next."""

    def __init__(self, make: Make, plan: Plan) -> None:
        self.make = make
        self.plan = plan
        self.sides = [Side(opener=True), Side(opener=False)]
        self.ordered: list[list[StreamFrame]] = [[], []]
        """On its way to each side, in order."""
        self.bulk: list[list[Data]] = [[], []]
        self.linked = False
        self.reports: list[list[Data]] = [[], []]
        """What each side has not noticed yet: DATA of its own that a lane may have lost."""
        left = {kind: getattr(plan, f"{kind}s") for kind in ("flap", "power", "cancel", "lane")}
        self.left = left | {"crash": plan.crashes}
        self.happened: set[str] = set()
        self.fresh = 0
        for side, writes in zip(self.sides, plan.writes, strict=True):
            side.script = list(writes)
        opener = self.sides[0]
        opener.machine = make(StreamRecord(ID, "files", "a", opened_here=True), opener.budget)
        self.perform(0, opener.machine.begin())
        self.feed(0, Claim())

    # -- moves ----------------------------------------------------------------------------------------

    def moves(self) -> Iterator[tuple[str, Callable[[World], None]]]:
        """What may happen now."""
        yield from self.quiet_moves()
        if self.linked and self.left["flap"]:
            yield "flap", partial(World.unlink, flap=True)
        yield from stream_lanes.moves(self)
        for index, side in enumerate(self.sides):
            for kind in ("crash", "power"):
                if self.left[kind] and (side.machine or side.disk):
                    yield f"{kind} {index}", partial(World.crash, index=index, kind=kind)
                    if side.pending:
                        name = f"{kind} {index} behind the disk's back"
                        yield name, partial(World.crash, index=index, kind=kind, written=True)
            if self.left["cancel"] and side.machine and not side.machine.over:
                yield f"cancel {index}", partial(World.cancel, index=index)

    def quiet_moves(self) -> Iterator[tuple[str, Callable[[World], None]]]:
        """What may happen while nothing goes wrong, the likeliest first."""
        if not self.linked:
            yield "link", World.link
        for index, side in enumerate(self.sides):
            if side.pending:
                yield f"disk {index}", partial(World.disk, index=index)
            if self.ordered[index]:
                yield f"ordered {index}", partial(World.arrive, index=index)
            for position in range(len(self.bulk[index])):
                yield f"bulk {index} {position}", partial(World.arrive_bulk, index=index, position=position)
            if side.offered is not None:
                yield f"accept {index}", partial(World.accept, index=index)
            machine = side.machine
            if machine is None:
                continue
            if machine.sendable and self.linked:
                yield f"send {index}", partial(World.send, index=index)
            if not machine.over:
                if self._may_read(index) and not (self.plan.late and machine.reader.at_end):
                    yield f"read {index}", partial(World.read, index=index)
                if side.script and not machine.record.final:
                    yield f"write {index}", partial(World.write, index=index)
            if machine.deadline is not None:
                yield f"time {index}", partial(World.pass_time, index=index)
        for index, side in enumerate(self.sides):
            machine = side.machine
            if machine is not None and not machine.over and not side.script and not machine.record.final:
                yield f"finish {index}", partial(World.feed, index=index, event=Finish())
        yield from stream_lanes.reports(self)
        for index in (0, 1) if self.plan.late else ():
            if self._may_read(index):
                yield f"read late {index}", partial(World.read, index=index)

    def _may_read(self, index: int) -> bool:
        machine = self.sides[index].machine
        if machine is None or machine.over:
            return False
        return machine.reader.readable and not machine.reader.has_told_all

    def link(self) -> None:
        self.linked = True
        for index in (0, 1):
            self.feed(index, LinkUp())
            self.feed(index, MayOpen())

    def unlink(self, *, flap: bool = False) -> None:
        if flap:
            self.left["flap"] -= 1
        self.linked = False
        self.ordered, self.bulk, self.reports = [[], []], [[], []], [[], []]
        for index, side in enumerate(self.sides):
            side.offered = None
            side.granted = 0
            self.feed(index, LinkDown())

    def disk(self, index: int) -> None:
        effect = self._write_out(index)
        self.feed(index, Forgotten() if isinstance(effect, Forget) else Saved(effect.record))

    def _write_out(self, index: int) -> Save | Forget:
        side = self.sides[index]
        effect = side.pending.pop(0)
        if isinstance(effect, Forget):
            side.disk = None
        else:
            if effect.sync_spool:
                side.synced = len(side.history)
            side.disk = effect.record
        return effect

    def accept(self, index: int) -> None:
        side = self.sides[index]
        credit, side.offered = side.offered, None
        side.machine = self.make(
            StreamRecord(ID, "files", "a", opened_here=False, accepted=True), side.budget
        )
        self.perform(index, side.machine.begin())
        for event in (Claim(), LinkUp(), FrameArrived(credit)) if credit else ():
            self.feed(index, event)

    def write(self, index: int) -> None:
        side = self.sides[index]
        self.feed(index, WillWrite())
        if side.machine is None or not side.machine.may_write:
            return
        size = side.script.pop(0)
        side.history += (value % 256 for value in range(self.fresh, self.fresh + size))
        self.fresh += size
        self.feed(index, Wrote(len(side.history)))

    def read(self, index: int) -> None:
        side, machine = self.sides[index], self.sides[index].machine
        assert machine is not None
        before = machine.reader.position
        # What was read before counts as consumed now that the application reads on.
        self.feed(index, Consume(before))
        data = machine.take(self.plan.piece)
        if data:
            side.delivered += data
            writer = self.sides[1 - index]
            # Before it is told, a reader may go on with bytes that the writer has lost; but never mix them.
            assert any(
                side.delivered == written[: len(side.delivered)] for written in (writer.history, *writer.lost)
            ), "what was read is not what was written"
            assert machine.reader.position == before + len(data)
        elif machine.reader.at_end:
            side.told_end = True
            self.feed(index, Finish(leave=True) if self.plan.leaves else EndTaken())
        self.feed(index, Took())

    def send(self, index: int) -> None:
        side, machine = self.sides[index], self.sides[index].machine
        assert machine is not None
        offset, size = machine.take_to_send(self.plan.piece)
        assert side.start <= offset, "bytes are to be sent that the spool has given up"
        data = bytes(side.history[offset : offset + size])
        assert len(data) == size > 0, "bytes are to be sent that were never written"
        self.bulk[1 - index].append(Data(ID, offset, data))

    def pass_time(self, index: int) -> None:
        machine = self.sides[index].machine
        assert machine is not None
        assert machine.deadline is not None
        self.perform(index, machine.handle(TimePassed(), machine.deadline))

    def cancel(self, index: int) -> None:
        self.left["cancel"] -= 1
        self.happened.add("cancel")
        self.feed(index, Cancel(ResetReason.CANCELLED, "enough"))

    def crash(self, index: int, kind: str, *, written: bool = False) -> None:
        """The process ends and starts again; with it the link.

        Args:
            written: the disk does what it was asked for, though the process did not live to hear it.
        """
        self.left[kind] -= 1
        side = self.sides[index]
        if written:
            self._write_out(index)
        side.pending.clear()
        side.machine = None
        self.unlink()
        if kind == "power" and side.synced < len(side.history):
            self.happened.add("loss")
            # The application goes on where the node says that it left off, with other bytes than before.
            side.script.insert(0, len(side.history) - side.synced)
            side.lost.append(side.history[:])
            del side.history[side.synced :]
            side.start = min(side.start, len(side.history))
        side.budget = WindowBudget()
        if side.disk is None:
            if side.told_end:
                side.finished = True
            elif side.opener and not side.finished:
                side.ended.append(ResetReason.CANCELLED)  # it was never opened, as far as anybody knows
                self.happened.add("cancel")
            return
        if side.disk.reset >= 0 and not side.ended:
            side.ended.append(ResetReason(side.disk.reset))  # nobody was told, but it does not come again
        side.finished = side.disk.done
        assert side.told_end or not side.finished, "it has ended on disk, and the application does not know"
        side.delivered = side.delivered[: side.disk.consumed]
        side.machine = self.make(side.disk, side.budget, spool=(side.start, len(side.history)))
        self.perform(index, side.machine.begin())
        self.feed(index, Claim())

    # -- frames -----------------------------------------------------------------------------------------

    def arrive(self, index: int) -> None:
        self.receive(index, self.ordered[index].pop(0))

    def arrive_bulk(self, index: int, position: int) -> None:
        self.receive(index, self.bulk[index].pop(position))

    def receive(self, index: int, frame: StreamFrame) -> None:
        """What the node does with a frame."""
        side = self.sides[index]
        if side.machine is not None:
            self.feed(index, FrameArrived(frame))
            self.check_memory(index)
            return
        match frame:
            case Open():
                side.offered = Credit(ID, 0, 0)
            case Credit() if side.offered is not None:
                side.offered = frame
            case Data() | Gone():
                pass
            case _:
                side.offered = None
                self.ordered[1 - index].append(Gone(ID))

    def check_memory(self, index: int) -> None:
        side = self.sides[index]
        if side.machine is not None:
            room = max(0, side.granted - side.machine.reader.position)
            assert side.machine.reader.held <= room, "more is kept than was granted"

    # -- machines -----------------------------------------------------------------------------------------

    def feed(self, index: int, event: StreamEvent) -> None:
        machine = self.sides[index].machine
        if machine is not None:
            self.perform(index, machine.handle(event, 0.0))

    def perform(self, index: int, effects: list[StreamEffect]) -> None:
        side = self.sides[index]
        for effect in effects:
            match effect:
                case Save() | Forget():
                    assert not side.pending, "two writes at a time"
                    side.pending.append(effect)
                case Discard(through):
                    self._discard(index, through)
                case Transmit(frame):
                    self._check(index, frame)
                    if self.linked:
                        self.ordered[1 - index].append(frame)
                case Ended(reason, _, by_contact):
                    assert by_contact or not side.disk or side.disk.reset >= 0, "told too early"
                    side.ended.append(reason)
                    assert reason is not ResetReason.LOST or "loss" in self.happened or self._cancelled
                case Finished():
                    assert side.told_end, "it ended, and the application does not know"
                    assert side.disk is None or side.disk.done, "it ended, and the disk does not know"
                    side.finished = True
        if side.machine is not None and side.disk is None and not side.pending and side.machine.over:
            side.machine = None  # `Forgotten` was the last event

    @property
    def _cancelled(self) -> bool:
        return "cancel" in self.happened

    def _discard(self, index: int, through: int) -> None:
        side, other = self.sides[index], self.sides[1 - index]
        side.start = max(side.start, min(through, len(side.history)))
        over = side.machine is not None and side.machine.over
        if not over:
            assert other.disk is None or other.disk.consumed >= through, "given up before it was consumed"

    def _check(self, index: int, frame: StreamFrame) -> None:
        """Nothing is told before it is on disk."""
        side = self.sides[index]
        disk = side.disk
        match frame:
            case Open():
                assert disk is not None
            case Credit(_, through, limit):
                assert disk is not None, "accepted before it is on disk"
                assert disk.consumed >= through, "acknowledged before it is on disk"
                side.granted = limit
                assert limit - through <= side.budget.used + max(0, len(side.delivered) - through)
            case Written(_, end, final):
                assert disk is not None
                assert len(side.history) >= end
                assert not final or (disk.final and side.synced == len(side.history) == end)
            case Reset():
                assert disk is not None
                assert disk.reset >= 0
            case Done():
                assert disk is None or disk.done
            case _:
                pass

    # -- ends -----------------------------------------------------------------------------------------------

    def settle(self, most: int = 400) -> None:
        """Let nothing go wrong any more; both sides must come to an end.

        Raises:
            AssertionError: they do not, or something is missing.
        """
        for _ in range(most):
            step = next(self.quiet_moves(), None)
            if step is None:
                break
            step[1](self)
        self.assert_all_over()

    def assert_all_over(self) -> None:
        """Nothing can happen any more: everything must be well."""
        for index, side in enumerate(self.sides):
            assert side.disk is None, f"side {index} never forgets the stream: {side.disk}"
            assert not side.budget.used, f"side {index} keeps memory"
        if self._cancelled or ("loss" in self.happened and all(side.ended for side in self.sides)):
            return
        for index, side in enumerate(self.sides):
            assert not side.ended, f"side {index} was told of {side.ended}"
            assert side.finished
            assert side.delivered == self.sides[1 - index].history

    def copy(self) -> World:
        """Another world in the same state."""
        twin: World = pickle.loads(pickle.dumps(self, pickle.HIGHEST_PROTOCOL))  # noqa: S301 - our own
        return twin

    def key(self) -> object:
        """Equal for states from which the same can happen."""
        on_the_way = [self.ordered, [sorted(frames) for frames in self.bulk], self.reports]
        return same((self.sides, on_the_way, self.linked, self.left))
