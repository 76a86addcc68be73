"""A small version 1 peer for tests: an independent witness, with v1's habits, good and bad.

It shares nothing with `p4`: envelopes are signed and verified by the published ``p4_core``, links are
made by ``aiortc``, and the rest follows the description of version 1 only. Its habits:

- it dials only from the lower peer id to the higher, and looks every ``retry_seconds`` whether it must;
- a negotiation that is still in progress at that moment is closed and begun again;
- it holds a lock per contact while it dials, up to ``reply_seconds``, and accepts offers (from either
  side) only under the same lock: two that dial each other at the same moment both fail;
- one reply to a connection, then it closes; errors go out unsigned, with the exception's text;
- any valid offer replaces its live session; any data channel becomes its chat channel;
- it remembers nonces only as long as it runs.

In a test: ``async with V1Peer(...)``; as a process of its own: `tests.v1.process`.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Self

import aioice.ice
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from tests.v1.dialling import LINE_BYTES, Connection, dial_direct
from tests.v1.identities import CORE, Json

SKEW_MS = 24 * 60 * 60 * 1000

HELLO_KEYS = {"type", "from_peer_id", "timestamp"}
CHAT_KEYS = {"type", "from_peer_id", "timestamp", "text"}


def _host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    """Like aioice's own, but a machine that has nothing else offers its loopback address."""
    return _aioice_host_addresses(use_ipv4, use_ipv6) or ["127.0.0.1"]


_aioice_host_addresses = aioice.ice.get_host_addresses
aioice.ice.get_host_addresses = _host_addresses


@dataclass
class Session:
    """What the peer knows about one contact while it runs; shared by every callback, as in v1."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    pc: RTCPeerConnection | None = None
    channel: RTCDataChannel | None = None
    connected: bool = False


class V1Peer:
    """One running version 1 peer.

    Args:
        identity: as `tests.v1.identities` makes it.
        listen: ``HOST:PORT`` (0 for any) or ``unix:PATH`` (the target of an onion service).
        dial: opens a connection to a contact's ``rendezvous``.
        retry_seconds: v1's polling interval.
        reply_seconds: how long it waits for a reply, holding its lock.
        polls: whether it dials by itself; a test may want to call `dial` instead.
        say: told every line that v1 would print.
    """

    def __init__(
        self,
        identity: Json,
        *,
        listen: str = "127.0.0.1:0",
        dial: Callable[[Json], Awaitable[Connection]] = dial_direct,
        retry_seconds: float = 5.0,
        reply_seconds: float = 25.0,
        polls: bool = True,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.identity = identity
        self.peer_id: str = identity["peer_id"]
        self.contacts: dict[str, Json] = {}
        self.sessions: dict[str, Session] = {}
        self.listen = listen
        self.port = 0
        self.lines: list[str] = []
        self.channels: list[str] = []
        """Label of every data channel that a peer opened towards us, and of every one that we opened."""
        self.strange: list[object] = []
        """Every message on a channel that is not exactly a hello or a chat line of version 1."""
        self.requests: list[str] = []
        """Type of every verified request that came in."""
        self.surplus: list[bytes] = []
        """What came after the one request line of a connection."""
        self._retry_seconds = retry_seconds
        self._reply_seconds = reply_seconds
        self._polls = polls
        self._dial_function = dial
        self._say_function = say
        self._nonces: set[str] = set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._finishing: set[asyncio.Task[Any]] = set()
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Listen, and begin to dial the contacts with higher ids."""
        if self.listen.startswith("unix:"):
            self._server = await asyncio.start_unix_server(self._serve, self.listen[5:], limit=LINE_BYTES)
        else:
            host, _, port = self.listen.rpartition(":")
            self._server = await asyncio.start_server(self._serve, host, int(port), limit=LINE_BYTES)
            self.port = self._server.sockets[0].getsockname()[1]
        self.say(f"Node peer_id={self.peer_id}")
        for peer_id in self.contacts:
            self._background(self._poll(peer_id))

    async def close(self) -> None:
        """Stop politely."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks - self._finishing:
            task.cancel()
        # A shielded task may outlive its cancelled caller, and a caller may begin another one.
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        for session in self.sessions.values():
            self._drop(session)
        await asyncio.gather(*self._finishing, return_exceptions=True)

    def invite(self, address: str = "127.0.0.1", port: int | None = None, transport: str = "direct") -> Json:
        """Our invite."""
        return {
            "peer_id": self.peer_id,
            "public_key_b64": self.identity["public_key_b64"],
            "rendezvous": {"transport": transport, "address": address, "port": port or self.port},
        }

    def add_contact(self, invite: Json) -> None:
        """Take an invite, as v1 does: without checking anything."""
        peer_id = invite["peer_id"]
        new = peer_id not in self.contacts
        self.contacts[peer_id] = invite
        self.sessions.setdefault(peer_id, Session())
        if new and self._server is not None:
            self._background(self._poll(peer_id))

    # --- what a user does and sees ------------------------------------------------------------------------

    def say(self, line: str) -> None:
        """Print a line."""
        self.lines.append(line)
        self._say_function(line)
        self._changed.set()

    async def heard(self, text: str, *, count: int = 1, timeout: float = 150.0) -> None:
        """Wait until ``count`` lines contain the text."""
        async with asyncio.timeout(timeout):
            while sum(text in line for line in self.lines) < count:
                self._changed.clear()
                await self._changed.wait()

    def connected(self, peer_id: str) -> bool:
        """Whether the chat channel to the contact is open."""
        return self.sessions[peer_id].connected

    def send(self, peer_id: str, text: str) -> bool:
        """Send a chat line, or say that there is no connection (the text is then lost)."""
        session = self.sessions[peer_id]
        if not session.connected or session.channel is None:
            self.say(f"Peer {peer_id} is not connected")
            return False
        self._send_json(session.channel, {"type": "chat", "text": text})
        return True

    def drop(self, peer_id: str) -> None:
        """Close the session; the polling brings it back."""
        self._drop(self.sessions[peer_id])
        self.say(f"Dropped session with {peer_id}")

    # --- dialling -------------------------------------------------------------------------------------------

    async def _poll(self, peer_id: str) -> None:
        while self._polls and self.peer_id < peer_id:
            if not self.sessions[peer_id].connected:
                await self.dial(peer_id)
            await asyncio.sleep(self._retry_seconds)

    async def dial(self, peer_id: str) -> bool:
        """One attempt, under the lock; whether the answer came. (v1 does it from the lower id only.)"""
        session = self.sessions[peer_id]
        async with session.lock:
            self._drop(session)
            try:
                await self._negotiate(peer_id, session)
            except Exception as error:  # noqa: BLE001 - v1's habit: whatever it was, the next poll tries again
                self.say(f"Dial to {peer_id} failed: {type(error).__name__} {error}")
                self._drop(session)
                return False
            return True

    async def _negotiate(self, peer_id: str, session: Session) -> None:
        pc = self._new_connection(peer_id, session)
        self._adopt(peer_id, session, pc.createDataChannel("chat"))
        await self._gather(pc, await pc.createOffer())
        request = {
            "type": "offer",
            "session_id": str(uuid.uuid4()),
            "sdp": pc.localDescription.sdp,
            "sdp_type": "offer",
        }
        async with asyncio.timeout(self._reply_seconds):
            reply = await self._exchange(peer_id, request)
        if (reply["type"], reply["session_id"]) != ("answer", request["session_id"]):
            raise ValueError("the reply is not our answer")
        await pc.setRemoteDescription(RTCSessionDescription(reply["sdp"], reply["sdp_type"]))

    async def ping(self, peer_id: str) -> Json:
        """Exchange a ping for a pong."""
        return await self._exchange(peer_id, {"type": "ping", "session_id": str(uuid.uuid4())})

    async def _exchange(self, peer_id: str, payload: Json) -> Json:
        reader, writer = await self._dial_function(self.contacts[peer_id]["rendezvous"])
        try:
            writer.write(self._seal(peer_id, payload))
            await writer.drain()
            return self._verify(await reader.readline())[1]
        finally:
            writer.close()

    # --- accepting ------------------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            writer.write(await self._reply(reader))
            await writer.drain()
            if reader._buffer:  # type: ignore[attr-defined]
                self.surplus.append(bytes(reader._buffer))  # type: ignore[attr-defined]
        except ConnectionError:
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _reply(self, reader: asyncio.StreamReader) -> bytes:
        try:
            sender, payload = self._verify(await asyncio.wait_for(reader.readline(), 25))
            return self._seal(sender, await self._answer(sender, payload))
        except Exception as error:  # noqa: BLE001 - v1's habit: the text of any exception goes to anyone
            self.say(f"refused: {error}")
            return json.dumps({"ok": False, "error": str(error)}).encode() + b"\n"

    async def _answer(self, sender: str, payload: Json) -> Json:
        self.requests.append(payload["type"])
        if payload["type"] == "ping":
            return {"type": "pong", "session_id": payload["session_id"]}
        if payload["type"] != "offer":
            raise ValueError(f"unsupported type {payload['type']}")
        session = self.sessions[sender]
        async with session.lock:
            self._drop(session)
            pc = self._new_connection(sender, session)
            await pc.setRemoteDescription(RTCSessionDescription(payload["sdp"], payload["sdp_type"]))
            await self._gather(pc, await pc.createAnswer())
            return {
                "type": "answer",
                "session_id": payload["session_id"],
                "sdp": pc.localDescription.sdp,
                "sdp_type": "answer",
            }

    # --- envelopes ------------------------------------------------------------------------------------------

    def _seal(self, recipient: str, payload: Json) -> bytes:
        nonce = uuid.uuid4().hex
        key = self.identity["private_key_b64"]
        envelope = CORE.sign_envelope(key, self.peer_id, recipient, payload, nonce)
        return json.dumps(envelope, separators=(",", ":")).encode() + b"\n"

    def _verify(self, line: bytes) -> tuple[str, Json]:
        envelope: Json = json.loads(line)
        if envelope.get("ok") is False:
            raise ValueError(f"the peer replied: {envelope.get('error')}")
        sender: str = envelope["sender_peer_id"]
        if sender not in self.contacts:
            raise ValueError(f"unknown peer {sender}")
        if envelope["recipient_peer_id"] != self.peer_id:
            raise ValueError("envelope is for someone else")
        CORE.verify_envelope(envelope, self.contacts[sender]["public_key_b64"], max_skew_ms=SKEW_MS)
        if envelope["nonce"] in self._nonces:
            raise ValueError("nonce was used before")
        self._nonces.add(envelope["nonce"])
        payload: Json = envelope["payload"]
        return sender, payload

    # --- links ----------------------------------------------------------------------------------------------

    def _new_connection(self, peer_id: str, session: Session) -> RTCPeerConnection:
        session.pc = pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))

        @pc.on("datachannel")
        def _(channel: RTCDataChannel) -> None:
            self._adopt(peer_id, session, channel)

        @pc.on("connectionstatechange")
        def _() -> None:
            if pc.connectionState in ("failed", "closed") and session.pc is pc:
                self._closed(peer_id, session)

        return pc

    def _adopt(self, peer_id: str, session: Session, channel: RTCDataChannel) -> None:
        """Any channel becomes the chat channel."""
        session.channel = channel
        self.channels.append(channel.label)

        def opened() -> None:
            session.connected = True
            self._send_json(channel, {"type": "hello"})
            self.say(f"Data channel OPEN with {peer_id}")

        @channel.on("message")
        def _(message: str | bytes) -> None:
            self._receive(peer_id, message)

        @channel.on("close")
        def _() -> None:
            if session.channel is channel:
                self._closed(peer_id, session)

        if channel.readyState == "open":
            opened()
        else:
            channel.on("open", opened)

    def _receive(self, peer_id: str, message: str | bytes) -> None:
        try:
            content = json.loads(message)
            kind, keys = content["type"], set(content)
        except (ValueError, TypeError, KeyError):
            self.strange.append(message)
            return
        expected = {"hello": HELLO_KEYS, "chat": CHAT_KEYS}.get(kind)
        if (
            isinstance(message, bytes)
            or keys != expected
            or not isinstance(content["timestamp"], int | float)
        ):
            self.strange.append(message)
        elif kind == "hello":
            self.say(f"hello from {content['from_peer_id']}")
        else:
            self.say(f"{content['from_peer_id']}> {content['text']}")

    def _send_json(self, channel: RTCDataChannel, content: Json) -> None:
        stamp = {"from_peer_id": self.peer_id, "timestamp": int(time.time())}
        channel.send(json.dumps(content | stamp))

    def _closed(self, peer_id: str, session: Session) -> None:
        if session.connected:
            session.connected = False
            self.say(f"Data channel CLOSED with {peer_id}")

    def _drop(self, session: Session) -> None:
        pc, session.pc, session.channel = session.pc, None, None
        session.connected = False
        if pc is not None:
            self._finish(pc.close())

    async def _gather(self, pc: RTCPeerConnection, description: RTCSessionDescription) -> None:
        # Gathering that is cancelled half-way leaks its sockets.
        await asyncio.shield(self._finish(pc.setLocalDescription(description)))

    def _finish(self, work: Coroutine[Any, Any, object]) -> asyncio.Task[Any]:
        """Begin what is never cancelled; `close` waits for it."""
        task = self._background(work)
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)
        return task

    def _background(self, work: Coroutine[Any, Any, object]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
