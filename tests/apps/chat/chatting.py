"""Devices that chat on the simulated network."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from p4.apps.chat import ChatApp, ChatEntry, ChatEvent, ChatState
from p4.apps.store import AppStore
from p4.node.peer import Peer
from p4.testing import SimulatedNetwork, SimulatedNode, start_node

__all__ = ["Chatter", "start_chatter"]


@dataclass
class Chatter:
    """A node with its chat, and what the chat has announced."""

    node: SimulatedNode
    chat: ChatApp
    store: AppStore
    events: list[ChatEvent] = field(default_factory=list)

    def peer(self, name: str) -> Peer:
        return self.node.peer(name)

    async def say(self, name: str, text: str) -> ChatEntry:
        return await self.chat.send(self.peer(name), text)

    async def history(self, name: str) -> list[ChatEntry]:
        return (await self.chat.entries(self.peer(name), limit=200))[0]

    async def texts(self, name: str) -> list[str]:
        return [entry.text for entry in await self.history(name)]

    async def until(self, name: str, text: str, state: ChatState) -> ChatEntry:
        """Wait until an entry with this text has come this far."""
        while True:
            for entry in await self.history(name):
                if entry.text == text and entry.state is state:
                    return entry
            await asyncio.sleep(0.05)  # virtual: costs nothing


async def start_chatter(
    network: SimulatedNetwork, name: str, *contacts: str, store: AppStore | None = None
) -> Chatter:
    """A device that chats; given the store of an earlier run it goes on with its history."""
    if store is None:
        store = AppStore(None)
        await store.open()
    node = await start_node(network, name, *contacts)
    events: list[ChatEvent] = []
    chat = ChatApp(store, network.host(name).clock, events.append)
    await network.host(name).run(chat.start(node))
    return Chatter(node, chat, store, events)
