"""Whole nodes over a private Tor network: contacts become gated by themselves, and stay reachable."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
from tests.integration.tor.onion_node import OnionNode

import p4
from p4.adapters.tor.rendezvous import TorRendezvous
from p4.core import limits
from p4.errors import RendezvousError
from p4.node.gate import GateKeeper
from p4.node.options import NodeOptions
from p4.testing.tor_network import PrivateTorNetwork

pytestmark = pytest.mark.slow

SHUT = {"authorization-missing", "authorization-wrong", "no-descriptor"}


def node_at(directory: Path, network: PrivateTorNetwork) -> p4.Node:
    """A node that only Tor leads to."""
    return p4.Node(
        directory,
        NodeOptions(
            torrc_lines=network.client_torrc_lines,
            direct_signaling=False,
            lan=False,
            port_guessing=False,
            stream_lanes=False,
        ),
    )


def keeper(node: p4.Node) -> GateKeeper:
    assert node._context is not None
    return node._context.gate


def tor_of(node: p4.Node) -> TorRendezvous:
    rendezvous = node._running.rendezvous[0]
    assert isinstance(rendezvous, TorRendezvous)
    return rendezvous


async def until(condition: Callable[[], bool], *, seconds: float = 150.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is looked at tells nobody
            await asyncio.sleep(0.02)


def gated(one: p4.Node, other: p4.Node) -> bool:
    """Whether both sides know that both can pass."""
    return all(
        keeper(a).record(b.peer_id).passable and not keeper(a).record(b.peer_id).needs_open(_host(a))
        for a, b in ((one, other), (other, one))
    )


def only_gated(node: p4.Node) -> bool:
    """Whether nothing but the gate is published."""
    return tor_of(node).standing.addresses == [keeper(node).address]


def _host(node: p4.Node) -> str:
    address = keeper(node).address
    assert address is not None
    return address.host


@pytest.fixture
async def held() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def test_contacts_of_an_invite_become_gated_and_find_each_other_only_there(
    tor_network: PrivateTorNetwork, tmp_path: Path, held: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "GATE_OPEN_SECONDS", 1.0)
    ann = await held.enter_async_context(node_at(tmp_path / "ann", tor_network))
    bob = node_at(tmp_path / "bob", tor_network)
    await bob.start()
    try:
        stranger = await held.enter_async_context(OnionNode(tmp_path / "s", tor_network.client_torrc_lines))
        ann.add_contact(bob.invite(), "bob")
        bob.add_contact(ann.invite(), "ann")
        await asyncio.wait_for(ann.peer("bob").wait_connected(), 180)
        await until(lambda: gated(ann, bob))
        for node in (ann, bob):  # nobody needs the open address any more
            await until(partial(only_gated, node))
        gate = keeper(ann).address
        assert gate is not None
        with pytest.raises(RendezvousError) as caught:
            await stranger.rendezvous.dial(gate, timeout=20)
        assert caught.value.code in SHUT
        with pytest.raises(RendezvousError):  # what was published of it leads nowhere any more
            await stranger.rendezvous.dial(ann.invite().rendezvous, timeout=6)
    finally:
        await bob.close()

    # From what is on disk: the link is negotiated through the gate alone.
    begun = time.monotonic()
    again = await held.enter_async_context(node_at(tmp_path / "bob", tor_network))
    await asyncio.wait_for(again.peer("ann").wait_connected(), 180)
    print(f"restarted, to the link through the gate: {time.monotonic() - begun:.2f} s")
    assert only_gated(again)
    tor_of(ann)._tor.control.close()  # type: ignore[union-attr] # its Tor ends, and is started again
    ann.peer("bob").drop()
    await until(lambda: not ann.peer("bob").connected)
    begun = time.monotonic()
    await asyncio.wait_for(ann.peer("bob").wait_connected(), 180)
    print(f"Tor killed and link dropped, to the next link: {time.monotonic() - begun:.2f} s")

    # Whoever was removed is shut out, and the address that nobody uses any more is closed at once.
    record = keeper(again).record(ann.peer_id)
    await ann.remove_contact("bob")
    await until(lambda: not keeper(ann)._admitted())
    assert record.address is not None
    stranger.gate.take_key(record.address, record.own_key)
    async with asyncio.timeout(90):
        while True:
            try:
                (await stranger.rendezvous.dial(record.address, timeout=10, fresh=True)).close()
            except RendezvousError as error:
                if error.code in SHUT:
                    break
            await asyncio.sleep(0.1)


async def test_blocking_shuts_the_gate_and_unblocking_opens_it(
    tor_network: PrivateTorNetwork, tmp_path: Path, held: AsyncExitStack
) -> None:
    ann = await held.enter_async_context(node_at(tmp_path / "ann", tor_network))
    bob = await held.enter_async_context(node_at(tmp_path / "bob", tor_network))
    ann.add_contact(bob.invite(), "bob")
    bob.add_contact(ann.invite(), "ann")
    await until(lambda: gated(ann, bob))
    key = keeper(ann).record(bob.peer_id).admitted_key
    await ann.lifecycle.block("bob")
    await until(lambda: tor_of(ann).standing._published == frozenset())
    await ann.lifecycle.unblock("bob")
    await until(lambda: tor_of(ann).standing._published == frozenset({key}))
    await asyncio.wait_for(bob.peer("ann").wait_connected(), 180)
