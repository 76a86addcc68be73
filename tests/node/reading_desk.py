"""An inbox on a disk, with contacts whose messages arrive as the test wants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from tests.node.harness import id_of

from p4.core.session.messages.stored import AcceptInbox, ConsumeInbox, InboxMessage, Received
from p4.core.session.session_frames import Kind
from p4.node.inbox import Inbox, Message, MessageStream
from p4.testing import MemoryDisk, MemoryStore, VirtualClock

__all__ = ["EPOCH", "Desk", "Sender", "nothing_comes", "take", "values"]

EPOCH = b"e" * 16


class Sender:
    """A contact whose messages arrive as the test wants; see `p4.node.inbox.Recipient`."""

    def __init__(self, desk: Desk, name: str) -> None:
        self.desk = desk
        self.peer: Any = SimpleNamespace(peer_id=id_of(name), contact=SimpleNamespace(label=name))
        self.ended = False
        self.held: set[int] = set()
        self._next = 1

    async def delivers(
        self, *values: object, service: str = "chat", key: str = "", expires_ms: int = 0, size: int = 0
    ) -> None:
        """Messages arrive: they are on disk, then the inbox is told."""
        numbers = range(self._next, self._next + len(values))
        self._next += len(values)
        bodies = [bytes(size) or json.dumps(value).encode() for value in values]
        kind = Kind.BYTES if size else Kind.JSON
        messages = tuple(
            Received(number, service, kind, body, key, 1, expires_ms)
            for number, body in zip(numbers, bodies, strict=True)
        )
        now_ms = self.desk.clock.wall_ms()
        operation = AcceptInbox(EPOCH, messages, numbers[-1], now_ms, frozenset(self.held))
        kept = await self.desk.store.perform(self.peer.peer_id, operation)
        self.desk.inbox.withdrawn(self, [place for place in kept.removed if place not in self.held])
        self.desk.inbox.arrived(self, kept.messages)

    def take(self, message: InboxMessage) -> asyncio.Future[None]:
        operation = ConsumeInbox((message.position,), frozenset({message.service}), EPOCH)
        return asyncio.ensure_future(self.desk.store.perform(self.peer.peer_id, operation))

    def hand_over(self, message: InboxMessage) -> None:
        if message.key:
            self.held.add(message.position)


class Desk:
    """An inbox on a disk, in one run of a node."""

    def __init__(self, disk: MemoryDisk | None = None, *, names: Sequence[str] = ("alice", "bob")) -> None:
        self.clock = VirtualClock()
        self.store = MemoryStore(disk, commit_seconds=0.01, return_seconds=0.02)
        self.senders = {name: Sender(self, name) for name in names}
        self.inbox = Inbox(lambda: list(self.senders.values()))

    async def start(self) -> Desk:
        await self.store.open()
        self.inbox.start(self.store, self.clock)
        return self

    def largest(self) -> int:
        """How many messages are in memory for one contact and service."""
        slots = [slot for slots in self.inbox._slots.values() for slot in slots.values()]
        return max((len(slot.waiting) for slot in slots), default=0)

    def on_disk(self) -> int:
        return sum(len(waiting) for waiting in self.store.disk.inbox.values())


async def take(stream: MessageStream, count: int) -> list[Message]:
    async with asyncio.timeout(600):
        return [await anext(stream) for _ in range(count)]


async def nothing_comes(stream: MessageStream) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(stream), 10)


def values(messages: list[Message]) -> list[object]:
    return [message.value for message in messages]
