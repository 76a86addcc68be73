"""Lanes between homes: through a port that the router maps, and over a long path that loses packets."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import replace

import pytest
from tests.integration.nat.line import Conditions
from tests.integration.nat.meeting import Meeting
from tests.integration.nat.node_process import NodeProcess
from tests.integration.nat.port_mapping import run_port_mapping
from tests.integration.nat.rules import NatKind
from tests.integration.nat.world import World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SECONDS = 30.0
MEASURED_SECONDS = 10.0
LONG_PATH = Conditions(delay_ms=12.5, loss=0.005)
"""Of each network in each direction: 50 ms there and back, and one packet of a hundred lost each way."""

PROGRAM = (sys.executable, "-m", "tests.integration.nat.lane_program")


async def rate(world: World, name: str, *, peer_lanes: bool) -> tuple[float, int]:
    """Bytes a second that a stream carries at the end, and the peer lanes that there are then."""
    nodes = []
    for side in ("ann", "bob"):
        network = world.laboratory.network(f"{side}-{name}", NatKind.NONE)
        network.shape(LONG_PATH)
        host = world.laboratory.host(f"{side}{name}", network)
        extra = {"peer_lanes": peer_lanes, "stream_lanes": False}
        settings = replace(world.direct(host), extra=extra)
        nodes.append(NodeProcess(host, world.directory / host.name, settings, program=PROGRAM))
    ann, bob = nodes
    async with Meeting(ann, bob) as meeting:
        await meeting.connected()
        ann.tell(stream=bob.name, seconds=SECONDS)
        await bob.says("over", seconds=SECONDS + 60)
        said = [one for one in bob.said if one["event"] == "bytes"]
    last = said[-1]
    first = next(one for one in said if one["at"] >= last["at"] - MEASURED_SECONDS)
    return (last["position"] - first["position"]) / (last["at"] - first["at"]), last["lanes"]["peer"]


async def test_a_tcp_lane_goes_through_a_port_that_the_router_maps(world: World) -> None:
    nodes = []
    with ExitStack() as routers:
        for side in ("ann", "bob"):
            network = world.laboratory.network(f"{side}-mapped", NatKind.PORT_RESTRICTED)
            routers.enter_context(run_port_mapping(network, world.directory / network.name))
            host = world.laboratory.host(f"{side}mapped", network)
            extra = {"peer_lanes": False, "stream_lanes": True}
            settings = replace(world.direct(host), extra=extra)
            nodes.append(NodeProcess(host, world.directory / host.name, settings, program=PROGRAM))
        ann, bob = nodes
        async with Meeting(ann, bob) as meeting:
            await meeting.connected()
            ann.tell(stream=bob.name, seconds=8.0)
            await bob.says("over", seconds=60)
            lanes = [one["lanes"]["stream"] for one in bob.said if one["event"] == "bytes"]
    assert lanes[-1] == 1, lanes


@pytest.mark.soak
async def test_peer_lanes_bring_several_times_as_much_on_a_lossy_long_path(world: World) -> None:
    alone, none = await rate(world, "alone", peer_lanes=False)
    together, lanes = await rate(world, "together", peer_lanes=True)
    print(f"alone {alone / 1e6:.2f} MB/s, with {lanes} lanes {together / 1e6:.2f} MB/s")
    assert none == 0
    assert lanes >= 3
    assert together >= 5 * alone
