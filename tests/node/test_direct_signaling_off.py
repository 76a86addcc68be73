"""What `NodeOptions.direct_signaling` and `lan` switch off."""

from __future__ import annotations

from pathlib import Path

import pytest

import p4
from p4.core.address import RendezvousAddress, Transport
from p4.core.identity import Identity
from p4.core.policy import Policy
from p4.core.reach import Reach
from p4.node.whereabouts import Whereabouts
from p4.ports import SignalStream

NEARBY = RendezvousAddress(Transport.DIRECT, "192.168.1.8", 50_000)
ANNOUNCED = RendezvousAddress(Transport.DIRECT, "8.8.8.8", 50_001)


async def _refuse(stream: SignalStream) -> None:
    stream.close()


@pytest.mark.parametrize("lan", [True, False])
@pytest.mark.parametrize("direct_signaling", [True, False])
async def test_contacts_are_told_addresses_only_if_they_may_use_them(
    tmp_path: Path, lan: bool, direct_signaling: bool
) -> None:
    node = p4.Node(tmp_path, p4.NodeOptions(lan=lan, direct_signaling=direct_signaling))
    identity = Identity(b"i" * 32)
    presence = node._presence(identity, node._router(identity))
    await presence.start(_refuse, changed=lambda change: None, announce=lambda: None)
    try:
        assert (presence.port > 0) == (lan or direct_signaling)
        assert presence.discoverable == lan
        # A machine without a network has no address to tell.
        assert bool(presence.reach(Policy.DIRECT).endpoints) == (
            direct_signaling and bool(presence.addresses)
        )
        assert presence.reach(Policy.RELAY_ONLY) == Reach()
    finally:
        await presence.close()


def test_the_addresses_that_a_contact_announced_are_left_alone() -> None:
    async def save(text: str) -> None:
        raise AssertionError("it announced nothing new")

    whereabouts = Whereabouts('{"at":["8.8.8.8:50001"]}', save)
    whereabouts.seen_nearby((NEARBY,))
    assert whereabouts.endpoints(Policy.DIRECT) == (NEARBY, ANNOUNCED)
    assert whereabouts.endpoints(Policy.DIRECT, announced=False) == (NEARBY,)
    assert whereabouts.endpoints(Policy.LAN_ONLY) == (NEARBY,)
    assert whereabouts.endpoints(Policy.RELAY_ONLY) == ()
