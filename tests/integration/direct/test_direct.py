"""Two real nodes, direct rendezvous, real link libraries: pairing, texts, crashes, standstills, attacks."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.integration.direct.impostor import Contact, known_identity
from tests.integration.direct.node_program import NodeProcess, direct
from tests.patience import patience

import p4
from p4.core.signaling import WARM, Announcement, Offer

SECONDS = 90.0


@asynccontextmanager
async def pair(tmp_path: Path, first: str, second: str) -> AsyncIterator[tuple[p4.Node, p4.Node]]:
    """Two nodes in this process that know each other and have a link."""
    async with (
        p4.Node(tmp_path / "one", direct(first)) as one,
        p4.Node(tmp_path / "two", direct(second)) as two,
    ):
        one.add_contact(two.invite(), "two")
        two.add_contact(one.invite(), "one")
        async with asyncio.timeout(SECONDS):
            await one.peer("two").wait_connected()
            await two.peer("one").wait_connected()
        yield one, two


async def texts(node: p4.Node, count: int) -> list[object]:
    found: list[object] = []
    messages = node.messages("chat")
    async with asyncio.timeout(SECONDS):
        while len(found) < count:
            message = await anext(messages)
            found.append(message.value)
            await message.done()
    return found


@pytest.mark.parametrize(("first", "second"), [("wrtc", "wrtc"), ("aiortc", "aiortc"), ("wrtc", "aiortc")])
async def test_they_pair_talk_drop_and_come_back(tmp_path: Path, first: str, second: str) -> None:
    async with pair(tmp_path, first, second) as (one, two):
        await one.peer("two").send("hello two ä😀")
        await two.peer("one").send("hello one")
        assert await texts(two, 1) == ["hello two ä😀"]
        assert await texts(one, 1) == ["hello one"]
        began = time.monotonic()
        assert one.peer("two").drop()
        await one.peer("two").send("after the drop")
        assert await texts(two, 1) == ["after the drop"]
        print(f"{first}/{second}: dropped to delivered {time.monotonic() - began:.3f} s")
        began = time.monotonic()
    assert time.monotonic() - began < patience(4.0), "two nodes, one after the other"


async def test_a_killed_process_gets_what_was_queued_exactly_once(tmp_path: Path) -> None:
    process = NodeProcess(tmp_path / "killed")
    try:
        invite = await process.start()
        async with p4.Node(tmp_path / "ours", direct()) as ours:
            peer = ours.add_contact(invite, "killed")
            process.tell(add=ours.invite().to_text())
            await asyncio.wait_for(peer.wait_connected(), SECONDS)
            await peer.send("0")
            await process.says("message")
            sent = ["0"]
            for _ in range(2):
                sending = asyncio.create_task(send_many(peer, sent))
                await asyncio.sleep(0.2)
                await process.kill()
                await sending
                began = time.monotonic()
                await process.start()
                while peer.queued:
                    await asyncio.sleep(0.02)
                    assert time.monotonic() < began + SECONDS
                print(f"killed, restarted, everything delivered after {time.monotonic() - began:.3f} s")
            await asyncio.sleep(0.5)
            # What was shown but not yet done when it was killed is shown again, under the same name.
            named: dict[str, str] = {}
            for message in process.messages():
                assert named.setdefault(message["id"], message["value"]) == message["value"]
            assert list(named.values()) == sent
    finally:
        await process.kill()


async def send_many(peer: p4.Peer, sent: list[str]) -> None:
    for _ in range(100):
        text = str(len(sent))
        await peer.send(text)
        sent.append(text)
        await asyncio.sleep(0.002)


async def test_a_process_that_stood_still_is_back_soon_after_it_goes_on(tmp_path: Path) -> None:
    process = NodeProcess(tmp_path / "stopped")
    try:
        invite = await process.start()
        async with p4.Node(tmp_path / "ours", direct()) as ours:
            peer = ours.add_contact(invite, "stopped")
            process.tell(add=ours.invite().to_text())
            await asyncio.wait_for(peer.wait_connected(), SECONDS)
            await asyncio.sleep(1)
            process.signal(signal.SIGSTOP)
            began = time.monotonic()
            while peer.connected:
                await asyncio.sleep(0.01)
                assert time.monotonic() < began + patience(6)
            print(f"stopped: noticed after {time.monotonic() - began:.2f} s")
            await peer.send("while it stood still")
            await asyncio.sleep(max(0.0, 10 - (time.monotonic() - began)))
            process.signal(signal.SIGCONT)
            began = time.monotonic()
            await process.says("message")
            taken = time.monotonic() - began
            print(f"continued: text there after {taken:.2f} s")
            assert taken < patience(5)
            await asyncio.sleep(3)
            assert peer.state == "open", "it stays"
            assert process.texts() == ["while it stood still"]
    finally:
        process.signal(signal.SIGCONT)
        await process.kill()


async def test_a_malformed_offer_of_a_contact_leaves_the_live_link(tmp_path: Path) -> None:
    theirs = known_identity(tmp_path / "two")
    async with pair(tmp_path, "wrtc", "wrtc") as (one, two):
        forger = Contact()
        forger.identity = theirs  # the contact itself misbehaves
        seen = one.events()
        good = Path(__file__).parent / "offer.sdp"
        template = good.read_text()
        for sdp in (
            "v=0\r\n",
            template.replace("m=application", "m=audio"),
            template.replace("a=fingerprint", "a=finger"),
            template.replace("UDP/DTLS/SCTP", "NONSENSE \x7f"),
            template + "a=ice-ufrag:another\r\n",
            # Well-formed as far as we look, and refused (or never answered) by the library:
            template.replace("webrtc-datachannel", "something-else").replace("a=sctp-port", "a=no-port"),
            template,
        ):
            stream = await forger.rendezvous.dial(one.invite().rendezvous, timeout=patience(5))
            offer = Offer("o1", sdp, Announcement.ours(frozenset({WARM}), "00" * 8, "11" * 16))
            await stream.send_line(forger.seal(one, offer))
            line = await asyncio.wait_for(stream.receive_line(), patience(5))
            assert line is not None
            stream.close()
        await two.peer("one").send("still here")
        assert await texts(one, 1) == ["still here"]
        await seen.aclose()
        assert not [event async for event in seen if isinstance(event, p4.LinkDown)]
        assert one.peer("two").connected
