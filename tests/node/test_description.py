"""What goes into a link library and out of it, by policy, and in which order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from vectors.generate.signaling import SDP_LINES, sdp

from p4.core import limits
from p4.core.candidates import any_candidate, is_local
from p4.node.description import Description
from p4.ports import Link
from p4.testing import run

LOCAL = "candidate:1 1 udp 1 192.168.1.2 5 typ host"
WORLD = "candidate:2 1 udp 1 1.1.1.1 5 typ srflx"
OFFER = sdp((*(line for line in SDP_LINES if "candidate" not in line), f"a={LOCAL}", f"a={WORLD}"))


class Library:
    """A link that writes down what it is given."""

    def __init__(self) -> None:
        self.given: list[str] = []
        self.found: Callable[[str], None] | None = None

    async def offer(self, label: str, found: Callable[[str], None] | None, *, awaited: frozenset[str]) -> str:
        self.found = found
        return OFFER

    async def answer(self, sdp: str, found: Callable[[str], None] | None) -> str:
        self.given.append(sdp)
        self.found = found
        return OFFER

    async def accept_answer(self, sdp: str) -> None:
        self.given.append(sdp)

    async def add_candidate(self, candidate: str) -> None:
        self.given.append(candidate)


def described(wanted: Callable[[str], bool]) -> tuple[Library, Description]:
    library = Library()
    return library, Description(cast("Link", library), wanted)


def test_neither_side_uses_what_the_policy_forbids() -> None:
    async def scenario() -> None:
        for role in ("offer", "answer"):
            library, description = described(is_local)
            told: list[str] = []
            if role == "offer":
                ours = await description.offer("chat", told.append, frozenset())
                await description.accept_answer(OFFER)
            else:
                ours = await description.answer(OFFER, told.append)
            await description.add_candidates([WORLD, LOCAL])
            assert library.found is not None
            for candidate in (WORLD, LOCAL, ""):
                library.found(candidate)
            assert told == [LOCAL, ""]
            assert WORLD not in ours
            assert LOCAL in ours
            assert not any(WORLD in given for given in library.given)
            assert library.given[-1] == LOCAL

    run(scenario())


def test_candidates_wait_for_the_description_that_they_follow() -> None:
    async def scenario() -> None:
        library, description = described(any_candidate)
        await description.offer("chat", None, frozenset())
        following = asyncio.ensure_future(description.add_candidates([LOCAL]))
        await asyncio.sleep(1)
        assert library.given == []
        await description.accept_answer("the answer")
        await following
        assert library.given == ["the answer", LOCAL]

    run(scenario())


def test_candidates_that_come_over_three_streams_leave_room_for_the_last_of_them() -> None:
    async def scenario() -> None:
        library, description = described(any_candidate)
        await description.answer(OFFER, None)
        library.given.clear()
        found = [f"candidate:{number}" for number in range(limits.NEGOTIATION_CANDIDATES)]
        for _ in range(3):
            await description.add_candidates(found[:40])
        await description.add_candidates([*found[40:], "candidate:too many"])
        assert library.given == found

    run(scenario())


def test_nobody_waits_for_a_link_that_is_over() -> None:
    async def scenario() -> None:
        _, description = described(any_candidate)
        following = asyncio.ensure_future(description.add_candidates([]))
        await asyncio.sleep(0)
        description.close()
        await asyncio.wait_for(following, 1)

    run(scenario())
