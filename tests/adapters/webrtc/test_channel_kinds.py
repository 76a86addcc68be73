"""Ordered or not, reliable or not: what `p4.ports.Link.open_channel` promises, with both libraries.

Part of the contract in `test_link_contract`.
"""

from __future__ import annotations

import asyncio
import contextlib

import aiortc
import pytest
import webrtc
from tests.adapters.webrtc.harness import COMBINATIONS, CuttablePath, End, connected, two_ends
from tests.adapters.webrtc.test_link_contract import MESSAGES

from p4.adapters.webrtc.base import EARLY_MESSAGES, UNCONFIRMED, ChannelLink
from p4.core import limits
from p4.ports import ChannelOpened, LinkClosed, LinkMessage

combinations = pytest.mark.parametrize("names", COMBINATIONS, ids="-".join)
KINDS = [(ordered, reliable) for ordered in (True, False) for reliable in (True, False)]
kinds = pytest.mark.parametrize(("ordered", "reliable"), KINDS)


async def carry(sender: End, receiver: End, message: LinkMessage, *, reliable: bool) -> None:
    """Send until it arrives: on a busy machine even loopback loses what is sent once."""
    while True:
        sender.link.send(message.label, message.data)
        try:
            async with asyncio.timeout(None if reliable else 2.0):
                # An earlier one that was given up for lost may come as well.
                while (event := await receiver.next()) != message:
                    assert not reliable
                    assert isinstance(event, LinkMessage)
        except TimeoutError:
            if reliable:
                raise
        else:
            return


@combinations
@kinds
async def test_a_channel_of_any_kind_carries_messages_both_ways(
    names: tuple[str, str], ordered: bool, reliable: bool
) -> None:
    async with connected(names) as ends:
        for label, opener, other in (("a", *ends), ("b", *ends[::-1])):
            opener.link.open_channel(label, ordered=ordered, reliable=reliable)
            assert await opener.next() == await other.next() == ChannelOpened(label)
            for sender, receiver in ((opener, other), (other, opener)):
                for message in MESSAGES:  # one by one: those without order may overtake even here
                    await carry(sender, receiver, LinkMessage(label, message), reliable=reliable)


@combinations
async def test_the_other_side_learns_the_kind_from_the_announcement(names: tuple[str, str]) -> None:
    async with connected(names) as (offerer, answerer):
        for ordered, reliable in KINDS:
            label = f"{ordered} {reliable}"
            offerer.link.open_channel(label, ordered=ordered, reliable=reliable)
            assert await offerer.next() == await answerer.next() == ChannelOpened(label)
            for end in (offerer, answerer):
                assert isinstance(end.link, ChannelLink)
                channel = end.link._channels[label].channel
                assert isinstance(channel, webrtc.RTCDataChannel | aiortc.RTCDataChannel)
                assert channel.ordered == ordered
                assert channel.maxRetransmits == (None if reliable else 0)


@kinds
async def test_after_a_lost_datagram_each_kind_does_what_it_promises(ordered: bool, reliable: bool) -> None:
    """Both libraries wait a second or more before they give a message up: all wait together."""
    await asyncio.gather(
        *(
            lose_the_first(names, ordered=ordered, reliable=reliable, back=back)
            for names in COMBINATIONS
            for back in (False, True)
        )
    )


async def lose_the_first(names: tuple[str, str], *, ordered: bool, reliable: bool, back: bool) -> None:
    """Send two messages, the first in a datagram that is lost, and look at what arrives.

    Args:
        back: they are sent by the side that did not open the channel.
    """
    with contextlib.closing(CuttablePath()) as path:
        async with two_ends(names) as ends:
            await path.between(*ends)
            assert await ends[0].next() == await ends[1].next() == ChannelOpened("chat")
            ends[0].link.open_channel("kind", ordered=ordered, reliable=reliable)
            assert await ends[0].next() == await ends[1].next() == ChannelOpened("kind")
            sender, receiver = ends[::-1] if back else ends
            # Until the channel is confirmed everything is sent in order.
            for end, other in (ends, ends[::-1]):
                end.link.send("kind", "confirmed")
                assert await other.next() == LinkMessage("kind", "confirmed")

            first, second, other_channel = "1" * 500, "2" * 500, "3" * 1000
            await send_into_a_loss(path, sender, "kind", first)
            sender.link.send("kind", second)
            # This one is sent again after its loss, so the time to send the first again is over with it.
            await send_into_a_loss(path, sender, "chat", other_channel)
            arrived: list[str | bytes] = []
            await take(
                receiver, arrived, until={other_channel, first, second} if reliable else {other_channel}
            )
            sender.link.send("kind", "last")
            await take(receiver, arrived, until={"last"})
            arrived.remove(other_channel)

            if reliable:
                assert arrived == ([first, second, "last"] if ordered else [second, first, "last"])
            elif ordered:
                # aiortc gives up what waited behind the lost message with it, also if it has arrived.
                assert arrived in ([second, "last"], ["last"])
            else:
                assert arrived == [second, "last"]
            assert sender.link.buffered("kind") <= len("last")


async def take(receiver: End, arrived: list[str | bytes], *, until: set[str]) -> None:
    """Add what arrives until all of these are there."""
    while not until.issubset(arrived):
        arrived.append((await receiver.message()).data)


async def send_into_a_loss(path: CuttablePath, sender: End, label: str, text: str) -> None:
    """Send a message; the datagram that brings it is lost once."""
    path.lose_next(over=len(text))
    sender.link.send(label, text)
    await asyncio.wait_for(path.lost.wait(), 10)


async def test_messages_that_overtake_the_confirmation_wait_for_it() -> None:
    """aiortc hands out messages of a channel that it still calls unopened, and sends none on it."""
    async with connected(("aiortc", "aiortc")) as (offerer, answerer):
        link = offerer.link
        assert isinstance(link, ChannelLink)
        link.open_channel("p4", ordered=False)
        for number in range(3):
            link._on_message("p4", str(number))
        assert offerer.events == [ChannelOpened("chat")]
        offerer.on_event = lambda event: link.send("p4", b"reply") if event == ChannelOpened("p4") else None
        assert await offerer.next() == ChannelOpened("p4")
        assert [(await offerer.message()).data for _ in range(3)] == ["0", "1", "2"]
        assert await answerer.next() == ChannelOpened("p4")
        assert (await answerer.message()).data == b"reply"


@pytest.mark.parametrize("message", ["x", b"x" * limits.LINK_MESSAGE_BYTES], ids=["many", "large"])
async def test_a_channel_that_is_used_and_never_confirmed_ends_the_link(message: str | bytes) -> None:
    async with connected(("aiortc", "aiortc")) as (offerer, _):
        link = offerer.link
        assert isinstance(link, ChannelLink)
        link.open_channel("p4", ordered=False)
        for _ in range(EARLY_MESSAGES + 1):
            link._on_message("p4", message)
        assert offerer.events == [ChannelOpened("chat"), LinkClosed(UNCONFIRMED)]
