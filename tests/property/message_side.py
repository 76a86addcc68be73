"""One side of a message world: its machine, its disk, and what has happened to both."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field

from tests.core.session.messages.model_disk import ModelDisk

from p4.core.session.messages.events import Submit
from p4.core.session.messages.machine import MessageMachine
from p4.core.session.messages.stored import Draft, InboxMessage, Operation
from p4.core.session.session_frames import Resume


def text(number: int, *, key: str = "", expires_ms: int = 0, service: str = "chat") -> Draft:
    """A message whose body tells its place among all that its side hands over."""
    return Draft(service, 1, b'"%d"' % number, key, 1, expires_ms)


def place(body: bytes) -> int:
    return int(body.strip(b'"'))


@dataclass
class Disk:
    """A disk, and what ever happened to it: a backup knows as little as its copy."""

    model: ModelDisk = field(default_factory=ModelDisk)
    accepted: list[bytes] = field(default_factory=list)
    arrived: list[bytes] = field(default_factory=list)
    ids: set[tuple[bytes, int]] = field(default_factory=set)
    gone: set[bytes] = field(default_factory=set)
    """Left the outbox without being acknowledged."""
    settled: set[bytes] = field(default_factory=set)
    """Arrived and was not kept: refused, too old, or replaced at once."""

    def copy(self) -> Disk:
        copied: Disk = pickle.loads(pickle.dumps(self))  # noqa: S301 # our own, of this moment
        return copied


@dataclass
class Epochs:
    """Names of outboxes, never the same twice."""

    side: int
    count: int = 0

    def __call__(self) -> bytes:
        self.count += 1
        return b"%d outbox %07d" % (self.side, self.count)


@dataclass
class Side:
    machine: MessageMachine
    epochs: Epochs
    disk: Disk = field(default_factory=Disk)
    todo: list[Operation] = field(default_factory=list)
    script: list[tuple[Draft, ...]] = field(default_factory=list)
    token: int = 0
    open_tokens: set[int] = field(default_factory=set)
    joined: int = 0
    """The link on which this side is."""
    resume_sent: Resume | None = None
    resume_heard: Resume | None = None
    grants_heard: bool = False
    sent_through: int = 0
    """The highest number sent on this link."""
    named: set[str] = field(default_factory=set)
    """Services named in CONSUMED on this link."""
    given: list[InboxMessage] = field(default_factory=list)
    """With the application, not taken."""
    taking: dict[int, int] = field(default_factory=dict)
    """Positions that the application has taken, by token."""
    ever: set[bytes] = field(default_factory=set)
    """Bodies that ever reached this disk, or were refused or too old when they arrived."""
    refused: dict[int, bytes] = field(default_factory=dict)
    """Heard on this link and not allowed."""
    told_dropped: set[bytes] = field(default_factory=set)
    crashed: bool = False
    missing_told: int = 0
    may_be_silent: bool = False

    def next_submit(self) -> Submit:
        """What its application hands over next."""
        self.token += 1
        self.open_tokens.add(self.token)
        return Submit(self.token, self.script.pop(0))
