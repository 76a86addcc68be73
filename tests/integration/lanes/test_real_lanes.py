"""Two real nodes on this machine with real lanes: TLS over TCP, and further WebRTC connections."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.direct.node_program import direct
from tests.integration.lanes.nodes import SECONDS, bundle, carry, carry_until_lane, pair

import p4
from p4.core import limits
from p4.core.ice import IceSettings, TurnServer
from p4.core.policy import Policy
from p4.core.session.lanes import LaneKind
from p4.node.lanes.transport import lane_terms

SIZE = 60_000_000


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lanes come quickly, and on a short path too: this machine has no other."""
    for name, value in {
        "LANE_BACKLOG_SECONDS": 0.1,
        "LANE_SETTLE_SECONDS": 0.1,
        "LANE_MEASURE_SECONDS": 0.1,
        "LANE_ROUND_TRIP_SECONDS": 0.0,
        "LANE_GAIN": 0.0,
    }.items():
        monkeypatch.setattr(limits, name, value)


async def test_bulk_goes_over_tls_where_the_contact_is_reached_by_tcp(tmp_path: Path) -> None:
    async with pair(tmp_path, peer_lanes=False) as (one, two):
        await carry_until_lane(one, two, LaneKind.STREAM, SIZE // 2)
        lanes = bundle(one, "two")
        before = lanes.confirmed
        await carry(one, two, SIZE)
        assert lanes.open_lanes(LaneKind.STREAM) == bundle(two, "one").open_lanes(LaneKind.STREAM) == 1
        assert lanes.confirmed - before > SIZE // 2
        await carry(two, one, SIZE)
        assert bundle(two, "one").confirmed > SIZE // 2, "the same lane serves the other direction"
        assert lanes.open_lanes(LaneKind.STREAM) == 1


async def test_a_pair_on_one_network_gets_a_tls_lane_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # with the numbers of every day
    async with pair(tmp_path) as (one, two):
        await carry_until_lane(one, two, LaneKind.STREAM, SIZE)
        assert bundle(one, "two").open_lanes(LaneKind.STREAM) == 1
        assert bundle(one, "two").open_lanes(LaneKind.PEER) == 0, "the path is not what limits"


async def test_who_hides_its_addresses_or_wants_none_has_no_tls_lane(tmp_path: Path) -> None:
    relay = IceSettings(turn=(TurnServer("turn:192.0.2.1:3478", "user", "secret"),))
    for ice, wanted, policy, has, local_only in (
        (relay, True, Policy.DIRECT, True, False),
        (relay, True, Policy.LAN_ONLY, True, True),
        (relay, True, Policy.RELAY_ONLY, False, False),
        (replace(relay, relay_only=True), True, Policy.DIRECT, False, False),
        (relay, False, Policy.DIRECT, False, False),
    ):
        async with p4.Node(tmp_path, replace(direct("wrtc"), ice=ice, stream_lanes=wanted)) as one:
            assert one._context is not None
            terms = lane_terms(one._context, policy)
            assert (terms.streams is not None) is has
            assert terms.local_only is local_only


async def test_a_tls_lane_that_breaks_under_load_loses_nothing_and_ends_with_its_link(tmp_path: Path) -> None:
    async with pair(tmp_path, peer_lanes=False) as (one, two):
        broken = []

        def break_lanes() -> None:
            for lane in bundle(one, "two").open_sessions:
                assert lane.carrier is not None
                lane.carrier.close()  # the other end sees that it is over, this one only that it is silent
                broken.append(lane)

        def drop_link() -> None:
            one.peer("two").drop()

        await carry(one, two, SIZE, at={20_000_000: break_lanes, 40_000_000: drop_link})
        assert broken


@pytest.mark.parametrize("backend", ["wrtc", "aiortc"])
async def test_further_webrtc_connections_carry_too(
    tmp_path: Path, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LANE_AMPLE_RATE", 1e12)
    async with pair(tmp_path, backend, stream_lanes=False) as (one, two):
        size = SIZE if backend == "wrtc" else SIZE // 6
        await carry_until_lane(one, two, LaneKind.PEER, size)
        async with asyncio.timeout(SECONDS):  # how much goes which way is a matter of their speeds
            while not bundle(one, "two").confirmed:
                await carry(one, two, size)
        lanes = bundle(one, "two")
        assert lanes.open_lanes(LaneKind.STREAM) == 0
