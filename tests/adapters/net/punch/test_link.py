"""Links of both libraries over two bridges, which meet late, and nothing else."""

from __future__ import annotations

import asyncio
import re

import pytest
from tests.adapters.net.punch.test_guesser import KEY, no_refusal, prepared_pair
from tests.adapters.net.stun.server import pretended_server
from tests.adapters.webrtc.harness import COMBINATIONS, own_address, two_ends

from p4.adapters.net.punch import UdpPortGuesser
from p4.ports import ChannelOpened, LinkMessage
from p4.ports.path import PathKind

__all__ = ["no_refusal"]

MEGABYTE = 1024 * 1024
PIECE = 16 * 1024


def without_candidates(sdp: str) -> str:
    """Both ends are on one machine: without this they would not need the bridges."""
    return re.sub(r"a=candidate:.*\r\n", "", sdp)


@pytest.mark.usefixtures("no_refusal")
@pytest.mark.parametrize("names", COMBINATIONS, ids="-".join)
async def test_a_link_opens_over_the_bridges_and_carries_a_megabyte(
    names: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The servers of this test are on loopback; the addresses of a link's candidates are not.
    monkeypatch.setattr("p4.adapters.net.punch.guesser.own_address", lambda *_: own_address())
    guesser = UdpPortGuesser()
    async with pretended_server() as server:
        hard, easy = await prepared_pair(guesser, server)
    async with two_ends(names) as (offerer, answerer):
        offer = without_candidates(await offerer.link.offer("chat"))
        answer = without_candidates(await answerer.link.answer(hard.add_to(offer)))
        await offerer.link.accept_answer(easy.add_to(answer))
        await asyncio.sleep(0.3)  # the checks of both are at their bridges before these have met
        assert hard.start(easy.note, KEY)
        assert easy.start(hard.note, KEY)
        for end in (offerer, answerer):
            assert await end.next() == ChannelOpened("chat")
        path = await offerer.link.path()
        assert path is not None
        assert path.kind is PathKind.DIRECT, "not the local network, although a bridge has our own address"
        for _ in range(MEGABYTE // PIECE):
            offerer.link.send("chat", bytes(PIECE))
            await offerer.link.drained("chat")
        got = 0
        while got < MEGABYTE:
            event = await answerer.next()
            assert isinstance(event, LinkMessage)
            got += len(event.data)
    await guesser.close()
