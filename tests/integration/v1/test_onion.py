"""Our node with a version 1 peer, each behind its own onion service, over a private Tor network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.integration.v1.meeting import (
    ROLES,
    Witness,
    assert_pure_v1,
    connected,
    identities,
    write_v1_state,
)
from tests.v1.dialling import dial_by_socks
from tests.v1.identities import Json
from tests.v1.peer import V1Peer
from tests.v1.tor import V1Tor

import p4
from p4.testing import PrivateTorNetwork

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

OPEN_SECONDS = 90.0
"""Until a link is open. Generous: v1 polls, and a descriptor that came too late costs its Tor a minute."""


def onion(network: PrivateTorNetwork) -> p4.NodeOptions:
    return p4.NodeOptions(
        ice=p4.IceSettings(stun=()), torrc_lines=network.client_torrc_lines, retry_seconds=3.0
    )


@asynccontextmanager
async def v1_behind_tor(
    directory: Path, identity: Json, network: PrivateTorNetwork
) -> AsyncIterator[tuple[V1Peer, Json]]:
    """A v1 peer with its Tor, and its invite."""
    async with V1Tor(directory, network.client_torrc_lines) as tor:
        dial = dial_by_socks(tor.socks)
        async with V1Peer(identity, listen=tor.target, dial=dial, retry_seconds=1.0) as v1:
            yield v1, v1.invite(tor.address, 80, "onion")
            assert_pure_v1(v1)


@pytest.mark.parametrize("role", ROLES)
async def test_chat_and_a_new_link_after_each_sides_drop(
    tmp_path: Path, tor_network: PrivateTorNetwork, role: str
) -> None:
    ours, theirs = identities(role)
    state = write_v1_state(tmp_path / "ours", ours)
    async with (
        v1_behind_tor(tmp_path / "v1tor", theirs, tor_network) as (v1, invite),
        Witness(state, onion(tor_network)) as us,
    ):
        v1.add_contact(us.invite())
        peer = us.knows(invite)
        await connected(us, v1, timeout=OPEN_SECONDS)
        assert peer.protocol == 1
        await peer.send("from us")
        await v1.heard("> from us")
        v1.send(us.node.peer_id, "from v1")
        assert await us.heard() == ["from v1"]
        peer.drop()
        await connected(us, v1, 2, timeout=OPEN_SECONDS)
        v1.drop(us.node.peer_id)
        await connected(us, v1, 3, timeout=OPEN_SECONDS)
        await peer.send("still there")
        await v1.heard("> still there")


async def test_it_dies_with_its_tor_and_comes_back_at_the_same_address(
    tmp_path: Path, tor_network: PrivateTorNetwork
) -> None:
    ours, theirs = identities("we dial")
    async with Witness(write_v1_state(tmp_path / "ours", ours), onion(tor_network)) as us:
        async with v1_behind_tor(tmp_path / "v1tor", theirs, tor_network) as (v1, invite):
            v1.add_contact(us.invite())
            peer = us.knows(invite)
            await connected(us, v1, timeout=OPEN_SECONDS)
        await us.saw(p4.LinkDown, timeout=180)
        receipt = await peer.send("queued for its return")
        async with v1_behind_tor(tmp_path / "v1tor", theirs, tor_network) as (v1, same_invite):
            assert same_invite == invite
            v1.add_contact(us.invite())
            await v1.heard("> queued for its return", timeout=120)
            await asyncio.wait_for(receipt.delivered(), 90)
