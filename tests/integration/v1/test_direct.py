"""Our node with a version 1 peer, direct mode, in both roles: served as well as v1 can be served."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.integration.v1.meeting import (
    ROLES,
    Witness,
    assert_pure_v1,
    connected,
    direct,
    identities,
    meeting,
    write_v1_state,
)
from tests.patience import patience
from tests.v1.dialling import Connection, dial_direct
from tests.v1.peer import V1Peer
from tests.v1.process import V1Process

import p4

both_roles = pytest.mark.parametrize("role", ROLES)
both_backends = pytest.mark.parametrize("link_backend", ["wrtc", "aiortc"])


@both_roles
@both_backends
async def test_hello_and_chat_both_ways(tmp_path: Path, role: str, link_backend: str) -> None:
    async with meeting(tmp_path, role, link_backend) as (us, v1, peer):
        await connected(us, v1)
        assert us.seen(p4.LinkUp)[0] == p4.LinkUp(peer.peer_id, 1)
        assert (peer.connected, peer.protocol) == (True, 1)
        text = 'from us: ä 😀 "quoted" \n second line'
        receipt = await peer.send(text)
        await v1.heard(f"{us.node.peer_id}> {text}")
        assert v1.send(us.node.peer_id, "from v1")
        assert await us.heard() == ["from v1"]
        await asyncio.wait_for(receipt.delivered(), 60)
        assert peer.queued == 0
        for value, service in (({"no": "text"}, "chat"), ("text", "notes")):
            with pytest.raises(p4.P4Error) as caught:
                await peer.send(value, service=service)
            assert caught.value.code == "not-supported"
        assert v1.channels == ["chat"]
        assert sum("hello" in line for line in v1.lines) == 1


@both_roles
async def test_our_drop_is_followed_by_a_new_link(tmp_path: Path, role: str) -> None:
    async with meeting(tmp_path, role) as (us, v1, peer):
        await connected(us, v1)
        assert peer.drop()
        await us.saw(p4.LinkDown)
        await peer.send("after the drop")
        await connected(us, v1, 2)
        await v1.heard("> after the drop")


@both_roles
async def test_its_drop_is_followed_by_a_new_link(tmp_path: Path, role: str) -> None:
    async with meeting(tmp_path, role) as (us, v1, _):
        await connected(us, v1)
        v1.drop(us.node.peer_id)
        await us.saw(p4.LinkDown)
        await connected(us, v1, 2)


async def acknowledged(v1: V1Peer, peer_id: str) -> None:
    """Wait until the other side's SCTP has everything that v1 sent."""
    pc = v1.sessions[peer_id].pc
    assert pc is not None
    assert pc.sctp is not None
    while pc.sctp._outbound_queue or pc.sctp._sent_queue:  # noqa: ASYNC110 - aiortc has no event for it
        await asyncio.sleep(0.002)


@both_roles
async def test_texts_that_arrived_just_before_it_left_are_kept(tmp_path: Path, role: str) -> None:
    # Only with aiortc: libwebrtc itself drops what it has received and not yet handed over when the far
    # end closes the connection, and v1 has no acknowledgement that would tell.
    async with meeting(tmp_path, role, "aiortc") as (us, v1, _):
        await connected(us, v1)
        sent = [f"line {number}" for number in range(100)]
        for text in sent:
            assert v1.send(us.node.peer_id, text)
        await acknowledged(v1, us.node.peer_id)
        v1.drop(us.node.peer_id)
        await connected(us, v1, 2)
        assert await us.heard(100, timeout=patience(2)) == sent


async def test_many_texts_keep_their_order(tmp_path: Path) -> None:
    async with meeting(tmp_path, "we dial") as (us, v1, peer):
        await connected(us, v1)
        ours = [f"ours {number}" for number in range(300)]
        await asyncio.gather(*(peer.send(text) for text in ours))
        for number in range(300):
            v1.send(us.node.peer_id, f"theirs {number}")
        await v1.heard("> ours 299")
        assert [line.split("> ")[1] for line in v1.lines if "> ours" in line] == ours
        assert await us.heard(300) == [f"theirs {number}" for number in range(300)]


async def test_a_contact_that_does_not_know_us_yet_is_tried_again(tmp_path: Path) -> None:
    ours, theirs = identities("we dial")
    async with (
        V1Peer(theirs, retry_seconds=0.5) as v1,
        Witness(write_v1_state(tmp_path / "ours", ours), direct()) as us,
    ):
        us.knows(v1.invite())
        await v1.heard(f"refused: unknown peer {us.node.peer_id}")
        v1.add_contact(us.invite())
        await connected(us, v1)
        assert_pure_v1(v1)


@both_roles
async def test_what_was_queued_while_it_was_away_arrives_once_and_in_order(tmp_path: Path, role: str) -> None:
    ours, theirs = identities(role)
    v1 = V1Peer(theirs, retry_seconds=0.5)
    await v1.start()
    port, invite = v1.port, v1.invite()
    await v1.close()
    async with Witness(write_v1_state(tmp_path / "ours", ours), direct()) as us:
        peer = us.knows(invite)
        texts = [f"queued {number}" for number in range(5)]
        receipts = [await peer.send(text) for text in texts]
        assert peer.queued == 5
        async with V1Peer(theirs, retry_seconds=0.5, listen=f"127.0.0.1:{port}") as returned:
            returned.add_contact(us.invite())
            await connected(us, returned)
            await returned.heard("> queued 4")
            await asyncio.wait_for(receipts[-1].delivered(), 90)
            assert peer.queued == 0
            said = [line.split("> ")[1] for line in returned.lines if "> queued" in line]
            assert said == texts
            assert_pure_v1(returned)


async def test_our_restart_keeps_the_contact_its_version_and_the_queue(tmp_path: Path) -> None:
    ours, theirs = identities("it dials")
    state = write_v1_state(tmp_path / "ours", ours)
    async with V1Peer(theirs, retry_seconds=0.5) as v1:
        async with Witness(state, direct()) as us:
            invite = us.invite()
            port = invite["rendezvous"]["port"]
            v1.add_contact(invite)
            us.knows(v1.invite())
            await connected(us, v1)
        await v1.heard("Data channel CLOSED")
        async with Witness(state, direct(port=port)) as us:
            peer = us.node.peer("v1")
            assert peer.protocol == 1
            await peer.send("after our restart")
            await v1.heard("> after our restart")
        assert_pure_v1(v1)


async def test_a_hello_of_someone_else_proves_nothing(tmp_path: Path) -> None:
    class Forwarder(V1Peer):
        """Says in its hello that it is somebody else: an offer was passed on as its own."""

        def _send_json(self, channel: Any, content: dict[str, Any]) -> None:
            channel.send(json.dumps(content | {"from_peer_id": "f" * 24, "timestamp": 1}))

    ours, theirs = identities("we dial")
    async with (
        Forwarder(theirs, retry_seconds=0.5) as v1,
        Witness(write_v1_state(tmp_path / "ours", ours), direct()) as us,
    ):
        v1.add_contact(us.invite())
        peer = us.knows(v1.invite())
        await peer.send("for the right eyes only")
        await v1.heard("Data channel OPEN")
        await v1.heard("Data channel CLOSED")
        assert us.seen(p4.LinkUp) == []
        assert not any("right eyes" in line for line in v1.lines)


@pytest.mark.slow
async def test_glare_with_a_lock_that_is_held_does_not_deadlock(tmp_path: Path) -> None:
    """It dials slowly, holding its lock, until our own patience is over and we dial as well."""
    first = True

    async def slowly(rendezvous: dict[str, Any]) -> Connection:
        nonlocal first
        if first:
            first = False
            await asyncio.sleep(10)  # longer than limits.QUIET_SECONDS: our offer waits at its lock
        return await dial_direct(rendezvous)

    async with meeting(tmp_path, "it dials", dial=slowly) as (us, v1, peer):
        await connected(us, v1, timeout=180)
        await peer.send("through the glare")
        await v1.heard("> through the glare", timeout=180)
        # It settles: the links that the crossed offers made replace each other no more.
        ups = -1
        async with asyncio.timeout(180):
            while ups != len(us.seen(p4.LinkUp)) or not peer.connected:
                ups = len(us.seen(p4.LinkUp))
                await asyncio.sleep(4)


@both_roles
@pytest.mark.slow
async def test_its_process_is_killed_and_restarted(tmp_path: Path, role: str) -> None:
    ours, theirs = identities(role)
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / "identity_ed25519.json").write_text(json.dumps(theirs))
    async with Witness(write_v1_state(tmp_path / "ours", ours), direct()) as us:
        async with V1Process(tmp_path / "v1", [us.invite()], "--retry-seconds", "0.5") as process:
            invite = await process.invite()
            peer = us.knows(invite)
            await us.saw(p4.LinkUp)
            await process.heard(f"hello from {us.node.peer_id}")
            await process.type(f"send {us.node.peer_id} before")
            await us.heard()
            await process.kill()
        await us.saw(p4.LinkDown, timeout=180)  # v1 has no heartbeat: the library notices after 15-35 s
        await peer.send("queued for its return")
        listen = f"127.0.0.1:{invite['rendezvous']['port']}"
        options = ["--retry-seconds", "0.5", "--listen", listen]
        async with V1Process(tmp_path / "v1", [us.invite()], *options) as process:
            await us.saw(p4.LinkUp, 2, timeout=180)
            await process.heard("> queued for its return")
            await process.type(f"send {us.node.peer_id} after")
            assert await us.heard(2) == ["before", "after"]


@pytest.mark.slow
async def test_its_new_process_replaces_the_dead_link_at_once(tmp_path: Path) -> None:
    """It dials: the offer of the restarted peer arrives long before any library notices the death."""
    ours, theirs = identities("it dials")
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / "identity_ed25519.json").write_text(json.dumps(theirs))
    async with Witness(write_v1_state(tmp_path / "ours", ours), direct()) as us:
        for incarnation in range(1, 3):
            async with V1Process(tmp_path / "v1", [us.invite()], "--retry-seconds", "0.5") as process:
                us.knows(await process.invite())
                await process.heard(f"hello from {us.node.peer_id}", timeout=60)
                await process.type(f"send {us.node.peer_id} incarnation {incarnation}")
                await us.heard(incarnation)
                await process.kill()
        assert us.texts() == ["incarnation 1", "incarnation 2"]
