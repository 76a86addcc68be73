"""A contact hands one node's offer to another as its own: real nodes, real links, nobody is deceived."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.direct.impostor import Contact, known_identity
from tests.integration.direct.node_program import direct
from tests.patience import patience

import p4
from p4.core.signaling import Answer, Offer
from p4.ports import SignalStream

SECONDS = 90.0
FINGERPRINT = re.compile(r"(a=fingerprint:sha-256 )\S+")


async def first_offer(mallory: Contact, node: p4.Node) -> tuple[SignalStream, Offer]:
    """Wait until this node offers a link to mallory."""
    while True:
        stream = await mallory.inbound.get()
        line = await stream.receive_line()
        message = mallory.read(node, line) if line is not None else None
        if isinstance(message, Offer):
            return stream, message


async def answer_of(mallory: Contact, node: p4.Node, stream: SignalStream) -> Answer:
    while True:
        line = await stream.receive_line()
        assert line is not None
        message = mallory.read(node, line)
        if isinstance(message, Answer):
            return message


async def connected(*peers: p4.Peer) -> None:
    async with asyncio.timeout(SECONDS):
        for peer in peers:
            await peer.wait_connected()


@pytest.mark.parametrize("link_backend", ["wrtc", "aiortc"])
@pytest.mark.parametrize("swapped", [False, True], ids=["relayed", "fingerprint-swapped"])
async def test_a_contact_cannot_pass_another_off_as_itself(
    tmp_path: Path, link_backend: str, swapped: bool
) -> None:
    """Both know Mallory, who has an honest link with one of them, and calls it in the name of the other."""
    mallory = Contact()
    mallory.identity = known_identity(tmp_path / "mallory")
    invite = await mallory.start()
    async with (
        p4.Node(tmp_path / "one", direct(link_backend)) as one,
        p4.Node(tmp_path / "two", direct(link_backend)) as two,
        p4.Node(tmp_path / "mallory", direct(link_backend)) as honest,
    ):
        for node, other in ((one, two), (two, one), (two, honest), (honest, two)):
            node.add_contact(other.invite(), "other" if other is not honest else "mallory")
        await connected(one.peer("other"), two.peer("other"), two.peer("mallory"))
        at_one, at_two = one.events(), two.events()
        one.add_contact(invite, "mallory")
        await one.peer("mallory").send("for Mallory's eyes")
        # Known as version 2 it dials at once, also with the higher id.
        one.peer("mallory")._connection._machine.protocol = 2
        one.peer("mallory").wake()
        stream, offer = await asyncio.wait_for(first_offer(mallory, one), SECONDS)
        if swapped:
            offer = replace(offer, sdp=FINGERPRINT.sub(r"\g<1>" + ":".join(["AB"] * 32), offer.sdp))
        towards_two = await mallory.rendezvous.dial(two.invite().rendezvous, timeout=patience(5))
        await towards_two.send_line(mallory.seal(two, offer))
        answer = await asyncio.wait_for(answer_of(mallory, two, towards_two), SECONDS)
        await stream.send_line(mallory.seal(one, answer))
        if swapped:
            await asyncio.sleep(3)
        else:
            async with asyncio.timeout(SECONDS):
                # The first to notice closes the link on the other.
                while not any("someone else" in n.peer("mallory").last_failure for n in (one, two)):
                    assert not one.peer("mallory").connected
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.5)
        assert not one.peer("mallory").connected
        for peer in (one.peer("other"), two.peer("other"), two.peer("mallory")):
            assert peer.connected
        for events in (at_one, at_two):
            await events.aclose()
            unwanted = p4.LinkUp | p4.LinkDown
            assert not [event async for event in events if isinstance(event, unwanted)]
        towards_two.close()
    await mallory.rendezvous.close()
