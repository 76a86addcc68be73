"""A mapper beside a fake router: what must happen, as functions that a mutant's test runs too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

from tests.adapters.net.mapping.fake_router import FakeRouter

from p4.adapters.net.mapping import RouterPortMapper
from p4.adapters.net.mapping.router import Gateway, Pace
from p4.adapters.net.mapping.upnp import GatewayDevice
from p4.ports.mapping import LocalPort, Mapping, MappingMethod, PortProtocol

__all__ = ["PACE", "SCENES", "TCP", "UDP", "Scene", "scene"]

TCP = LocalPort(PortProtocol.TCP, 4242)
UDP = LocalPort(PortProtocol.UDP, 4243)
PACE = Pace(first_retry=0.05, again_lost=0.05, again=0.4, check=30.0, upnp_head_start=5.0, renew_floor=0.05)
PATIENCE_SECONDS = 5.0

FindUpnp = Callable[[Gateway], Awaitable[GatewayDevice | None]]


async def no_upnp(gateway: Gateway) -> None:
    return None


class Scene:
    def __init__(self, mapper: RouterPortMapper) -> None:
        self.mapper = mapper
        self.told: list[frozenset[Mapping]] = []

    def observe(self, mappings: frozenset[Mapping]) -> None:
        self.told.append(mappings)

    async def until(self, true: Callable[[], bool]) -> None:
        """Waits for what another task or the router does; looks often, because the router is no observer."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not true():  # noqa: ASYNC110 - see above
                await asyncio.sleep(0.005)

    async def mapped(self, *ports: LocalPort) -> dict[LocalPort, Mapping]:
        await self.until(lambda: self.ports() == set(ports))
        return {LocalPort(one.protocol, one.internal_port): one for one in self.mapper.mappings}

    def ports(self) -> set[LocalPort]:
        return {LocalPort(one.protocol, one.internal_port) for one in self.mapper.mappings}


@asynccontextmanager
async def scene(
    router: FakeRouter,
    ports: Iterable[LocalPort] = (TCP, UDP),
    *,
    pace: Pace = PACE,
    secret: bytes | None = None,
    find_upnp: FindUpnp = no_upnp,
) -> AsyncIterator[Scene]:
    await router.open()

    async def routers() -> list[Gateway]:
        return [Gateway("127.0.0.1", "127.0.0.1")]

    mapper = RouterPortMapper(
        secret=secret, list_routers=routers, find_upnp=find_upnp, port=router.port, pace=pace
    )
    made = Scene(mapper)
    try:
        await mapper.start(ports, made.observe)
        yield made
    finally:
        await mapper.close()
        router.close()


# --- what must happen ---------------------------------------------------------------------------------


async def a_mapping_is_told() -> None:
    router = FakeRouter()
    async with scene(router) as made:
        mapped = await made.mapped(TCP, UDP)
        assert mapped[TCP].external_port == router.mapped["pcp", 6, 4242]
        assert mapped[UDP].external_port == router.mapped["pcp", 17, 4243]
        assert mapped[TCP].external_host == "8.8.4.4"
        assert mapped[TCP].method is MappingMethod.PCP
        assert made.told[-1] == made.mapper.mappings


async def a_forged_answer_is_left_out() -> None:
    async with scene(FakeRouter(forge=True)) as made:
        await made.mapped(TCP, UDP)
        assert all(one.external_port != 6666 for told in made.told for one in told)


async def lost_packets_are_sent_again() -> None:
    router = FakeRouter(lose=4)
    async with scene(router) as made:
        await made.mapped(TCP, UDP)
        router.lose = 1
        made.mapper.want([TCP])
        await made.mapped(TCP)
        await made.until(lambda: ("pcp", 17, 4243) not in router.mapped)


async def it_is_renewed_at_half_its_life_and_nothing_is_told_then() -> None:
    router = FakeRouter(lifetime=1)
    async with scene(router, [TCP]) as made:
        await made.mapped(TCP)
        (first,) = made.mapper.mappings
        await made.until(lambda: router.grants >= 3)
        (later,) = made.mapper.mappings
        assert 0.8 <= later.expires - first.expires < 3.0
        assert len(made.told) == 1


async def after_a_restart_of_the_router_it_is_mapped_again() -> None:
    router = FakeRouter()
    async with scene(router, pace=Pace(first_retry=0.05, check=0.1, renew_floor=0.05)) as made:
        await made.mapped(TCP, UDP)
        router.restart()
        await made.until(lambda: len(router.mapped) == 2)


async def a_private_address_of_the_router_is_not_told() -> None:
    async with scene(FakeRouter(external="100.64.3.4")) as made:
        mapped = await made.mapped(TCP, UDP)
        assert {one.external_host for one in mapped.values()} == {None}


async def a_silent_network_is_left_alone() -> None:
    router = FakeRouter(speaks=set())
    async with scene(router) as made:
        # Both protocols, three times each; then the pause, which no mere wish for a port ends.
        await made.until(lambda: len(router.heard) == 6)
        await asyncio.sleep(0.4)
        made.mapper.want([TCP])
        assert len(router.heard) == 6
        assert made.told == []
        assert "No router" in made.mapper.detail
        await made.until(lambda: len(router.heard) > 6)


async def a_changed_network_is_asked_at_once() -> None:
    router = FakeRouter(speaks=set())
    async with scene(router, pace=Pace(first_retry=0.05)) as made:
        await made.until(lambda: len(router.heard) == 6)
        await asyncio.sleep(0.4)
        router.speaks = {"nat-pmp"}
        made.mapper.network_changed()
        await made.mapped(TCP, UDP)


async def the_end_deletes_the_mappings() -> None:
    router = FakeRouter()
    async with scene(router) as made:
        await made.mapped(TCP, UDP)
        started = asyncio.get_running_loop().time()
        await made.mapper.close()
        assert asyncio.get_running_loop().time() - started < 1.0
        assert router.mapped == {}


async def the_next_process_gets_its_mapping_back() -> None:
    router = FakeRouter(speaks={"pcp"})
    secret = bytes(range(32))
    async with scene(router, [TCP], secret=secret) as made:
        await made.mapped(TCP)
        kept = dict(router.nonces)
    router.nonces = kept  # as if the process had been killed
    async with scene(router, [TCP], secret=secret) as made:
        await made.mapped(TCP)


SCENES = (
    a_mapping_is_told,
    a_forged_answer_is_left_out,
    lost_packets_are_sent_again,
    it_is_renewed_at_half_its_life_and_nothing_is_told_then,
    after_a_restart_of_the_router_it_is_mapped_again,
    a_private_address_of_the_router_is_not_told,
    a_silent_network_is_left_alone,
    a_changed_network_is_asked_at_once,
    the_end_deletes_the_mappings,
    the_next_process_gets_its_mapping_back,
)
