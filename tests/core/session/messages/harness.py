"""A message machine with its model disk, under a test's thumb."""

from __future__ import annotations

import itertools
from typing import TypeVar

from tests.core.session.messages.model_disk import ModelDisk, RefusalError

from p4.core.session.messages.events import (
    Failed,
    FramesArrived,
    LinkUp,
    MessageEffect,
    MessageEvent,
    MessageFrame,
    Perform,
    Performed,
    Submit,
    Transmit,
    Writable,
)
from p4.core.session.messages.machine import MessageMachine
from p4.core.session.messages.outbox import NO_EPOCH
from p4.core.session.messages.stored import Draft, Operation, Quota
from p4.core.session.session_frames import Grants, Kind, Message, Resume

T = TypeVar("T")
THEIRS = b"their outbox 001"
ROOMY = Quota(1_000_000, 1_000_000_000)


def draft(text: str, *, key: str = "", service: str = "chat", expires_ms: int = 0) -> Draft:
    return Draft(service, Kind.JSON, b'"%s"' % text.encode(), key, 1, expires_ms)


def message(
    number: int, text: str = "x", *, key: str = "", service: str = "chat", ttl_ms: int = 0
) -> Message:
    return Message(number, Kind.JSON, 1, ttl_ms, service, key, b'"%s"' % text.encode())


_names = itertools.count(1)


def _fresh_epoch() -> bytes:
    return b"our outbox %05d" % next(_names)


class Desk:
    """One side.

    Args:
        works: whether the disk does at once what it is asked; else it waits for `work`.
    """

    def __init__(self, disk: ModelDisk | None = None, *, works: bool = True, quota: Quota = ROOMY) -> None:
        self.disk = disk or ModelDisk()
        self.works = works
        self.now = 100.0
        self.now_ms = 1_000
        self.effects: list[MessageEffect] = []
        self.todo: list[Operation] = []
        self.budget = 10**9
        self.machine = MessageMachine(
            self.disk.load(), quota=quota, fresh_epoch=_fresh_epoch, grants=("chat", "ping")
        )

    def feed(self, event: MessageEvent) -> Desk:
        """Handle an event, and what follows from it on a disk that works."""
        events: list[MessageEvent] = [event]
        while events:
            for effect in self.machine.handle(events.pop(0), self.now, self.now_ms):
                if isinstance(effect, Perform):
                    self.todo.append(effect.operation)
                else:
                    self.effects.append(effect)
            if self.works and self.todo:
                events.append(self._perform())
            elif self.machine.wants_budget and self.budget:
                events.append(Writable(self.budget))
        return self

    def _perform(self) -> MessageEvent:
        operation = self.todo.pop(0)
        try:
            return Performed(operation, self.disk.perform(operation))
        except RefusalError as error:
            return Failed(operation, error.code, "There is no room.")

    def work(self) -> Desk:
        """The disk does the next that it was asked."""
        return self.feed(self._perform())

    def refuse(self) -> Operation:
        """The disk fails at the next that it was asked."""
        operation = self.todo.pop(0)
        self.feed(Failed(operation, "full", "The disk is full."))
        return operation

    def submit(self, *drafts: Draft, token: int = 0) -> Desk:
        return self.feed(Submit(token, drafts))

    def link(
        self,
        *,
        out_first: int = 1,
        in_next: int = 1,
        in_epoch: bytes | None = None,
        out_epoch: bytes = THEIRS,
        grants: tuple[str, ...] = ("*",),
    ) -> Desk:
        """A link comes up, and the contact says where it stands."""
        self.feed(LinkUp(2))
        ours = NO_EPOCH if in_next == 1 else self.machine.out_epoch
        resume = Resume(out_epoch, out_first, ours if in_epoch is None else in_epoch, in_next)
        return self.hear(resume, Grants(grants))

    def hear(self, *frames: MessageFrame) -> Desk:
        return self.feed(FramesArrived(frames))

    def told(self, kind: type[T]) -> list[T]:
        """Effects of a kind so far; forgets all."""
        found: list[T] = [effect for effect in self.effects if isinstance(effect, kind)]
        self.effects.clear()
        return found

    def sent(self) -> list[MessageFrame]:
        """Frames so far, but RESUME and GRANTS; forgets all."""
        frames = [effect.frame for effect in self.told(Transmit)]
        return [frame for frame in frames if not isinstance(frame, Resume | Grants)]

    def numbers(self) -> list[int]:
        """Numbers of the messages sent so far; forgets all."""
        return [frame.number for frame in self.sent() if isinstance(frame, Message)]
