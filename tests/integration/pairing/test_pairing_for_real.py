"""Real nodes pair: over TCP in direct mode, and through a private Tor network. Figures are printed."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from tests.patience import patience

import p4
from p4.adapters.store.state_dir import StateDirectory
from p4.core.address import Transport
from p4.core.ice import IceSettings
from p4.node.options import NodeOptions
from p4.testing.tor_network import PrivateTorNetwork

PAIRED_WITHIN_SECONDS = 10.0
"""From `p4 invite` until both sides are paired, through the private Tor network."""


def direct(**more: object) -> NodeOptions:
    return NodeOptions(
        transport=Transport.DIRECT,
        ice=IceSettings(stun=()),
        lan=False,
        direct_signaling=False,
        **more,  # type: ignore[arg-type]
    )


@asynccontextmanager
async def nodes(where: Path, options: NodeOptions, *names: str) -> AsyncIterator[list[p4.Node]]:
    async with AsyncExitStack() as running:
        yield [await running.enter_async_context(p4.Node(where / name, options)) for name in names]


async def linked(peer: p4.Peer) -> None:
    async with asyncio.timeout(60):
        await peer.wait_connected()


async def reachable(node: p4.Node) -> None:
    events = node.events()
    async with asyncio.timeout(180):
        while node.status.progress < 100:
            await anext(events)


async def test_a_link_in_direct_mode_pairs_connects_and_leaves_no_secret(tmp_path: Path) -> None:
    async with nodes(tmp_path, direct(), "alice", "bob") as (alice, bob):
        alice.rename("Alice’s desk")
        invite = await alice.invites.create()
        kept = tmp_path / "alice" / "invites.json"
        if os.name == "posix":
            assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert invite.text in kept.read_text()
        await asyncio.wait_for(invite.wait_findable(), patience(5))

        peer = await bob.pair(invite.text.upper())
        guest = await invite.wait()

        assert peer.name == "Alice’s desk"
        assert guest.peer_id == bob.peer_id
        assert json.loads(kept.read_text())["invites"] == []
        for name, other in (("alice", bob), ("bob", alice)):
            book = StateDirectory(tmp_path / name).load_contacts()
            assert [contact.peer_id for contact in book.contacts] == [other.peer_id]
        await linked(peer)
        with pytest.raises(p4.P4Error) as refused:
            await bob.pair(invite.text, patience=5)
        assert getattr(refused.value, "code", "") == "used"


async def test_an_invite_and_the_name_survive_a_restart(tmp_path: Path) -> None:
    from p4.testing.free_ports import free_ports

    [port] = free_ports(1)
    options = direct(signal_port=port)
    async with nodes(tmp_path, options, "alice") as [alice]:
        alice.rename("the old desk")
        text = (await alice.invites.create()).text
    async with nodes(tmp_path, options, "alice") as [alice], nodes(tmp_path, direct(), "bob") as [bob]:
        assert (await bob.pair(text)).name == "the old desk"
        assert [peer.peer_id for peer in alice.peers()] == [bob.peer_id]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["link", "words"])
async def test_through_tor_both_sides_are_paired_soon(
    tmp_path: Path, tor_network: PrivateTorNetwork, kind: str
) -> None:
    options = NodeOptions(
        torrc_lines=tuple(tor_network.client_torrc_lines),
        ice=IceSettings(stun=()),
        lan=False,
        direct_signaling=False,
    )
    async with nodes(tmp_path, options, "alice", "bob") as (alice, bob):
        await asyncio.gather(reachable(alice), reachable(bob))
        began = time.monotonic()
        invite = await alice.invites.create(kind=kind)
        peer = await bob.pair(invite.text)
        await invite.wait()
        took = time.monotonic() - began
        await linked(peer)
        print(
            f"{kind}: paired on both sides after {took:.2f} s, linked after {time.monotonic() - began:.2f} s"
        )
        assert took < patience(PAIRED_WITHIN_SECONDS)
        assert peer.peer_id == alice.peer_id
        assert alice.peers()[0].peer_id == bob.peer_id
