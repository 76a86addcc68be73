"""Ports that lanes get from the router for a while."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

import pytest

from p4.adapters.net.mapping import LendingPortMapper
from p4.core.session.lane_frames import LaneAddress
from p4.ports.mapping import LocalPort, PortProtocol
from p4.testing import SimulatedPortMapper

HERE = "192.168.7.2"
DOORWAY = LocalPort(PortProtocol.TCP, 4000)
INNER = LaneAddress(ip_address(HERE), 5000)


async def started(host: str | None) -> tuple[SimulatedPortMapper, LendingPortMapper]:
    """A router, and whoever lends its ports, with the doorway mapped."""
    router = SimulatedPortMapper()
    lending = LendingPortMapper(router)
    await lending.start([DOORWAY], lambda mappings: None)
    router.grant(host, local_address=HERE, offset=1000)
    return router, lending


async def test_a_port_is_mapped_beside_the_owners_until_it_is_given_back() -> None:
    router, lending = await started("203.0.113.5")
    assert await lending.lend(INNER) == LaneAddress(ip_address("203.0.113.5"), 6000)
    other = LocalPort(PortProtocol.TCP, 4001)
    lending.want([other])
    assert router.wanted == {other, LocalPort(PortProtocol.TCP, 5000)}
    lending.give_back(INNER)
    assert router.wanted == {other}


async def test_where_no_router_maps_ports_nobody_waits_for_one() -> None:
    router = SimulatedPortMapper()
    lending = LendingPortMapper(router)
    await lending.start([DOORWAY], lambda mappings: None)
    async with asyncio.timeout(0):
        assert await lending.lend(INNER) is None
    assert router.wanted == {DOORWAY}


async def test_who_gives_up_waiting_leaves_nothing_behind() -> None:
    router, lending = await started(None)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await lending.lend(INNER)
    assert router.wanted == {DOORWAY}


async def test_who_waits_hears_of_the_address_as_soon_as_it_is_known() -> None:
    router, lending = await started(None)
    waiting = asyncio.create_task(lending.lend(INNER))
    await asyncio.sleep(0)
    router.grant("203.0.113.5", local_address=HERE, offset=1)
    async with asyncio.timeout(5):
        assert await waiting == LaneAddress(ip_address("203.0.113.5"), 5001)


async def test_a_mapping_of_another_address_of_this_machine_is_not_taken() -> None:
    _, lending = await started("203.0.113.5")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await lending.lend(LaneAddress(ip_address("192.168.7.3"), 5000))
