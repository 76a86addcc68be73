"""What happens in the daemon, for whoever watches: ``GET /v1/events``."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from p4.core import limits
from p4.core.identity import PeerId
from p4.node.events import (
    InviteEnded,
    LinkDown,
    LinkUp,
    NodeEvent,
    NodeWarning,
    Paired,
    RendezvousChanged,
)
from p4.ports import RendezvousPhase

if TYPE_CHECKING:
    from p4.node.node import BaseNode

__all__ = ["EventFeed", "FeedEvent", "FeedReader", "follow_node"]


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """One thing that happened.

    Args:
        kind: as ``link.up``: a subject, a dot, what happened. Listed in spec/daemon-api/README.md.
        data: JSON object. Contacts are ``contact`` objects, times ``*_ms``.
        contact: whom it concerns; apps that may not reach the contact are not told. None: nobody.
        service: what it concerns, likewise; None: the owner alone is told, unless ``contact`` is given.
    """

    kind: str
    data: Mapping[str, Any]
    contact: PeerId | None = None
    service: str | None = None


class EventFeed:
    """Every event to every reader, in order, from the moment on at which the reader came.

        feed.publish("transfer.done", {"id": …}, contact=peer.peer_id)

    Call it on the daemon's loop. Events say that something changed; what is so now, the routes tell.
    """

    def __init__(self) -> None:
        self._readers: set[FeedReader] = set()

    def publish(
        self,
        kind: str,
        data: Mapping[str, Any],
        *,
        contact: PeerId | None = None,
        service: str | None = None,
    ) -> None:
        """Tell everybody who reads. Never waits; see `FeedEvent`."""
        event = FeedEvent(kind, data, contact, service)
        for reader in self._readers:
            reader.put(event)

    def read(self, wanted: Callable[[FeedEvent], bool] = lambda _event: True) -> FeedReader:
        """A reader of all events from now on, or of those that are wanted. Close it."""
        reader = FeedReader(self, wanted)
        self._readers.add(reader)
        return reader

    def leave(self, reader: FeedReader) -> None:
        """Tell a reader nothing more."""
        self._readers.discard(reader)


class FeedReader:
    """An endless iterator. A slow one loses the oldest events, and is told so by ``feed.missed``."""

    def __init__(self, feed: EventFeed, wanted: Callable[[FeedEvent], bool]) -> None:
        self._feed = feed
        self._wanted = wanted
        self._waiting: deque[FeedEvent] = deque()
        self._missed = 0
        self._changed = asyncio.Event()

    def put(self, event: FeedEvent) -> None:
        """Keep an event for the reader, if it wants it."""
        if not self._wanted(event):
            return
        if len(self._waiting) >= limits.API_FEED_EVENTS:
            self._waiting.popleft()
            self._missed += 1
        self._waiting.append(event)
        self._changed.set()

    def __aiter__(self) -> AsyncIterator[FeedEvent]:
        return self

    async def __anext__(self) -> FeedEvent:
        while not self._waiting:
            self._changed.clear()
            await self._changed.wait()
        if self._missed:
            missed, self._missed = self._missed, 0
            return FeedEvent("feed.missed", {"count": missed})
        return self._waiting.popleft()

    def close(self) -> None:
        """Read no more."""
        self._feed.leave(self)


async def follow_node(node: BaseNode, feed: EventFeed) -> None:
    """Pass on what the node tells, until it ends."""
    async for event in node.events():
        _pass_on(node, feed, event)


def _pass_on(node: BaseNode, feed: EventFeed, event: NodeEvent) -> None:
    match event:
        case LinkUp(peer_id, protocol):
            data = {"contact": _named(node, peer_id), "protocol": protocol}
            feed.publish("link.up", data, contact=peer_id)
        case LinkDown(peer_id, reason):
            data = {"contact": _named(node, peer_id), "reason": reason}
            feed.publish("link.down", data, contact=peer_id)
        case RendezvousChanged(status):
            reachable = status.phase is RendezvousPhase.READY
            feed.publish(
                "reachability.changed",
                {"reachable": reachable, "progress": status.progress, "text": status.text},
            )
        case Paired(peer_id, _, invite_id):
            data = {"contact": _named(node, peer_id), "invite": invite_id or None}
            feed.publish("contact.paired", data, contact=peer_id)
        case InviteEnded(invite_id, code, text):
            feed.publish("invite.ended", {"invite": invite_id, "code": code, "text": text})
        case NodeWarning(text):
            feed.publish("node.warning", {"text": text})


def _named(node: BaseNode, peer_id: PeerId) -> dict[str, str]:
    name = next((peer.name for peer in node.peers() if peer.peer_id == peer_id), "")
    return {"id": peer_id, "name": name}
