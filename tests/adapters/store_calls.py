"""Short ways to ask a store for what its tests want."""

from __future__ import annotations

from typing import Any

from p4.core.identity import PeerId
from p4.core.session.messages import stored
from p4.ports import Store

ALICE = PeerId("a" * 24)
BOB = PeerId("b" * 24)
EPOCH = b"E" * 16
OTHER_EPOCH = b"F" * 16
ROOM = stored.Quota(messages=1_000_000, bytes=2**40)
SENT_MS, RECEIVED_MS = 1_000, 2_000


def draft(text: str, *, service: str = "chat", key: str = "", expires_ms: int = 0) -> stored.Draft:
    return stored.Draft(service, 1, text.encode(), key, SENT_MS, expires_ms)


def drafts(*texts: str | stored.Draft) -> tuple[stored.Draft, ...]:
    return tuple(draft(text) if isinstance(text, str) else text for text in texts)


def received(*messages: tuple[int, str] | stored.Received) -> tuple[stored.Received, ...]:
    return tuple(
        message if isinstance(message, stored.Received) else arrived(*message) for message in messages
    )


def arrived(
    number: int, text: str, *, service: str = "chat", key: str = "", expires_ms: int = 0
) -> stored.Received:
    return stored.Received(number, service, 1, text.encode(), key, SENT_MS, expires_ms)


async def append(
    store: Store,
    *texts: str | stored.Draft,
    peer: PeerId = ALICE,
    epoch: bytes = EPOCH,
    offered: bool = False,
    quota: stored.Quota = ROOM,
) -> stored.Appended:
    result = await store.perform(peer, stored.AppendOutbox(drafts(*texts), epoch, offered, quota))
    assert isinstance(result, stored.Appended)
    return result


async def accept(
    store: Store,
    *messages: tuple[int, str] | stored.Received,
    peer: PeerId = ALICE,
    epoch: bytes = EPOCH,
    through: int = 0,
    held: frozenset[int] = frozenset(),
) -> stored.Kept:
    """``through`` is the last message's number unless given."""
    some = received(*messages)
    operation = stored.AcceptInbox(epoch, some, through or some[-1].number, RECEIVED_MS, held)
    result = await store.perform(peer, operation)
    assert isinstance(result, stored.Kept)
    return result


async def new(store: Store, *messages: tuple[int, str] | stored.Received, **details: Any) -> list[int]:
    """Numbers of the messages that `accept` kept."""
    return [message.number for message in (await accept(store, *messages, **details)).messages]


async def queued(store: Store, peer: PeerId = ALICE) -> list[tuple[int, str]]:
    messages = await store.perform(peer, stored.ReadOutbox(0, 1_000_000, 2**40))
    return [(message.number, message.body.decode()) for message in messages]


async def waiting(store: Store, peer: PeerId = ALICE, service: str = "chat") -> list[stored.InboxMessage]:
    return await store.read_inbox(peer, service, after=0, limit=1_000_000, most_bytes=2**40)


async def inbox(store: Store, peer: PeerId = ALICE, service: str = "chat") -> list[tuple[int, str]]:
    return [(message.number, message.body.decode()) for message in await waiting(store, peer, service)]


async def consume(
    store: Store, *positions: int, peer: PeerId = ALICE, epoch: bytes = EPOCH, services: str = "chat"
) -> stored.Waiting:
    operation = stored.ConsumeInbox(positions, frozenset(services.split()), epoch)
    result = await store.perform(peer, operation)
    assert isinstance(result, stored.Waiting)
    return result
