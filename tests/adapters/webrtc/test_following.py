"""Candidates that follow a description, and addresses that come and go, on both libraries."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import psutil
import pytest
from tests.adapters.net.namespaces import network_namespace
from tests.adapters.webrtc.harness import COMBINATIONS, End, connected, two_ends

from p4.adapters.webrtc.sdp import candidates_of
from p4.core import limits
from p4.ports import ChannelOpened, LinkMessage

CHILD = Path(__file__).parent / "networks_child.py"
combinations = pytest.mark.parametrize("names", COMBINATIONS, ids="-".join)

NO_CANDIDATES = [
    "",
    "candidate:",
    "nonsense",
    "candidate:1 1 udp",
    "candidate:1 1 udp 2130706431 name.local 5000 typ host",
    "candidate:1 1 udp 2130706431 192.0.2.300 5000 typ host",
    "candidate:1 1 udp x 192.0.2.1 y typ z",
    "candidate:1 1 udp 2130706431 192.0.2.1 70000 typ host",
    "candidate:1 1 udp 2130706431 192.0.2.1 5000 typ",
    "candidate:1 9 sctp 2130706431 192.0.2.1 5000 typ host",
    "candidate:é 1 udp 2130706431 192.0.2.1 5000 typ host",
    "candidate:1 1 udp 99999999999999999999 192.0.2.1 5000 typ host",
]


def bare(sdp: str) -> str:
    """A description without its candidates."""
    lines = [
        line for line in sdp.splitlines() if not line.startswith(("a=candidate:", "a=end-of-candidates"))
    ]
    return "\r\n".join([*lines, ""])


async def negotiate_bare(offerer: End, answerer: End) -> tuple[set[str], set[str]]:
    """Descriptions without any candidate; gives the candidates of both sides, as they were found by then."""
    found: tuple[list[str], list[str]] = ([], [])
    offer = await offerer.link.offer("chat", found[0].append)
    answer = await answerer.link.answer(bare(offer), found[1].append)
    await offerer.link.accept_answer(bare(answer))
    await asyncio.sleep(0.3)
    ours, theirs = (
        candidates_of(sdp) | set(late) - {""} for sdp, late in zip((offer, answer), found, strict=True)
    )
    return ours, theirs


@combinations
async def test_a_link_opens_by_candidates_that_follow_alone(names: tuple[str, str]) -> None:
    async with two_ends(names) as (offerer, answerer):
        ours, theirs = await negotiate_bare(offerer, answerer)
        assert offerer.events == answerer.events == [], "nobody knows yet where the other is"
        assert ours
        assert theirs
        for candidate in ours:
            await answerer.link.add_candidate(candidate)
        for candidate in theirs:
            await offerer.link.add_candidate(candidate)
        for end in (offerer, answerer):
            assert await end.next() == ChannelOpened("chat")


@combinations
async def test_candidates_of_one_side_are_enough(names: tuple[str, str]) -> None:
    """Checks of the side that knows show the other where they come from (RFC 8445, peer reflexive)."""
    async with two_ends(names) as (offerer, answerer):
        ours, _ = await negotiate_bare(offerer, answerer)
        for candidate in ours:
            await answerer.link.add_candidate(candidate)
        for end in (offerer, answerer):
            assert await end.next() == ChannelOpened("chat")


@combinations
async def test_what_is_no_candidate_is_ignored_at_any_time(names: tuple[str, str]) -> None:
    async with two_ends(names) as (offerer, answerer):
        for candidate in NO_CANDIDATES:
            await offerer.link.add_candidate(candidate)
        ours, theirs = await negotiate_bare(offerer, answerer)
        for end, candidates in ((offerer, theirs), (answerer, ours)):
            for candidate in (*NO_CANDIDATES, *candidates, *candidates, *NO_CANDIDATES):
                await end.link.add_candidate(candidate)
        for end in (offerer, answerer):
            assert await end.next() == ChannelOpened("chat")
        for candidate in (*NO_CANDIDATES, *theirs):
            await offerer.link.add_candidate(candidate)
        offerer.link.send("chat", "alive")
        assert await answerer.next() == LinkMessage("chat", "alive")
        offerer.link.close()
        for candidate in (*NO_CANDIDATES, *theirs):
            await offerer.link.add_candidate(candidate)


@pytest.mark.parametrize("name", ["wrtc", "aiortc"])
async def test_a_description_that_others_follow_waits_for_little(name: str) -> None:
    async with two_ends((name, name)) as (offerer, _):
        found: list[str] = []
        began = asyncio.get_running_loop().time()
        offer = await offerer.link.offer("chat", found.append)
        assert asyncio.get_running_loop().time() - began < limits.GATHER_SECONDS
        await asyncio.sleep(0.5)
        assert found.count("") <= 1
        assert not candidates_of(offer) & set(found), "none comes twice"


@combinations
async def test_a_link_is_stranded_when_all_its_addresses_are_gone(names: tuple[str, str]) -> None:
    own = frozenset(entry.address for entries in psutil.net_if_addrs().values() for entry in entries)
    async with two_ends(names) as (offerer, _):
        assert not offerer.link.stranded(frozenset({"203.0.113.1"})), "it has not begun"
    async with connected(names) as ends:
        for end in ends:
            assert not end.link.stranded(own)
            assert end.link.stranded(frozenset({"203.0.113.1"}))
            assert end.link.stranded(frozenset())
            assert not end.link.stranded(own | {"203.0.113.1"})


async def test_a_new_link_knows_the_addresses_of_now() -> None:
    """libwebrtc would look for them 2 s later, while its first connection of then lives or is remembered."""
    pytest.importorskip("webrtc")
    with network_namespace() as namespace:
        namespace.ip("link", "add", "p4a", "type", "veth", "peer", "name", "p4b")
        namespace.ip("link", "set", "p4b", "up")
        namespace.ip("addr", "add", "192.0.2.7/24", "dev", "p4a")
        namespace.ip("link", "set", "p4a", "up")
        namespace.ip("route", "add", "default", "dev", "p4a")
        child = await asyncio.create_subprocess_exec(
            *namespace.command(sys.executable, str(CHILD)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert child.stdin is not None
        assert child.stdout is not None

        async def offered(how: str) -> list[str]:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(f"{how}\n".encode())
            answer: list[str] = json.loads(await asyncio.wait_for(child.stdout.readline(), 15))
            return answer

        try:
            assert await offered("kept") == ["192.0.2.7"]
            for address in ("198.51.100.7", "192.0.2.9", "203.0.113.7"):
                namespace.ip("addr", "flush", "dev", "p4a")
                namespace.ip("addr", "add", f"{address}/24", "dev", "p4a")
                namespace.ip("route", "add", "default", "dev", "p4a")
                assert await offered("changed") == [address]
        finally:
            child.stdin.close()
            await asyncio.wait_for(child.wait(), 15)
