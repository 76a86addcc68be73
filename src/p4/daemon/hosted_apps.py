"""The apps that live in the daemon: what they work on goes on after a restart, whoever began it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

from p4.adapters.clock import SystemClock
from p4.apps.chat import ChatApp
from p4.apps.files.app import FilesApp
from p4.apps.forward import ForwardApp, TunnelEvent
from p4.apps.history import LinkHistory
from p4.apps.store import AppStore
from p4.core.identity import PeerId
from p4.daemon.chat_events import announce_on
from p4.daemon.event_feed import EventFeed
from p4.daemon.transfer_models import announce_transfers
from p4.node.node import BaseNode

__all__ = ["HostedApp", "HostedApps"]


class HostedApp(Protocol):
    """What the daemon needs to know of an app."""

    async def start(self, node: BaseNode) -> None:
        """Take up work; called once, with a started node and an open store."""

    async def close(self) -> None:
        """Stop, quickly; what is unfinished goes on after the next start."""


class HostedApps:
    """All of them, each under its name, as routes use them: ``apps.chat``, ``apps.files``, …

    Args:
        store: for what must survive.
        feed: for what others should hear of at once.
        uploads: private folder for files that a web page sends.
        private: where this device's keys are.
    """

    def __init__(
        self, store: AppStore, feed: EventFeed, uploads: Path | None = None, *, private: Path | None = None
    ) -> None:
        self.store = store
        self.feed = feed
        # A new app is made here under a name of its own, and added to `_all`.
        clock = SystemClock()
        self.chat = ChatApp(store, clock, announce_on(feed))
        announce_transfer = announce_transfers(feed, lambda: self.files)
        self.files = FilesApp(store, clock, announce_transfer, spool=uploads, private=private)
        self.history = LinkHistory(store, clock)
        self.forwards = ForwardApp(store, self._announce_forward)
        self._started = AsyncExitStack()

    def _all(self) -> tuple[HostedApp, ...]:
        return (self.chat, self.files, self.history, self.forwards)

    async def start(self, node: BaseNode) -> None:
        """Open the store and start every app.

        Raises:
            StateError: the store cannot be used. P4Error: an app could not start. Nothing keeps running.
        """
        async with AsyncExitStack() as started:
            started.push_async_callback(self.store.close)
            await self.store.open()
            for app in self._all():
                started.push_async_callback(app.close)
                await app.start(node)
            self._started = started.pop_all()

    async def close(self) -> None:
        """End every app, the last one first, then the store."""
        await self._started.aclose()

    async def forget(self, peer_id: PeerId) -> None:
        """A contact was removed: what was said, and how its links were, goes too. Raises StateError."""
        await self.chat.forget(peer_id)
        await self.history.forget(peer_id)

    def _announce_forward(self, event: TunnelEvent) -> None:
        self.feed.publish(f"forward.{event.kind}", event.state.as_json())
