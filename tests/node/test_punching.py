"""Which of a bridge's methods a negotiation calls, and that none is left behind."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from p4.core.ice import IceSettings, TurnServer
from p4.core.identity import PeerId
from p4.core.punch import NatNote, Role, punch_key
from p4.node.punching import Punching

CONTACT = PeerId("a" * 24)
EASY, HARD = NatNote(Role.EASY, "8.8.8.8", 4000), NatNote(Role.HARD, "9.9.9.9")
ICE = IceSettings(stun=("stun:stun.example.org",))
NONCES = "01" * 16, "02" * 16


@dataclass
class Bridge:
    note: NatNote
    alive: bool = False
    calls: list[object] = field(default_factory=list)

    def add_to(self, sdp: str) -> str:
        self.calls.append("add")
        return sdp + "+"

    def start(self, theirs: NatNote, key: bytes) -> bool:
        self.calls.append((theirs, key))
        return True

    async def opened(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.calls.append("close")


@dataclass
class Guesser:
    bridge: Bridge | None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[PeerId] = field(default_factory=list)

    async def prepare(
        self, contact: PeerId, ice: IceSettings, theirs: NatNote | None = None
    ) -> Bridge | None:
        self.asked.append(contact)
        await self.ready.wait()
        return self.bridge

    def network_changed(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


def prepared(note: NatNote | None) -> tuple[Punching, Bridge, Guesser]:
    bridge = Bridge(note or EASY)
    guesser = Guesser(bridge if note else None)
    guesser.ready.set()
    return Punching(guesser, CONTACT, ICE), bridge, guesser


async def test_an_offer_and_its_answer() -> None:
    punching, bridge, guesser = prepared(EASY)
    assert await punching.note() == EASY
    assert guesser.asked == [CONTACT]
    assert punching.add_to("sdp", HARD) == "sdp+"
    punching.start(HARD, *NONCES, "session")
    assert bridge.calls == ["add", (HARD, punch_key(b"\1" * 16, b"\2" * 16, "session"))]
    bridge.alive = True
    punching.settle()
    assert "close" not in bridge.calls
    punching.close()
    assert bridge.calls[-1] == "close"


async def test_a_link_that_found_another_way_ends_the_search() -> None:
    punching, bridge, _ = prepared(EASY)
    await punching.note()
    punching.add_to("sdp", HARD)
    punching.start(HARD, *NONCES, "session")
    punching.settle()
    assert bridge.calls[-1] == "close"


@pytest.mark.parametrize("theirs", [None, EASY, NatNote(Role.EASY, "1.1.1.1", 4000)])
async def test_without_the_other_kind_there_is_no_attempt(theirs: NatNote | None) -> None:
    punching, bridge, _ = prepared(EASY)
    await punching.note()
    assert punching.add_to("sdp", theirs) == "sdp"
    punching.start(theirs, *NONCES, "session")
    assert bridge.calls == ["close"]


async def test_an_answer_announces_only_what_fits() -> None:
    punching, bridge, _ = prepared(HARD)
    assert await punching.note(EASY) == HARD
    punching, bridge, _ = prepared(HARD)
    assert await punching.note(NatNote(Role.HARD, "1.1.1.1")) is None
    assert bridge.calls == ["close"]


async def test_nothing_known_is_nothing_announced() -> None:
    punching, bridge, _ = prepared(None)
    assert await punching.note() is None
    assert punching.add_to("sdp", HARD) == "sdp"
    assert bridge.calls == []


@pytest.mark.parametrize("patience", [0.0, 0.01])
async def test_servers_that_take_long_hold_up_nothing(patience: float) -> None:
    bridge = Bridge(EASY)
    guesser = Guesser(bridge)
    punching = Punching(guesser, CONTACT, ICE, patience=patience)
    punching.begin()
    began = asyncio.get_running_loop().time()
    assert await punching.note() is None
    assert asyncio.get_running_loop().time() < began + 0.1
    guesser.ready.set()
    await asyncio.sleep(0.01)
    assert await punching.note() is None
    assert not punching.needed
    assert bridge.calls == ["close"], "its finding is remembered; the bridge is not needed"


async def test_what_is_known_already_is_announced_without_waiting() -> None:
    guesser = Guesser(Bridge(EASY))
    guesser.ready.set()
    punching = Punching(guesser, CONTACT, ICE, patience=0.0)
    punching.begin()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await punching.note() == EASY
    assert guesser.asked == [CONTACT], "once"


async def test_a_bridge_that_nobody_asked_for_is_closed() -> None:
    punching, bridge, _ = prepared(EASY)
    punching.begin()
    await asyncio.sleep(0.01)
    punching.close()
    await asyncio.sleep(0)
    assert bridge.calls == ["close"]


async def test_without_a_guesser_or_with_relays_only_nothing_happens() -> None:
    turn = TurnServer("turn:turn.example.org", username="u", password="p")
    guesser = Guesser(Bridge(EASY))
    hidden = Punching(guesser, CONTACT, IceSettings(turn=(turn,), relay_only=True))
    for punching in (Punching(None, CONTACT, ICE), hidden):
        assert await punching.note() is None
        assert punching.add_to("sdp", HARD) == "sdp"
        punching.start(HARD, *NONCES, "session")
        punching.settle()
        punching.close()
    assert guesser.asked == []


async def test_both_kinds_known_and_no_need() -> None:
    punching, _, _ = prepared(EASY)
    await punching.note()
    before = punching.needless
    punching.add_to("sdp", None)
    assert (before, punching.needless) == (False, True)
    unknown, _, _ = prepared(None)
    await unknown.note()
    unknown.add_to("sdp", None)
    assert not unknown.needless
