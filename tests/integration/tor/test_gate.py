"""The gated onion service over a private Tor network: who gets in, who does not, and what changes cost."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.tor.onion_node import OnionNode

from p4.core.gate import gate_public_key
from p4.errors import RendezvousError
from p4.ports import RendezvousPhase
from p4.testing.tor_network import PrivateTorNetwork

pytestmark = pytest.mark.slow

SEED = hashlib.sha256(b"a gate").digest()
ANN, BOB = (hashlib.sha256(name).digest() for name in (b"ann", b"bob"))
ANN_PUBLIC, BOB_PUBLIC = gate_public_key(ANN), gate_public_key(BOB)
SHUT = {"authorization-missing", "authorization-wrong"}

Three = tuple[OnionNode, OnionNode, OnionNode]


@pytest.fixture
async def three(tor_network: PrivateTorNetwork, tmp_path: Path) -> AsyncIterator[Three]:
    """A node with a gate, and two others."""
    lines = tor_network.client_torrc_lines
    async with (
        OnionNode(tmp_path / "gate", lines, gate_seed=SEED) as home,
        OnionNode(tmp_path / "ann", lines) as ann,
        OnionNode(tmp_path / "bob", lines) as bob,
    ):
        yield home, ann, bob


async def call(node: OnionNode, home: OnionNode, *, fresh: bool = True) -> str:
    """The echo of the gate, or the code of what kept us out."""
    try:
        return str(await node.ask(home.gate.gated_address, b"in", timeout=20, fresh=fresh))
    except RendezvousError as error:
        return error.code


async def until(node: OnionNode, home: OnionNode, wanted: set[str], *, seconds: float = 150.0) -> float:
    """Call until the outcome is one of these; gives how long that took."""
    begun = time.monotonic()
    async with asyncio.timeout(seconds):
        while (outcome := await call(node, home)) not in wanted:
            print(f"  not yet: {outcome}")
            await asyncio.sleep(0.1)
    return time.monotonic() - begun


IN = {"b'echo in'"}


async def test_only_who_is_admitted_finds_the_entrance(three: Three) -> None:
    home, ann, bob = three
    assert home.rendezvous.status.phase is not RendezvousPhase.READY
    await home.gate.admit([ANN_PUBLIC], open_too=False)
    await home.checked(since=0.0)  # our own call passes the gate as contacts' do
    address = home.gate.gated_address
    ann.gate.take_key(address, ANN)
    assert await call(ann, home, fresh=False) in IN
    assert home.accepted == 1

    # A stranger has the address and no key, or another key: Tor cannot read where the entrances are.
    assert await call(bob, home) == "authorization-missing"
    bob.gate.take_key(address, BOB)
    assert await call(bob, home) == "authorization-wrong"
    # The open address, which exists and is known, is not published.
    with pytest.raises(RendezvousError) as caught:
        await ann.ask(home.address, b"open", timeout=10)
    assert caught.value.code == "no-descriptor"
    assert home.accepted == 1


async def test_admitting_one_more_disturbs_nobody_and_removing_one_shuts_him_out(three: Three) -> None:
    home, ann, bob = three
    await home.gate.admit([ANN_PUBLIC], open_too=False)
    address = home.gate.gated_address
    ann.gate.take_key(address, ANN)
    bob.gate.take_key(address, BOB)
    await home.reach(RendezvousPhase.READY)
    await until(ann, home, IN)
    warm = await ann.rendezvous.dial(address, timeout=20)

    begun = time.monotonic()
    await home.gate.admit([ANN_PUBLIC, BOB_PUBLIC], open_too=False)
    calls = [await call(ann, home, fresh=False) for _ in range(3)]  # with what it remembers
    assert set(calls) == IN
    await until(bob, home, IN)
    print(
        f"admitted: in {time.monotonic() - begun:.2f} s after the change, with three other calls in between"
    )
    await warm.send_line(b"warm")
    assert await warm.receive_line() == b"echo warm"

    await home.gate.admit([ANN_PUBLIC], open_too=False)
    took, others = await asyncio.gather(until(bob, home, SHUT), until(ann, home, IN))
    print(f"removed: kept out after {took:.2f} s, others in after {others:.2f} s")
    # Also with the entrances that he remembered: a call of his never comes through again.
    assert await call(bob, home, fresh=False) not in IN
    before = home.accepted
    for fresh in (False, True):
        assert await call(bob, home, fresh=fresh) not in IN
    assert home.accepted == before
    warm.close()


async def test_the_gate_is_the_same_after_tor_and_the_node_have_restarted(
    three: Three, tor_network: PrivateTorNetwork
) -> None:
    home, ann, _ = three
    await home.gate.admit([ANN_PUBLIC], open_too=True)
    ann.gate.take_key(home.gate.gated_address, ANN)
    await home.reach(RendezvousPhase.READY)
    assert await ann.ask(home.address, b"open", timeout=20) == b"echo open"
    await until(ann, home, IN)
    address = home.gate.gated_address

    home.tor().kill()
    await home.failed()
    print(f"Tor of the gate killed: in again after {await until(ann, home, IN):.2f} s")
    ann.tor().kill()
    await ann.failed()
    await until(ann, home, IN)

    await home.rendezvous.close()
    lines = tor_network.client_torrc_lines
    async with OnionNode(home.directory, lines, key=home.key, gate_seed=SEED) as again:
        await again.gate.admit([ANN_PUBLIC], open_too=False)
        assert again.gate.gated_address == address
        assert again.address == home.address
        await until(ann, again, IN)
        mode = {path.stat().st_mode & 0o077 for path in (home.directory / "gate").rglob("*")}
        assert mode == {0}


async def test_services_of_the_users_own_torrc_lines_stay(
    tor_network: PrivateTorNetwork, tmp_path: Path
) -> None:
    own = tmp_path / "a service of the user"
    lines = (*tor_network.client_torrc_lines, f'HiddenServiceDir "{own}"', "HiddenServicePort 80 127.0.0.1:9")
    async with OnionNode(tmp_path / "gate", lines, gate_seed=SEED) as home:
        await home.gate.admit([ANN_PUBLIC], open_too=False)
        await home.gate.admit([], open_too=False)
        await home.reach(RendezvousPhase.READY)
        assert home.rendezvous._tor is not None
        reply = await home.rendezvous._tor.control.command("GETCONF", "HiddenServiceOptions")
        kept = [line.text for line in reply.lines if line.text.startswith("HiddenServiceDir")]
        assert kept == [f"HiddenServiceDir={own}", f"HiddenServiceDir={home.directory / 'gate'}"]
