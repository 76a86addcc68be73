"""What a node finds out about itself, and the life of a bridge, on this machine alone.

There is no NAT here; tests/integration/punch has real ones.
"""

from __future__ import annotations

import asyncio
import gc
import itertools

import pytest
from tests.adapters.net.punch.test_forwarder import UFRAG, check, plain_socket, received
from tests.adapters.net.stun.server import PretendedServer, pretended_server

from p4.adapters.net.punch import UdpPortGuesser
from p4.adapters.net.punch.bridge import UdpBridge
from p4.core import limits
from p4.core.ice import IceSettings, TurnServer
from p4.core.identity import PeerId
from p4.core.punch import NatNote, Role
from p4.errors import LinkError
from p4.ports.punch import Bridge, PortGuesser

ANN, BOB, EVE = (PeerId(letter * 24) for letter in "abe")
OUTER = "192.0.2.1"
DESCRIPTION = f"v=0\r\na=ice-ufrag:{UFRAG}\r\n"
KEY = bytes(32)


def ice(server: PretendedServer) -> IceSettings:
    return IceSettings(stun=(server.url(), server.url(host=1)))


async def prepared(guesser: UdpPortGuesser, server: PretendedServer, contact: PeerId = ANN) -> UdpBridge:
    bridge = await guesser.prepare(contact, ice(server))
    assert bridge is not None
    return bridge


def test_it_is_what_the_port_asks_for() -> None:
    guesser: PortGuesser = UdpPortGuesser()
    made: type[Bridge] = UdpBridge
    assert guesser
    assert made


async def test_one_outer_port_for_two_servers_is_easy() -> None:
    guesser = UdpPortGuesser()
    async with pretended_server() as server:
        server.sees = lambda client, _: (OUTER, client[1])
        note = (await prepared(guesser, server)).note
        assert (note.role, note.host) == (Role.EASY, OUTER)
        assert note.port >= 1024
        only_one = await guesser.prepare(ANN, IceSettings(stun=(server.url(),)))
        assert only_one is not None, "its other address was asked (RFC 5780)"
        assert only_one.note.role is Role.EASY
        await guesser.close()


async def test_two_outer_ports_are_hard() -> None:
    guesser, ports = UdpPortGuesser(), itertools.count(40_000)
    async with pretended_server() as server:
        server.sees = lambda client, asked: (OUTER, next(ports))
        assert (await prepared(guesser, server)).note == NatNote(Role.HARD, OUTER)
        await guesser.close()


async def test_nothing_is_announced_without_knowing() -> None:
    async with pretended_server() as server:
        server.offers_other = False
        assert await UdpPortGuesser().prepare(ANN, IceSettings(stun=(server.url(),))) is None
        assert await UdpPortGuesser().prepare(ANN, IceSettings(stun=())) is None
        server.sees = lambda client, _: (OUTER, 80)
        assert await UdpPortGuesser().prepare(ANN, ice(server)) is None
        server.swallow = 1000
        assert await UdpPortGuesser().prepare(ANN, ice(server)) is None


async def test_with_relays_only_no_server_is_asked() -> None:
    async with pretended_server() as server:
        turn = TurnServer("turn:127.0.0.1", username="u", password="p")
        settings = IceSettings(stun=(server.url(), server.url(host=1)), turn=(turn,), relay_only=True)
        assert await UdpPortGuesser().prepare(ANN, settings) is None
        assert not server.asked


async def test_an_address_that_is_refused_gets_no_packet() -> None:
    guesser = UdpPortGuesser()
    async with pretended_server() as server:
        server.sees = lambda client, _: ("8.8.8.8", client[1])
        for host in ("192.168.1.1", "127.0.0.1", "8.8.8.8"):
            bridge = await prepared(guesser, server)
            assert not bridge.start(NatNote(Role.HARD, host), KEY)
            with pytest.raises(LinkError):
                await bridge.opened()


async def test_three_attempts_in_three_minutes_with_a_contact_and_two_at_a_time() -> None:
    now = 1000.0
    guesser = UdpPortGuesser(lambda: now)
    theirs = NatNote(Role.HARD, "192.0.2.9")
    async with pretended_server() as server:
        server.sees = lambda client, _: (OUTER, client[1])
        bridges = [await prepared(guesser, server, contact) for contact in (ANN, BOB, EVE)]
        assert [bridge.start(theirs, KEY) for bridge in bridges] == [True, True, False]
        for _ in range(2):
            await guesser.close()
            assert (await prepared(guesser, server)).start(theirs, KEY)
        await guesser.close()
        assert await guesser.prepare(ANN, ice(server)) is None
        assert await guesser.prepare(BOB, ice(server)) is not None
        guesser.network_changed()
        assert (await prepared(guesser, server)).start(theirs, KEY), "elsewhere it counts anew"
        await guesser.close()
        for _ in range(2):
            assert (await prepared(guesser, server)).start(theirs, KEY)
            await guesser.close()
        assert await guesser.prepare(ANN, ice(server)) is None
        now += 180.0
        assert (await prepared(guesser, server)).start(theirs, KEY)
        await guesser.close()


async def test_the_kind_is_remembered_until_the_network_changes() -> None:
    guesser = UdpPortGuesser()
    async with pretended_server() as server:
        server.sees = lambda client, _: (OUTER, client[1])
        await prepared(guesser, server)
        await asyncio.sleep(0)
        slow = IceSettings(stun=(server.url(), "stun:192.0.2.77"))
        async with asyncio.timeout(limits.PUNCH_STUN_SECONDS / 2):
            bridge = await guesser.prepare(ANN, slow)
        assert bridge is not None, "one answer is enough"
        assert bridge.note.role is Role.EASY
        asked = len(server.asked)
        assert await guesser.prepare(ANN, ice(server), NatNote(Role.EASY, "8.8.8.8", 4000)) is None
        assert len(server.asked) == asked, "no packet for two that need no guessing"
        assert await guesser.prepare(ANN, ice(server), NatNote(Role.HARD, "8.8.8.8")) is not None
        guesser.network_changed()
        ports = itertools.count(40_000)
        server.sees = lambda client, _: (OUTER, next(ports))
        assert (await prepared(guesser, server)).note.role is Role.HARD
        await guesser.close()


async def test_the_second_answer_corrects_what_is_remembered() -> None:
    guesser, ports = UdpPortGuesser(), itertools.count(40_000)
    async with pretended_server() as server:
        server.sees = lambda client, _: (OUTER, client[1])
        await prepared(guesser, server)
        await asyncio.sleep(0)
        server.sees = lambda client, _: (OUTER, next(ports))
        assert (await prepared(guesser, server)).note.role is Role.EASY
        await asyncio.sleep(0.1)
        assert (await prepared(guesser, server)).note.role is Role.HARD
        await guesser.close()


async def test_a_lost_answer_is_asked_for_again_at_once() -> None:
    async with pretended_server() as server:
        server.sees = lambda client, _: (OUTER, client[1])
        server.swallow = 2
        guesser = UdpPortGuesser()
        async with asyncio.timeout(0.45):
            await prepared(guesser, server)
        await guesser.close()


async def test_servers_that_tell_nothing_are_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    guesser = UdpPortGuesser(lambda: now)
    monkeypatch.setattr(limits, "PUNCH_STUN_SECONDS", 0.05)
    async with pretended_server() as server:
        server.sees = lambda client, _: (OUTER, client[1])
        server.swallow = 1000
        assert await guesser.prepare(ANN, ice(server)) is None
        server.swallow = 0
        assert await guesser.prepare(ANN, ice(server)) is None
        now += limits.PUNCH_UNKNOWN_SECONDS
        await prepared(guesser, server)
        await guesser.close()


@pytest.fixture
def no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of this is on loopback addresses, which a contact may not name."""
    monkeypatch.setattr("p4.adapters.net.punch.bridge.role_between", lambda ours, theirs: ours.role)


async def prepared_pair(guesser: UdpPortGuesser, server: PretendedServer) -> tuple[UdpBridge, UdpBridge]:
    ports = itertools.count(40_000)
    server.sees = lambda client, _: ("127.0.0.1", next(ports))
    hard = await prepared(guesser, server, BOB)
    guesser.network_changed()
    server.sees = lambda client, _: ("127.0.0.1", client[1])
    easy = await prepared(guesser, server)
    assert (hard.note.role, easy.note.role) == (Role.HARD, Role.EASY)
    return hard, easy


async def described_pair(guesser: UdpPortGuesser, server: PretendedServer) -> tuple[UdpBridge, UdpBridge]:
    both = await prepared_pair(guesser, server)
    for bridge in both:
        assert f"{bridge.host} {bridge.port} typ srflx" in bridge.add_to(DESCRIPTION)
    return both


@pytest.mark.usefixtures("no_refusal")
async def test_two_bridges_meet_and_carry_what_their_agents_send() -> None:
    guesser = UdpPortGuesser()
    async with pretended_server() as server:
        hard, easy = await described_pair(guesser, server)
    with plain_socket() as hard_agent, plain_socket() as easy_agent:
        hard_agent.sendto(check(UFRAG), (hard.host, hard.port))
        easy_agent.sendto(check(UFRAG), (easy.host, easy.port))
        assert hard.start(easy.note, KEY)
        assert easy.start(hard.note, KEY)
        await asyncio.gather(hard.opened(), easy.opened())
        assert hard.alive
        assert easy.alive
        assert await received(easy_agent) == check(UFRAG)
        assert await received(hard_agent) == check(UFRAG)
        for sender, bridge, receiver in ((hard_agent, hard, easy_agent), (easy_agent, easy, hard_agent)):
            sender.sendto(b"\x80data", (bridge.host, bridge.port))
            assert await received(receiver) == b"\x80data"
    for bridge in (hard, easy, easy):
        bridge.close()
    assert [bridge.alive for bridge in (hard, easy)] == [False, False]
    gc.collect()  # sockets that were left open would warn, which is an error here


@pytest.mark.usefixtures("no_refusal")
async def test_with_another_key_nobody_is_met(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PUNCH_EASY_SECONDS", 0.4)
    monkeypatch.setattr(limits, "PUNCH_HARD_SECONDS", 0.4)
    guesser = UdpPortGuesser()
    async with pretended_server() as server:
        hard, easy = await described_pair(guesser, server)
    assert hard.start(easy.note, KEY)
    assert easy.start(hard.note, bytes([1] * 32))
    for bridge in (hard, easy):
        with pytest.raises(LinkError, match="guessing ports") as caught:
            await bridge.opened()
        assert caught.value.code == "punch-failed"


@pytest.mark.usefixtures("no_refusal")
async def test_an_unused_bridge_ends_and_one_in_use_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PUNCH_KEEP_SECONDS", 0.02)
    monkeypatch.setattr(limits, "PUNCH_IDLE_SECONDS", 0.3)
    guesser = UdpPortGuesser()
    async with pretended_server() as server:
        hard, easy = await described_pair(guesser, server)
    with plain_socket() as hard_agent:
        assert hard.start(easy.note, KEY)
        assert easy.start(hard.note, KEY)
        await asyncio.gather(hard.opened(), easy.opened())
        begun = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() < begun + 0.6:
            hard_agent.sendto(check(UFRAG), (hard.host, hard.port))
            assert hard.alive or not easy.alive
            await asyncio.sleep(0.02)
        assert not easy.alive, "its own agent never said a word"
        monkeypatch.setattr(limits, "PUNCH_IDLE_SECONDS", 0.1)
        async with asyncio.timeout(5):
            while hard.alive:  # noqa: ASYNC110 - the end of a bridge tells nobody
                await asyncio.sleep(0.02)
    await guesser.close()


async def test_a_port_that_waits_is_kept_open_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PUNCH_REFRESH_SECONDS", 0.05)
    monkeypatch.setattr(limits, "PUNCH_PREPARED_SECONDS", 0.3)
    guesser = UdpPortGuesser()
    async with pretended_server() as server:
        bridge = await prepared(guesser, server)
        with pytest.raises(LinkError):
            await bridge.opened()
        assert 4 <= len(server.asked) <= 9
    assert bridge.add_to(DESCRIPTION) == DESCRIPTION
    assert not bridge.start(NatNote(Role.HARD, "192.0.2.9"), KEY)


async def test_a_description_without_ice_is_refused() -> None:
    guesser = UdpPortGuesser()
    async with pretended_server() as server:
        bridge = await prepared(guesser, server)
        with pytest.raises(LinkError) as caught:
            bridge.add_to("v=0\r\n")
    assert caught.value.code == "bad-sdp"
    await guesser.close()
