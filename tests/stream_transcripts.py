"""Runs the transcripts of one stream at one side (vectors/README.md) against our machine."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any

from tests.frame_vectors import Outcome, spelled
from tests.transcript_vectors import by_kind, in_order, unspelled

from p4.core.session.stream_frames import Credit, Data, Gone, Open, ResetReason, StreamFrame
from p4.core.session.streams.events import (
    Cancel,
    Claim,
    Consume,
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
    Took,
    Transmit,
    WillWrite,
    Wrote,
)
from p4.core.session.streams.machine import StreamMachine
from p4.core.session.streams.record import StreamRecord
from p4.core.session.streams.windows import WindowBudget
from p4.errors import FrameError

__all__ = ["session_stream"]

LARGEST = 65_519


class StreamSide:
    """A machine, its disk, which answers at once, and what the node does around it."""

    def __init__(self) -> None:
        self.machine: StreamMachine | None = None
        self.disk: StreamRecord | None = None
        self.offer: list[StreamFrame] = []
        self.written = self.start = 0
        self.linked = False
        self.sends: list[dict[str, Any]] = []
        self.tells: list[dict[str, Any]] = []

    def step(self, step: dict[str, Any]) -> dict[str, Any]:
        self.sends, self.tells = [], []
        match by_kind(step):
            case "link", "up":
                self.linked = True
                self.feed(LinkUp())
                self.feed(MayOpen())
            case "link", "down":
                self.break_link()
            case "receive", frames:
                for frame in frames:
                    if self.linked:
                        self.receive(unspelled(frame))
            case "open", given:
                self.make(StreamRecord(given["id"], given["service"], given["name"], opened_here=True))
            case "accept", _:
                opened = self.offer.pop(0)
                assert isinstance(opened, Open)
                self.make(
                    StreamRecord(opened.id, opened.service, opened.name, opened_here=False, accepted=True)
                )
                for frame in self.offer:
                    self.feed(FrameArrived(frame))
            case "write", size:
                self.feed(WillWrite())
                self.written += size
                self.feed(Wrote(self.written))
            case "finish", _:
                self.feed(EndTaken())  # as `Stream.close_writing` does
                self.feed(Finish())
            case "read", most:
                self.read(most)
            case "cancel", reason:
                self.feed(Cancel(ResetReason(reason), ""))
            case "restart", given:
                self.restart(given["lost"])
            case unknown:
                raise AssertionError(f"what is {unknown}?")
        self.send_data()
        return {"sends": _essential(self.sends), "tells": in_order(self.tells)}

    def make(self, record: StreamRecord) -> None:
        self.machine = StreamMachine(record, WindowBudget())
        self.perform(self.machine.begin())
        self.feed(Claim())
        if self.linked:
            self.feed(LinkUp())
            self.feed(MayOpen())

    def restart(self, lost: int) -> None:
        """The process ends; its machine's power too, if the end of the spool is lost."""
        self.linked = False
        self.written -= lost
        assert self.disk is not None
        self.machine = StreamMachine(self.disk, WindowBudget(), spool=(self.start, self.written))
        self.perform(self.machine.begin())
        self.feed(Claim())

    def read(self, most: int) -> None:
        machine = self.machine
        assert machine is not None
        data = b""
        while len(data) < most and (piece := machine.take(most - len(data))):
            data += piece
        ended = machine.reader.at_end
        self.feed(Consume(machine.reader.position, now=True))
        self.feed(Took())
        if ended:
            self.feed(EndTaken())
        self.tells.append({"read_hex": data.hex(), "at_end": ended})

    def break_link(self) -> None:
        self.linked = False
        self.offer.clear()
        self.feed(LinkDown())

    def receive(self, frame: StreamFrame) -> None:
        if self.machine is not None:
            try:
                self.feed(FrameArrived(frame))
            except FrameError:
                self.tells.append({"link_ends": "broken"})
                self.break_link()
            return
        match frame:
            case Open():
                self.offer = [frame]
            case Credit() if self.offer:
                self.offer = [*self.offer[:1], frame]
            case Data() | Gone():
                pass
            case _:
                self.offer.clear()
                self.sends.append(spelled(Gone(frame.id)))

    def send_data(self) -> None:
        machine = self.machine
        while machine is not None and self.linked and machine.sendable:
            offset, size = machine.take_to_send(LARGEST)
            data = bytes(at % 256 for at in range(offset, offset + size))
            self.sends.append(spelled(Data(machine.record.id, offset, data)))

    def feed(self, event: StreamEvent) -> None:
        if self.machine is not None:
            self.perform(self.machine.handle(event, 0.0))

    def perform(self, effects: list[StreamEffect]) -> None:
        machine = self.machine
        assert machine is not None
        waiting = deque(effects)
        while waiting:
            match waiting.popleft():
                case Save(record):
                    self.disk = replace(record)
                    waiting += machine.handle(Saved(record), 0.0)
                case Forget():
                    self.disk = self.machine = None
                    self.tells.append({"forgotten": True})
                    waiting += machine.handle(Forgotten(), 0.0)
                case Transmit(frame):
                    if self.linked:
                        self.sends.append(spelled(frame))
                case Ended(reason, _, by_contact):
                    self.tells.append({"reset": int(reason), "by_contact": by_contact})
                case Finished():
                    self.tells.append({"finished": True})
                case _:
                    pass


def _essential(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What every implementation must send: not how much memory it grants, nor its words for a person."""
    last = max((at for at, frame in enumerate(frames) if frame["frame"] == "CREDIT"), default=-1)
    kept = [frame for at, frame in enumerate(frames) if frame["frame"] != "CREDIT" or at == last]
    return [{k: v for k, v in frame.items() if k not in {"limit", "text"}} for frame in kept]


def session_stream(given: dict[str, Any]) -> Outcome:
    side = StreamSide()
    return "session", "ok", [side.step(step) for step in given["steps"]]
