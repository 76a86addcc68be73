"""Onion rendezvous over a private Tor network: publish, dial, die, come back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.tor.onion_node import OnionNode
from tests.patience import patience

from p4.adapters.tor import watchdog
from p4.adapters.tor.binary import find_program
from p4.adapters.tor.control import ControlConnection
from p4.adapters.tor.onion import OnionService
from p4.core.address import RendezvousAddress, Transport
from p4.errors import RendezvousError
from p4.ports import RendezvousPhase
from p4.testing.tor_network import PrivateTorNetwork

pytestmark = pytest.mark.slow

NOBODY = RendezvousAddress(
    Transport.ONION, "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion", 80
)
"""A valid address that nobody has published in a network made a moment ago."""


@pytest.fixture
async def pair(tor_network: PrivateTorNetwork, tmp_path: Path) -> AsyncIterator[tuple[OnionNode, OnionNode]]:
    """Two nodes that are starting; both can dial."""
    lines = tor_network.client_torrc_lines
    async with OnionNode(tmp_path / "a", lines) as one, OnionNode(tmp_path / "b", lines) as other:
        yield one, other


Pair = tuple[OnionNode, OnionNode]


async def ask_until_answered(
    node: OnionNode, address: RendezvousAddress, text: bytes, *, seconds: float
) -> bytes | None:
    """Dial as the node does: fresh after each failure."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                return await node.ask(address, text, timeout=20, fresh=True)
            except RendezvousError:
                await asyncio.sleep(0.3)


async def test_two_nodes_publish_find_each_other_and_notice_an_end(pair: Pair) -> None:
    one, other = pair
    assert one.rendezvous.status.phase is RendezvousPhase.STARTING
    await asyncio.gather(*(node.reach(RendezvousPhase.READY) for node in pair))
    phases = [status.phase for status in one.statuses]
    assert phases.index(RendezvousPhase.PUBLISHING) < phases.index(RendezvousPhase.READY)
    assert await other.ask(one.address, b"there") == b"echo there"
    assert await one.ask(other.address, b"and back") == b"echo and back"
    warm = await other.rendezvous.dial(one.address, timeout=10)
    await warm.send_line(b"one")
    assert await warm.receive_line() == b"echo one"
    one.tor().kill()
    # Mostly within 2 s, but the relays take their time on a busy machine; the link's heartbeat is quick.
    assert await asyncio.wait_for(warm.receive_line(), 180) is None
    warm.close()

    # Its Tor comes back by itself. The other one has the old descriptor and does not know when to dial.
    assert await ask_until_answered(other, one.address, b"again", seconds=90) == b"echo again"
    assert RendezvousPhase.FAILED in [status.phase for status in one.statuses]


async def test_who_restarts_reaches_the_others_at_once(
    tor_network: PrivateTorNetwork, tmp_path: Path
) -> None:
    """It waits neither for its bootstrap nor for its own address: 0.4 s is usual, 5 s the bound."""
    lines = tor_network.client_torrc_lines
    async with OnionNode(tmp_path / "a", lines) as stays:
        await stays.reach(RendezvousPhase.READY)
        async with OnionNode(tmp_path / "b", lines) as first:
            assert await first.ask(stays.address, b"first") == b"echo first"
        begun = time.monotonic()
        async with OnionNode(tmp_path / "b", lines, key=first.key) as again:
            assert await again.ask(stays.address, b"again") == b"echo again"
            assert RendezvousPhase.READY not in [status.phase for status in again.statuses]
            print(f"restart to answer: {time.monotonic() - begun:.2f} s")
            assert time.monotonic() - begun < patience(5)


async def test_over_tcp_alone(tor_network: PrivateTorNetwork, tmp_path: Path) -> None:
    lines = tor_network.client_torrc_lines
    async with (
        OnionNode(tmp_path / "a", lines, unix_sockets=False) as one,
        OnionNode(tmp_path / "b", lines, unix_sockets=False) as other,
    ):
        assert isinstance(one.rendezvous._tor and one.rendezvous._tor.socks, int)
        await one.reach(RendezvousPhase.READY)
        assert await other.ask(one.address, b"there") == b"echo there"


async def test_dials_that_cannot_succeed_say_why(pair: Pair) -> None:
    one, other = pair
    await one.reach(RendezvousPhase.PUBLISHING)
    with pytest.raises(RendezvousError) as caught:
        await one.rendezvous.dial(NOBODY, timeout=15)
    assert caught.value.code == "no-descriptor"
    assert "not published" in caught.value.message
    await other.reach(RendezvousPhase.READY)
    wrong_port = RendezvousAddress(Transport.ONION, other.address.host, 81)
    with pytest.raises(RendezvousError):
        await one.rendezvous.dial(wrong_port, timeout=15)
    with pytest.raises(RendezvousError) as caught:
        await one.rendezvous.dial(other.address, timeout=0.001)
    assert caught.value.code == "timeout"


async def test_an_address_that_was_dialled_too_early_is_found_once_it_is_published(
    tor_network: PrivateTorNetwork, tmp_path: Path
) -> None:
    """Tor must not remember for a quarter of an hour that a directory had no descriptor."""
    lines = tor_network.client_torrc_lines
    async with OnionNode(tmp_path / "a", ("DisableNetwork 1",)) as offline:
        key, address = offline.key, offline.address
    async with OnionNode(tmp_path / "b", lines) as early:
        await early.reach(RendezvousPhase.PUBLISHING)
        for fresh in (False, False, True, True):
            with pytest.raises(RendezvousError) as caught:
                await early.rendezvous.dial(address, timeout=15, fresh=fresh)
            assert caught.value.code == "no-descriptor"
        async with OnionNode(tmp_path / "a", lines, key=key) as late:
            await late.reach(RendezvousPhase.READY)
            assert await ask_until_answered(early, address, b"now", seconds=60) == b"echo now"


async def test_a_cancelled_dial_harms_nothing(pair: Pair) -> None:
    one, other = pair
    await one.checked(since=0.0)  # that was a dial of its own
    await other.reach(RendezvousPhase.READY)
    for delay in (0.0, 0.01, 0.05, 0.1):
        for fresh in (False, True):
            dialling = asyncio.create_task(one.rendezvous.dial(other.address, timeout=10, fresh=fresh))
            await asyncio.sleep(delay)
            dialling.cancel()
            await asyncio.wait([dialling])
            if not dialling.cancelled():
                dialling.result().close()
    assert one.rendezvous._dialler is not None
    assert not one.rendezvous._dialler._fetches._waiting
    assert await one.ask(other.address, b"still") == b"echo still"


async def test_our_own_call_proves_that_others_can_reach_us_and_nobody_hears_of_it(pair: Pair) -> None:
    one, other = pair
    await one.checked(since=0.0)
    assert one.rendezvous.status.phase is RendezvousPhase.READY
    assert one.accepted == 0
    assert await other.ask(one.address, b"in") == b"echo in"


async def test_a_service_that_tor_lost_is_published_again(pair: Pair) -> None:
    one, other = pair
    await one.checked(since=0.0)
    tor = one.tor()
    assert one.rendezvous._tor is not None
    await one.rendezvous._tor.control.command("DEL_ONION", one.address.host.removesuffix(".onion"))
    begun = asyncio.get_running_loop().time()
    one.rendezvous._watchdog.poke()
    await one.reach(RendezvousPhase.PUBLISHING)
    await one.checked(since=begun)
    assert any("did not answer our own call" in status.text for status in one.statuses)
    assert one.rendezvous.status.phase is RendezvousPhase.READY
    assert await ask_until_answered(other, one.address, b"again", seconds=90) == b"echo again"
    assert one.tor().pid == tor.pid


async def test_a_tor_that_stays_unreachable_is_started_again(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = pair
    await one.checked(since=0.0)
    tor = one.tor()
    honest = OnionService.republish

    async def in_vain(self: OnionService, control: ControlConnection) -> None:
        """Tor says that it did, and does nothing."""
        if one.tor().pid != tor.pid:
            await honest(self, control)

    monkeypatch.setattr(OnionService, "republish", in_vain)
    assert one.rendezvous._tor is not None
    await one.rendezvous._tor.control.command("DEL_ONION", one.address.host.removesuffix(".onion"))
    monkeypatch.setattr(watchdog, "_PUBLISH_SECONDS", 2.0)
    begun = asyncio.get_running_loop().time()
    one.rendezvous._watchdog.poke()
    await one.checked(since=begun, seconds=90)
    assert one.tor().pid != tor.pid
    assert any("could not be called" in status.text for status in one.statuses)
    assert await ask_until_answered(other, one.address, b"again", seconds=90) == b"echo again"


async def test_after_a_change_of_network_the_same_address_answers_again(pair: Pair) -> None:
    one, other = pair
    await one.checked(since=0.0)
    assert await ask_until_answered(one, other.address, b"first", seconds=90) == b"echo first"
    # Our own end of it: how soon the other one notices is a matter of the relays.
    stream = await one.rendezvous.dial(other.address, timeout=20)
    tor = one.tor()
    begun = asyncio.get_running_loop().time()
    for _ in range(5):  # as many events as a real change has
        await one.rendezvous.network_changed()
    assert await asyncio.wait_for(stream.receive_line(), 180) is None
    stream.close()
    assert await ask_until_answered(one, other.address, b"out", seconds=90) == b"echo out"
    assert await ask_until_answered(other, one.address, b"in", seconds=90) == b"echo in"
    await one.checked(since=begun)
    assert one.tor().pid == tor.pid


async def test_without_an_address_tor_tries_nothing_until_there_is_one(pair: Pair) -> None:
    """It would try its guards in vain, and then take a minute to try them again."""
    one, other = pair
    assert await ask_until_answered(one, other.address, b"first", seconds=90) == b"echo first"
    stream = await one.rendezvous.dial(other.address, timeout=20)
    await one.rendezvous.network_changed(connected=False)
    assert await asyncio.wait_for(stream.receive_line(), 180) is None
    stream.close()
    assert one.rendezvous._tor is not None
    setting = await one.rendezvous._tor.control.command("GETCONF", "DisableNetwork")
    assert setting.value("DisableNetwork") == "1"
    with pytest.raises(RendezvousError):
        await one.rendezvous.dial(other.address, timeout=2)
    await one.rendezvous.network_changed()
    assert await ask_until_answered(one, other.address, b"out", seconds=90) == b"echo out"


async def test_no_network_is_told_as_the_reason(tmp_path: Path) -> None:
    """A Tor whose only authority refuses connections: what a firewall looks like."""
    port = 1
    lines = (
        f"DirAuthority gone orport={port} no-v2 v3ident={'A' * 40} 127.0.0.1:{port} {'B' * 40}",
        "UseDefaultFallbackDirs 0",
        "ExtendAllowPrivateAddresses 1",
        "ClientBootstrapConsensusAuthorityOnlyDownloadInitialDelay 0",
        "ClientBootstrapConsensusAuthorityDownloadInitialDelay 0",
    )
    find_program("tor")
    async with OnionNode(tmp_path, lines) as node:
        with pytest.raises(RendezvousError) as caught:
            await node.rendezvous.dial(NOBODY, timeout=1)
        assert caught.value.code == "timeout"
        assert "Tor is not ready" in caught.value.message


async def test_networks_side_by_side_and_nothing_left(tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    network = PrivateTorNetwork(tmp_path / "network", progress=lambda text, part: told.append((text, part)))
    async with network:
        processes = [relay.process for relay in network._relays]
        assert network.usage().processes == 4
    assert all(process is not None and process.returncode is not None for process in processes)
    parts = [part for text, part in told]
    assert parts[-1] == 1.0
    if not any("attempt" in text for text, part in told):
        assert parts == sorted(parts)


async def test_a_cancelled_network_leaves_nothing(tmp_path: Path) -> None:
    network = PrivateTorNetwork(tmp_path / "network")
    starting = asyncio.create_task(network.start())
    async with asyncio.timeout(60):
        while not any(relay.process for relay in network._relays):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    processes = [relay.process for relay in network._relays if relay.process is not None]
    starting.cancel()
    await asyncio.wait([starting])
    assert starting.cancelled()
    assert all(process.returncode is not None for process in processes)
