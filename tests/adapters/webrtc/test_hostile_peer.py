"""A contact that breaks the rules of data channels harms its own link and nothing else.

The attacker is aiortc, because its insides can be reached; the victim is either library.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psutil
import pytest
from aiortc.rtcsctptransport import WEBRTC_DCEP, WEBRTC_STRING, RTCSctpTransport
from tests.adapters.webrtc.harness import End, connected

from p4.adapters.webrtc.aiortc_backend import AiortcLink
from p4.adapters.webrtc.base import CHANNELS, ChannelLink
from p4.ports import ChannelOpened, LinkClosed, LinkMessage


@pytest.fixture(params=["wrtc", "aiortc"])
async def ends(request: pytest.FixtureRequest) -> AsyncIterator[tuple[End, End]]:
    """Attacker and victim."""
    async with connected(("aiortc", request.param)) as pair:
        yield pair


def sctp_of(attacker: End) -> RTCSctpTransport:
    assert isinstance(attacker.link, AiortcLink)
    connection = attacker.link._connection
    assert connection is not None
    assert connection.sctp is not None
    return connection.sctp


async def inject(attacker: End, protocol: int, data: bytes) -> None:
    """Send bytes on the channel ``chat`` under any SCTP payload protocol."""
    sctp = sctp_of(attacker)
    channel = next(iter(sctp._data_channels.values()))
    sctp._data_channel_queue.append((channel, protocol, data))
    channel._addBufferedAmount(len(data))
    await sctp._data_channel_flush()


async def test_text_that_is_no_utf8_reaches_the_node_as_text_or_ends_the_link(ends: tuple[End, End]) -> None:
    attacker, victim = ends
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # aiortc's receiver dies of it
    await inject(attacker, WEBRTC_STRING, b"\xff\xfe")
    event = await victim.next()
    assert isinstance(event, LinkClosed | LinkMessage)
    if isinstance(event, LinkMessage):
        assert isinstance(event.data, str)


@pytest.mark.parametrize("data", [b"\x03", b"\x03" + bytes(11), b"\x07\x07", b"\x02", b"\x03\xff" * 40])
async def test_malformed_channel_control_ends_the_link_or_nothing(ends: tuple[End, End], data: bytes) -> None:
    attacker, victim = ends
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    await inject(attacker, WEBRTC_DCEP, data)
    attacker.link.send("chat", "are you there?")
    event = await victim.next()
    assert isinstance(event, LinkClosed) or event == LinkMessage("chat", "are you there?")


async def test_more_channels_than_the_cap_are_ignored(ends: tuple[End, End]) -> None:
    attacker, victim = ends
    assert isinstance(attacker.link, AiortcLink)
    for number in range(CHANNELS + 20):
        attacker.link._live().createDataChannel(f"flood-{number}")
    for _ in range(CHANNELS - 1):
        assert isinstance(await victim.next(), ChannelOpened)
    attacker.link.send("chat", "still alive")
    assert await victim.message() == LinkMessage("chat", "still alive")
    assert isinstance(victim.link, ChannelLink)
    assert len(victim.link._channels) == CHANNELS


async def test_a_second_channel_of_the_same_name_changes_nothing(ends: tuple[End, End]) -> None:
    attacker, victim = ends
    assert isinstance(attacker.link, AiortcLink)
    attacker.link._live().createDataChannel("chat")
    attacker.link.open_channel("after")
    assert await victim.next() == ChannelOpened("after")
    victim.link.send("chat", "on the first")
    assert await attacker.next() == ChannelOpened("after")
    assert await attacker.message() == LinkMessage("chat", "on the first")


@pytest.mark.parametrize("name", ["wrtc", "aiortc"])
async def test_links_that_die_of_it_leave_nothing_open(name: str) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    process = psutil.Process()
    counts = []
    for _ in range(6):
        async with connected(("aiortc", name)) as (attacker, victim):
            await inject(attacker, WEBRTC_STRING, b"\xff\xfe")
            await victim.next()
        counts.append((len(asyncio.all_tasks()), process.num_fds()))
    assert counts[-1] <= counts[1]
