"""Runs the vectors of kind "session": transcripts of one side (vectors/README.md) against our machines."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from enum import IntEnum
from typing import Any

from tests.core.session.messages.model_disk import ModelDisk
from tests.frame_vectors import NAMES, Outcome, octets, spelled

from p4.core.session import session_frames, stream_frames
from p4.core.session.messages.events import (
    ConsumedByPeer,
    Delivered,
    Dropped,
    EndLink,
    FramesArrived,
    LinkDown,
    LinkUp,
    MessageEffect,
    MessageEvent,
    Notice,
    Perform,
    Performed,
    Received,
    Renewed,
    Submit,
    Take,
    Transmit,
    Writable,
)
from p4.core.session.messages.machine import MessageMachine
from p4.core.session.messages.relation import RelationState
from p4.core.session.messages.stored import Draft, InboxMessage, OutboxMessage, Quota
from p4.core.session.session_frames import CallStatus, Kind, RefusedReason
from p4.core.session.stream_frames import ResetReason

__all__ = ["by_kind", "in_order", "session_messages", "unspelled"]

NOW_MS = 1_700_000_000_000
MINE = {short: name for name, short in NAMES.items()}
ENUMS: dict[tuple[str, str], type[IntEnum]] = {
    ("REFUSED", "reason"): RefusedReason,
    ("RESET", "reason"): ResetReason,
    ("CALL", "kind"): Kind,
    ("REPLY", "kind"): Kind,
    ("REPLY", "status"): CallStatus,
}


def unspelled(given: dict[str, Any]) -> Any:
    """The frame that a vector gives by its fields."""
    name = given["frame"].capitalize()
    made: Any = getattr(session_frames, name, None) or getattr(stream_frames, name)
    fields: dict[str, Any] = {}
    for field, value in given.items():
        if isinstance(value, dict):
            value = octets(value)
        if isinstance(value, list):
            value = tuple(value)
        enum = ENUMS.get((given["frame"], field))
        if field != "frame":
            fields[MINE.get(field, field)] = enum(value) if enum else value
    return made(**fields)


def in_order(told: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a step told the user. The order within a step does not matter."""
    return sorted(told, key=json.dumps)


def by_kind(step: dict[str, Any]) -> tuple[str, Any]:
    """A step has one key: what is done."""
    ((kind, given),) = step.items()
    return kind, given


class MessageSide:
    """A machine and its disk, which answers at once."""

    def __init__(self, given: dict[str, Any]) -> None:
        state = given["state"]
        self.grants = tuple(given["grants"])
        self.epochs = iter(bytes.fromhex(epoch) for epoch in given["fresh_epochs_hex"])
        in_epoch = bytes.fromhex(state["in_epoch_hex"])
        self.disk = ModelDisk(
            RelationState(
                out_epoch=bytes.fromhex(state["out_epoch_hex"]),
                out_first=state["out_first"],
                out_next=state["out_next"],
                out_offered=state["out_offered"],
                out_retired=tuple(map(bytes.fromhex, state["out_retired_hex"])),
                in_epoch=in_epoch,
                in_next=state["in_next"],
                in_retired=tuple((bytes.fromhex(epoch), number) for epoch, number in state["in_retired"]),
            ),
            {
                number: OutboxMessage(number, "chat", Kind.BYTES, b"m", "", NOW_MS, 0)
                for number in state["outbox"]
            },
            {
                position: InboxMessage(position, in_epoch, number, service, 0, b"", "", 0, 0, 0)
                for position, (number, service) in enumerate(state["inbox"], 1)
            },
            len(state["inbox"]),
        )
        self.sends: list[dict[str, Any]] = []
        self.tells: list[dict[str, Any]] = []
        self.start()

    def start(self) -> None:
        self.machine = MessageMachine(
            self.disk.load(),
            quota=Quota(1000, 10**6),
            fresh_epoch=lambda: next(self.epochs),
            grants=self.grants,
        )

    def step(self, step: dict[str, Any]) -> dict[str, Any]:
        self.sends, self.tells = [], []
        match by_kind(step):
            case "link", "up":
                self.feed(LinkUp(2))
            case "link", "down":
                self.feed(LinkDown())
            case "receive", frames:
                self.feed(FramesArrived([unspelled(frame) for frame in frames]))
            case "accept", drafts:
                self.feed(Submit(1, tuple(_draft(draft) for draft in drafts)))
            case "take", service:
                taken = [message for message in self.disk.inbox.values() if message.service == service]
                self.feed(Take(1, tuple(taken)))
            case "start", "again":
                self.start()
            case unknown:
                raise AssertionError(f"what is {unknown}?")
        if self.machine.wants_budget:
            self.feed(Writable(10**9))
        return {"sends": _last_acks(self.sends), "tells": in_order(self.tells)}

    def feed(self, event: MessageEvent) -> None:
        events = deque([event])
        while events:
            for effect in self.machine.handle(events.popleft(), 0.0, NOW_MS):
                if isinstance(effect, Perform):
                    events.append(Performed(effect.operation, self.disk.perform(effect.operation)))
                elif isinstance(effect, Transmit):
                    self.sends.append(spelled(effect.frame))
                else:
                    self.tells += _told(effect)


def _draft(given: dict[str, str]) -> Draft:
    return Draft(given["service"], Kind.BYTES, b"m", given.get("key", ""), NOW_MS, 0)


def _told(effect: MessageEffect) -> list[dict[str, Any]]:
    match effect:
        case Received(messages):
            return [{"received": message.number} for message in messages]
        case Delivered(_, through):
            return [{"delivered": through}]
        case Dropped(_, numbers, _, reason):
            return [{"dropped": number, "reason": reason.value} for number in numbers]
        case Renewed(_, new_epoch):
            return [{"renewed_hex": new_epoch.hex()}]
        case ConsumedByPeer(_, service, through):
            return [{"consumed": through, "service": service}]
        case Notice(kind, count):
            return [{"notice": kind.value, "count": count}]
        case EndLink(_, broke_protocol):
            return [{"link_ends": "broken" if broke_protocol else "renewed"}]
        case _:
            return []


def _last_acks(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of the ACKs of one step only the last: how many go before is a matter of taste."""
    last = max((at for at, frame in enumerate(frames) if frame["frame"] == "ACK"), default=-1)
    return [frame for at, frame in enumerate(frames) if frame["frame"] != "ACK" or at == last]


def session_messages(given: dict[str, Any]) -> Outcome:
    side = MessageSide(given)
    return "session", "ok", [side.step(step) for step in given["steps"]]
