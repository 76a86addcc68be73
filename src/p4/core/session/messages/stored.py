"""What is kept of messages, and what is done to it: the machine's words to the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

__all__ = [
    "AcceptInbox",
    "AcknowledgeOutbox",
    "AppendOutbox",
    "Appended",
    "ConsumeInbox",
    "Draft",
    "DropOutbox",
    "InboxMessage",
    "Kept",
    "OfferOutbox",
    "Operation",
    "OutboxMessage",
    "Quota",
    "ReadOutbox",
    "ReadWaiting",
    "Received",
    "RenewOutbox",
    "SkipInbox",
    "Waiting",
]


# Tuples, not dataclasses, where one is made for every message: they take a quarter of the time.


class Draft(NamedTuple):
    """A message that an application hands over."""

    service: str
    kind: int
    """A `p4.core.session.session_frames.Kind`."""
    body: bytes
    key: str
    """Replaces earlier ones for the service with the same key; empty for none."""
    accepted_ms: int
    expires_ms: int
    """Unix milliseconds after which it is of no use; 0 for never."""


class OutboxMessage(NamedTuple):
    """An accepted message that the contact has not confirmed."""

    number: int
    service: str
    kind: int
    body: bytes
    key: str
    accepted_ms: int
    expires_ms: int


class Received(NamedTuple):
    """A message as it arrived."""

    number: int
    service: str
    kind: int
    body: bytes
    key: str
    sent_ms: int
    expires_ms: int
    """By our clock; 0 for never."""


class InboxMessage(NamedTuple):
    """A received message that the application has not taken. ``(epoch, number)`` names it for ever."""

    position: int
    """Its place among all received messages of all contacts; never used twice."""
    epoch: bytes
    number: int
    service: str
    kind: int
    body: bytes
    key: str
    sent_ms: int
    received_ms: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Quota:
    """How much may wait for one contact."""

    messages: int
    bytes: int
    """Of bodies."""


@dataclass(frozen=True, slots=True)
class AppendOutbox:
    """Accept messages, all or none.

    They get the next numbers, in order. Each with a key removes older ones with its service and key, also
    earlier ones of ``drafts``. Result: `Appended`. Fails with ``outbox-full`` beyond the quota, counted after
    the removals.

    Args:
        new_epoch: 16 random bytes, the outbox's name if it has none yet.
        offered: they may be sent as soon as this is done.
    """

    drafts: tuple[Draft, ...]
    new_epoch: bytes
    offered: bool
    quota: Quota


@dataclass(frozen=True, slots=True)
class Appended:
    """Result of `AppendOutbox`.

    Args:
        first: number of the first draft.
        removed: numbers that were replaced, in no order; may include new ones.
    """

    first: int
    removed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReadOutbox:
    """Messages above a number, in order. Result: ``tuple[OutboxMessage, ...]``; at least one if there is one.

    Args:
        limit: most messages.
        most_bytes: of bodies; the message that exceeds it is left for the next time, unless it is the first.
    """

    after: int
    limit: int
    most_bytes: int


@dataclass(frozen=True, slots=True)
class DropOutbox:
    """Remove messages that will not be sent. Their numbers stay used. Result: None."""

    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AcknowledgeOutbox:
    """Remove everything up to a number: the contact has it. Result: None.

    ``out_first`` becomes ``through + 1``. Nothing else but renewing changes it: when the oldest messages are
    dropped, the number that RESUME names must not rise, or the contact would think that it has lost them.
    """

    through: int


@dataclass(frozen=True, slots=True)
class OfferOutbox:
    """All of the outbox may be sent once this is done: ``out_offered`` becomes ``out_next``. Result: None."""


@dataclass(frozen=True, slots=True)
class RenewOutbox:
    """Name the outbox anew and number what waits from 1, in the same order, none of it offered.

    The oldest that waits becomes 1 and every other number falls by as much, ``out_next`` too: holes remain
    holes, and the application's handles can be translated. ``out_first`` and ``out_offered`` become 1. The
    old name and ``known_as`` (if not empty) are retired. Result: the new `p4.ports.PeerRecord`.
    """

    new_epoch: bytes
    known_as: bytes


@dataclass(frozen=True, slots=True)
class AcceptInbox:
    """Keep what arrived, in one transaction with the number expected next. Result: `Kept`.

    A number below the one expected in its epoch, present or retired, is a duplicate and dropped. If
    ``through`` is not, the epoch becomes the present one (retiring the one before), and ``through + 1`` is
    expected. Each kept message with a key removes older ones of the contact with its service and key, except
    those at ``held`` positions, which the application has been given. A message whose time has passed is
    counted, but not kept. In an epoch that was forgotten and comes back, nothing is expected below the number
    after the highest that still waits under its name, so that it does not wait twice.

    Args:
        messages: in order of their numbers; numbers without a message may lie between them.
        through: the highest number that this covers.
    """

    epoch: bytes
    messages: tuple[Received, ...]
    through: int
    received_ms: int
    held: frozenset[int]


@dataclass(frozen=True, slots=True)
class Kept:
    """Result of `AcceptInbox`.

    Args:
        messages: those that are new.
        removed: positions of replaced ones.
        waiting: how many of the contact wait now, and ``waiting_bytes`` of bodies.
    """

    messages: tuple[InboxMessage, ...]
    removed: tuple[int, ...]
    waiting: int
    waiting_bytes: int


@dataclass(frozen=True, slots=True)
class SkipInbox:
    """Expect ``to`` next in an epoch, present or retired, if less was expected: the rest is lost.

    Result: None.
    """

    epoch: bytes
    to: int


@dataclass(frozen=True, slots=True)
class ConsumeInbox:
    """The application has taken these, or they expired: remove them.

    Result: `Waiting`, of these services.
    """

    positions: tuple[int, ...]
    services: frozenset[str]
    epoch: bytes


@dataclass(frozen=True, slots=True)
class ReadWaiting:
    """Which services have messages that were not taken. Result: `Waiting`, of all services that have."""

    epoch: bytes


@dataclass(frozen=True, slots=True)
class Waiting:
    """Result of `ConsumeInbox` and `ReadWaiting`.

    Args:
        first: by service, the lowest number of the asked epoch that still waits; 0 if none does.
        waiting: how many of the contact wait altogether, and ``waiting_bytes`` of bodies.
    """

    first: dict[str, int]
    waiting: int
    waiting_bytes: int


Operation = (
    AppendOutbox
    | ReadOutbox
    | DropOutbox
    | AcknowledgeOutbox
    | OfferOutbox
    | RenewOutbox
    | AcceptInbox
    | SkipInbox
    | ConsumeInbox
    | ReadWaiting
)
