"""Our node and a v1 peer that know each other, in direct mode, for the tests of this directory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from tests.v1.identities import Json, new_identities
from tests.v1.peer import V1Peer

import p4
from p4.node.events import NodeEvent
from p4.node.inbox import Message

E = TypeVar("E")

ROLES = ("we dial", "it dials")
"""Which side has the lower peer id and so, for v1, dials."""


def identities(role: str) -> tuple[Json, Json]:
    """Ours, then the v1 peer's."""
    lower, higher = new_identities()
    return (lower, higher) if role == "we dial" else (higher, lower)


def write_v1_state(directory: Path, identity: Json) -> Path:
    """A state directory as v1 would leave it, but private; our node opens it."""
    directory.mkdir(mode=0o700)
    path = directory / "identity_ed25519.json"
    path.write_text(json.dumps(identity))
    path.chmod(0o600)
    return directory


def direct(link_backend: str = "wrtc", port: int = 0) -> p4.NodeOptions:
    """Options of direct mode on this machine; port 0 chooses a free one."""
    return p4.NodeOptions(
        transport=p4.Transport.DIRECT,
        signal_port=port,
        ice=p4.IceSettings(stun=()),
        link_backend=link_backend,
        retry_seconds=2.0,
    )


class Witness:
    """Our node on a state directory, with everything it told and received; an async context manager.

    Args:
        state: its state directory.
        options: of the node.
    """

    def __init__(self, state: Path, options: p4.NodeOptions) -> None:
        self.node = p4.Node(state, options)
        self.events: list[NodeEvent] = []
        self.messages: list[Message] = []
        self._changed = asyncio.Event()
        self._reading: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self.node.start()
        self._reading = [asyncio.create_task(work) for work in (self._read(), self._chat())]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.node.close()
        await asyncio.gather(*self._reading)

    async def _read(self) -> None:
        async for event in self.node.events():
            self.events.append(event)
            self._changed.set()

    async def _chat(self) -> None:
        async for message in self.node.messages("chat"):
            self.messages.append(message)
            message.done()
            self._changed.set()

    def seen(self, kind: type[E]) -> list[E]:
        """The events of a kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    async def saw(self, kind: type[E], count: int = 1, *, timeout: float = 150.0) -> list[E]:
        """Wait until there are ``count`` events of a kind; all of them."""
        async with asyncio.timeout(timeout):
            while len(found := self.seen(kind)) < count:
                self._changed.clear()
                await self._changed.wait()
        return found

    async def heard(self, count: int = 1, *, timeout: float = 150.0) -> list[object]:
        """Wait until so many texts have been received; all of them."""
        async with asyncio.timeout(timeout):
            while len(self.messages) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.texts()

    def texts(self) -> list[object]:
        """The texts received so far."""
        return [message.value for message in self.messages]

    def invite(self) -> dict[str, Any]:
        """Our invite as v1 reads it."""
        invite: dict[str, Any] = json.loads(self.node.invite().to_text())
        return invite

    def knows(self, invite: Json) -> p4.Peer:
        """Add a v1 invite as contact."""
        return self.node.add_contact(p4.Invite.parse(json.dumps(invite)), "v1")


def assert_pure_v1(peer: V1Peer) -> None:
    """The peer never saw anything of version 2: no second channel, no unknown message, no unknown line."""
    assert set(peer.channels) <= {"chat"}
    assert peer.strange == []
    assert set(peer.requests) <= {"offer", "ping"}
    assert peer.surplus == []


@asynccontextmanager
async def meeting(
    tmp_path: Path, role: str, link_backend: str = "wrtc", **v1_options: Any
) -> AsyncIterator[tuple[Witness, V1Peer, p4.Peer]]:
    """Our node and a v1 peer, both running, both knowing the other; ends with `assert_pure_v1`."""
    ours, theirs = identities(role)
    v1_options = {"retry_seconds": 0.5} | v1_options
    state = write_v1_state(tmp_path / "ours", ours)
    async with V1Peer(theirs, **v1_options) as v1, Witness(state, direct(link_backend)) as us:
        assert us.node.peer_id == ours["peer_id"]
        v1.add_contact(us.invite())
        yield us, v1, us.knows(v1.invite())
        assert_pure_v1(v1)


async def connected(us: Witness, v1: V1Peer, count: int = 1, *, timeout: float = 150.0) -> None:
    """Wait until both sides have seen their ``count``-th link open, proven by a hello."""
    await us.saw(p4.LinkUp, count, timeout=timeout)
    await v1.heard(f"Data channel OPEN with {us.node.peer_id}", count=count, timeout=timeout)
    await v1.heard(f"hello from {us.node.peer_id}", count=count, timeout=timeout)
