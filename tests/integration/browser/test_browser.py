"""A real browser at the other end of a link, in both roles, with both libraries."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.adapters.webrtc.harness import End
from tests.integration.browser.chromium import BrowserEnd, open_browser

from p4.adapters.webrtc import select_backend
from p4.core import limits
from p4.ports import ChannelOpened, LinkClosed, LinkMessage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BINARY = bytes(range(256)) * (limits.LINK_MESSAGE_BYTES // 256)


async def negotiate(end: End, browser: BrowserEnd, *, browser_offers: bool) -> None:
    if browser_offers:
        browser.for_browser.put_nowait(await end.link.answer(await browser.description()))
    else:
        browser.for_browser.put_nowait(await end.link.offer("chat"))
        await end.link.accept_answer(await browser.description())


@pytest.mark.parametrize("role", ["offerer", "answerer"])
@pytest.mark.parametrize("name", ["wrtc", "aiortc"])
async def test_a_browser_exchanges_text_and_binary_on_channels_of_both_sides(
    name: str, role: str, tmp_path: Path
) -> None:
    backend = select_backend(name)
    async with open_browser(role, tmp_path) as browser:
        end = End(backend)
        await negotiate(end, browser, browser_offers=role == "offerer")
        assert await end.next(seconds=120) == ChannelOpened("chat")

        for text in ("hello", "", "ünï¢ødé 𝄞", "x" * (limits.LINK_MESSAGE_BYTES - 5)):
            end.link.send("chat", text)
            assert await end.message() == LinkMessage("chat", f"text:{text}")
        for data in (b"", b"\x00\x01\xff", BINARY):
            end.link.send("chat", data)
            assert await end.message() == LinkMessage("chat", data[::-1])

        for label in ("from-node", "from-browser"):
            if label == "from-node":
                end.link.open_channel(label)
            else:
                end.link.send("chat", "please open another")
            assert await end.next() == ChannelOpened(label)
            end.link.send(label, "which?")
            assert await end.message() == LinkMessage(label, "text:which?")

        if role == "offerer":
            end.link.send("chat", "please close")
            assert isinstance(await end.closed(), LinkClosed)
            end.link.close()
        else:
            end.link.close()
            assert (await asyncio.wait_for(browser.reports.get(), 120)).startswith("closed:")
        await backend.close()


@pytest.mark.parametrize("name", ["wrtc", "aiortc"])
async def test_bulk_from_a_browser_arrives_whole_and_in_order(name: str, tmp_path: Path) -> None:
    """Two MiB there and back, with no pause between the messages."""
    backend = select_backend(name)
    blocks = [bytes([number]) * (16 * 1024) for number in range(128)]
    async with open_browser("answerer", tmp_path) as browser:
        end = End(backend)
        await negotiate(end, browser, browser_offers=False)
        assert await end.next(seconds=120) == ChannelOpened("chat")
        for block in blocks:
            end.link.send("chat", block)
        assert [(await end.message()).data for _ in blocks] == blocks
        end.link.close()
        await backend.close()
