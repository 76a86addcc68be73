"""A mailbox with its disk, and a link of which the test decides how much it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.node.harness import id_of

from p4.core import limits
from p4.core.session.messages.events import MessageFrame, Received
from p4.core.session.messages.machine import MessageMachine
from p4.core.session.messages.stored import Draft, InboxMessage, Quota
from p4.core.session.session_frames import Grants, Kind, Message, Resume
from p4.errors import LinkError
from p4.node.mailbox import Mailbox, Told
from p4.node.relation_state import relation_state
from p4.ports import PeerRecord
from p4.testing import MemoryDisk, MemoryStore, SeededEntropy, VirtualClock

__all__ = ["BOB", "Carrier", "Post", "arriving", "draft"]

BOB = id_of("bob")
HIS = b"h" * 16


class Carrier:
    """A link of which the test decides how much it takes."""

    def __init__(self, protocol: int = 2, room: int = limits.LINK_HIGH_WATER_BYTES) -> None:
        self.protocol = protocol
        self.free = room
        self.sent: list[list[MessageFrame]] = []
        """What was given at each call."""
        self.lines: list[str] = []
        self.failed: list[str] = []
        self.broken = False
        self._more = asyncio.Event()

    def send(self, frames: Sequence[MessageFrame]) -> None:
        if self.broken:
            raise LinkError("The channel is gone.", code="not-open")
        self.sent.append(list(frames))
        self.free -= sum(len(frame.body) for frame in frames if isinstance(frame, Message))

    def send_chat_line(self, text: str) -> None:
        if self.broken:
            raise LinkError("The channel is gone.", code="not-open")
        self.lines.append(text)

    def room(self) -> int:
        return self.free

    async def drained(self) -> None:
        while self.free <= 0:
            self._more.clear()
            await self._more.wait()

    def take(self, size: int) -> None:
        """There is room for so many bytes now."""
        self.free = size
        self._more.set()

    def fail(self, reason: str) -> None:
        self.failed.append(reason)

    @property
    def frames(self) -> list[MessageFrame]:
        return [frame for frames in self.sent for frame in frames]

    def numbers(self) -> list[int]:
        """Of the messages that were sent."""
        return [frame.number for frame in self.frames if isinstance(frame, Message)]


class Post:
    """A mailbox with its disk, and what it told."""

    def __init__(self, disk: MemoryDisk | None = None) -> None:
        self.disk = disk or MemoryDisk()
        self.told: list[Told] = []
        self.allowed = 0
        self.store = MemoryStore(self.disk, commit_seconds=0.1, return_seconds=0.05)
        record = self.disk.peers.get(BOB, PeerRecord())
        entropy = SeededEntropy(len(self.disk.peers))
        machine = MessageMachine(
            relation_state(record),
            quota=Quota(1000, 10**7),
            fresh_epoch=lambda: entropy.token(16),
            grants=record.grants,
        )
        self.mailbox = Mailbox(BOB, machine, store=self.store, clock=VirtualClock(), observer=self)

    async def open(self) -> Mailbox:
        await self.store.open()
        return self.mailbox

    def tell(self, effect: Told) -> None:
        self.told.append(effect)

    def may_send(self) -> None:
        self.allowed += 1

    def greeted(self, carrier: Carrier, *, in_next: int = 1, known: bool = True) -> Carrier:
        """A link in service on which the contact has said what it expects and allows."""
        self.mailbox.link_up(carrier)
        epoch = self.mailbox.out_epoch if known else bytes(16)
        self.mailbox.handle([Resume(HIS, 1, epoch, in_next), Grants(("chat",))])
        return carrier

    @property
    def received(self) -> list[InboxMessage]:
        return [m for effect in self.told if isinstance(effect, Received) for m in effect.messages]


def draft(body: bytes = b'"text"') -> Draft:
    return Draft("chat", Kind.JSON, body, "", 0, 0)


def arriving(*numbers: int) -> list[MessageFrame]:
    return [Message(number, Kind.JSON, 1, 0, "chat", "", b'"theirs"') for number in numbers]
