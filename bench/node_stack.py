"""Our node: direct rendezvous on loopback, texts to ``chat``, each on both disks and confirmed."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

import p4
from bench.pipe import HIGH_WATER, LOW_WATER, Exchange, Pipe, Stack
from p4.adapters.store.state_dir import StateDirectory
from p4.core.address import Transport
from p4.core.ice import IceSettings
from p4.core.identity import Identity
from p4.core.invite import Invite
from p4.errors import P4Error
from p4.node.events import LinkUp
from p4.node.options import NodeOptions
from p4.node.receipts import Receipt

WINDOW_MESSAGES = 1024
"""Texts that may wait for the other side's confirmation; enough for the disk's group commit."""


class NodePipe(Pipe):
    """Texts to the other node. Sent means on our disk, flushed means on the other's."""

    def __init__(self, stack: NodeStack) -> None:
        super().__init__()
        self._stack = stack
        self._peer = stack.node.peer(stack.peer_id)
        self._messages = self._bytes = 0
        self._progress = asyncio.Event()
        self._sending: asyncio.Queue[tuple[int, asyncio.Task[Receipt]]] = asyncio.Queue()
        self._failure: BaseException | None = None
        self._confirming = asyncio.create_task(self._confirm())

    def send(self, message: bytes) -> None:
        self._messages += 1
        self._bytes += len(message)
        task = asyncio.create_task(self._peer.send(message.decode("ascii")))
        self._sending.put_nowait((len(message), task))

    async def _confirm(self) -> None:
        """Count what has arrived, in order."""
        try:
            while True:
                size, task = await self._sending.get()
                await (await task).delivered()
                self._messages -= 1
                self._bytes -= size
                self._progress.set()
        except P4Error as error:
            self._failure = error
            self._progress.set()

    @property
    def full(self) -> bool:
        return self._messages >= WINDOW_MESSAGES or self._bytes >= HIGH_WATER

    async def drained(self) -> None:
        await self._until(WINDOW_MESSAGES // 4, LOW_WATER)

    async def flush(self) -> None:
        await self._until(0, 0)

    async def _until(self, messages: int, size: int) -> None:
        while self._messages > messages or self._bytes > size:
            self._progress.clear()
            await self._progress.wait()
            if self._failure is not None:
                raise self._failure

    async def close(self) -> None:
        self._confirming.cancel()
        await self._stack.forget()


class NodeStack(Stack):
    """A node with one contact. A new connection is a contact added anew: dial, offer, answer, proof."""

    directory: Path
    backend: str

    def __init__(self, role: str, exchange: Exchange) -> None:
        super().__init__(role, exchange)
        self._pipe: NodePipe | None = None
        self._up = asyncio.Event()

    async def start(self) -> None:
        state = StateDirectory(self.directory)
        state.prepare()
        # The lower id dials at once, so it goes to the side that measures.
        while (Identity(seed := secrets.token_bytes(32)).peer_id < "8") != (self.role == "a"):
            pass
        state.create_identity(seed)
        self.node = p4.Node(
            self.directory,
            NodeOptions(transport=Transport.DIRECT, ice=IceSettings(stun=()), link_backend=self.backend),
        )
        await self.node.start()
        self._listening = asyncio.gather(self._listen(), self._receive())
        self.exchange.send(self.node.invite().to_text())
        self._invite = Invite.parse(await self.exchange.receive())
        self.peer_id = self._invite.peer_id

    async def _listen(self) -> None:
        async for event in self.node.events():
            if isinstance(event, LinkUp):
                self._up.set()

    async def _receive(self) -> None:
        async for message in self.node.messages():
            if self._pipe is not None:
                self._pipe.on_message(str(message.value).encode("ascii"))
            message.done()

    async def dial(self) -> Pipe:
        return await self._connect()

    async def accept(self) -> Pipe:
        connecting = asyncio.create_task(self._connect())
        await asyncio.sleep(0)
        self.ready()
        return await connecting

    async def _connect(self) -> Pipe:
        self._up.clear()
        self.node.add_contact(self._invite)
        self._pipe = NodePipe(self)
        await self._up.wait()
        return self._pipe

    async def forget(self) -> None:
        """Remove the contact and with it the link."""
        self._pipe = None
        await self.node.remove_contact(self.peer_id)

    async def stop(self) -> None:
        await self.node.close()
        self._listening.cancel()
