"""The v1 peer of the tests against itself: what is tested against it is worth as much as it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.v1.identities import new_identities
from tests.v1.peer import V1Peer
from tests.v1.process import V1Process


@asynccontextmanager
async def pair(
    *, retry_seconds: float = 5.0, reply_seconds: float = 25.0, polls: bool = True
) -> AsyncIterator[tuple[V1Peer, V1Peer]]:
    """Two running peers that know each other: the one with the lower id, then the other."""
    lower, higher = (
        V1Peer(identity, retry_seconds=retry_seconds, reply_seconds=reply_seconds, polls=polls)
        for identity in new_identities()
    )
    async with lower, higher:
        higher.add_contact(lower.invite())
        lower.add_contact(higher.invite())
        yield lower, higher


async def both_open(one: V1Peer, other: V1Peer, *, count: int = 1) -> None:
    await one.heard(f"Data channel OPEN with {other.peer_id}", count=count)
    await other.heard(f"Data channel OPEN with {one.peer_id}", count=count)


async def raw_request(peer: V1Peer, line: bytes) -> bytes:
    """Everything that comes back for a line, up to the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", peer.port)
    writer.write(line)
    try:
        return await reader.read()
    finally:
        writer.close()


async def test_two_v1_peers_talk() -> None:
    async with pair() as (lower, higher):
        await both_open(lower, higher)
        await lower.heard(f"hello from {higher.peer_id}")
        await higher.heard(f"hello from {lower.peer_id}")
        lower.send(higher.peer_id, "from the lower")
        higher.send(lower.peer_id, "from the higher")
        await higher.heard(f"{lower.peer_id}> from the lower")
        await lower.heard(f"{higher.peer_id}> from the higher")
        assert lower.channels == higher.channels == ["chat"]
        assert lower.strange == higher.strange == []


async def test_a_text_for_an_unconnected_peer_is_lost_with_a_word() -> None:
    async with pair(polls=False) as (lower, higher):
        assert not lower.send(higher.peer_id, "lost")
        assert lower.lines[-1] == f"Peer {higher.peer_id} is not connected"


async def test_the_polling_brings_a_dropped_session_back() -> None:
    async with pair(retry_seconds=0.3) as (lower, higher):
        await both_open(lower, higher)
        higher.drop(lower.peer_id)
        await lower.heard(f"Data channel CLOSED with {higher.peer_id}")
        await both_open(lower, higher, count=2)


async def test_it_accepts_an_offer_from_the_higher_id_and_drops_its_live_session() -> None:
    async with pair(polls=False) as (lower, higher):
        assert await lower.dial(higher.peer_id)
        await both_open(lower, higher)
        assert await higher.dial(lower.peer_id)
        await both_open(lower, higher, count=2)
        assert lower.channels == higher.channels == ["chat", "chat"]


async def test_when_both_dial_at_once_both_fail() -> None:
    async with pair(polls=False, reply_seconds=1.0) as (lower, higher):
        results = await asyncio.gather(lower.dial(higher.peer_id), higher.dial(lower.peer_id))
        assert not any(results)


async def test_it_closes_a_negotiation_that_is_still_in_progress_at_its_next_poll() -> None:
    async with pair(polls=False) as (lower, higher):
        await lower.dial(higher.peer_id)
        before = lower.sessions[higher.peer_id].pc
        await lower.dial(higher.peer_id)
        assert before is not None
        assert lower.sessions[higher.peer_id].pc is not before
        assert before.connectionState == "closed" or before.iceConnectionState == "closed"
        await both_open(lower, higher)


async def test_ping_and_one_reply_to_a_connection() -> None:
    async with pair(polls=False) as (lower, higher):
        assert (await lower.ping(higher.peer_id))["type"] == "pong"
        line = lower._seal(higher.peer_id, {"type": "ping", "session_id": "s"})
        reply = await raw_request(higher, line + line)
        assert reply.count(b"\n") == 1
        assert json.loads(reply)["payload"] == {"type": "pong", "session_id": "s"}


@pytest.mark.parametrize(
    "line", [b"nonsense\n", b'{"sender_peer_id": "x"}\n', b"{}\n", b"x" * 70_000 + b"\n"]
)
async def test_its_errors_are_unsigned_and_say_too_much(line: bytes) -> None:
    async with pair(polls=False) as (lower, _):
        reply = json.loads(await raw_request(lower, line))
        assert reply == {"ok": False, "error": lower.lines[-1].removeprefix("refused: ")}


async def test_a_repeated_nonce_is_refused_until_it_restarts() -> None:
    async with pair(polls=False) as (lower, higher):
        line = lower._seal(higher.peer_id, {"type": "ping", "session_id": "s"})
        assert b"pong" in await raw_request(higher, line)
        assert b"nonce" in await raw_request(higher, line)
        async with V1Peer(higher.identity, polls=False) as restarted:
            restarted.add_contact(lower.invite())
            assert b"pong" in await raw_request(restarted, line)


async def test_any_channel_becomes_its_chat_and_strange_messages_are_noted() -> None:
    async with pair(polls=False) as (lower, higher):
        await lower.dial(higher.peer_id)
        await both_open(lower, higher)
        pc = lower.sessions[higher.peer_id].pc
        assert pc is not None
        second = pc.createDataChannel("p4")
        opened = asyncio.Event()
        second.on("open", opened.set)
        await opened.wait()
        second.send(b"binary")
        second.send('{"type":"chat","text":"more","from_peer_id":"x","timestamp":1,"extra":true}')
        second.send('{"type":"chat","text":"proper","from_peer_id":"x","timestamp":1}')
        await higher.heard("x> proper")
        assert higher.channels == ["chat", "p4"]
        assert len(higher.strange) == 2


async def test_as_a_process_it_talks_is_killed_and_comes_back(tmp_path: Path) -> None:
    own, identity = new_identities()  # the process dials
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / "identity_ed25519.json").write_text(json.dumps(own))
    async with V1Peer(identity) as peer:
        process = V1Process(tmp_path / "v1", [peer.invite()], "--retry-seconds", "0.5")
        async with process:
            peer.add_contact(await process.invite())
            await peer.heard(f"Data channel OPEN with {own['peer_id']}")
            await process.heard(f"Data channel OPEN with {peer.peer_id}")
            await process.type(f"send {peer.peer_id} two words")
            await peer.heard(f"{own['peer_id']}> two words")
            peer.send(own["peer_id"], "and back")
            await process.heard(f"{peer.peer_id}> and back")
            await process.kill()
        async with V1Process(tmp_path / "v1", [peer.invite()], "--retry-seconds", "0.5") as process:
            await peer.heard(f"Data channel OPEN with {own['peer_id']}", count=2)
            await process.heard(f"Data channel OPEN with {peer.peer_id}")
