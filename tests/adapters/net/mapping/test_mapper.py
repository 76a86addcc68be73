"""The mapper beside a fake router on a real socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from tests.adapters.net.mapping.fake_router import FakeRouter
from tests.adapters.net.mapping.scenes import PACE, SCENES, TCP, UDP, scene

from p4.adapters.net.mapping import RouterPortMapper
from p4.adapters.net.mapping.router import Gateway, Pace
from p4.adapters.net.mapping.upnp import run_in_daemon_thread
from p4.ports.mapping import Mapping, MappingMethod, PortMapper
from p4.testing.simulated_mapper import SimulatedPortMapper


@pytest.mark.parametrize("happens", SCENES, ids=lambda happens: happens.__name__)
async def test_it(happens: Callable[[], Awaitable[None]]) -> None:
    await happens()


@pytest.mark.parametrize("method", list(MappingMethod)[:2])
async def test_a_router_that_speaks_one_protocol_is_asked_in_that_one(method: MappingMethod) -> None:
    router = FakeRouter(speaks={method.value})
    started = time.monotonic()
    async with scene(router) as made:
        mapped = await made.mapped(TCP, UDP)
        assert {one.method for one in mapped.values()} == {method}
        assert {one.external_host for one in mapped.values()} == {"8.8.4.4"}
        print(f"mapped after {(time.monotonic() - started) * 1000:.0f} ms")
    assert router.mapped == {}


async def test_a_router_that_refuses_in_one_protocol_is_asked_in_the_other() -> None:
    class Stubborn(FakeRouter):
        def pcp(self, data: bytes, epoch: int) -> list[bytes]:
            self.refuse = 2
            try:
                return super().pcp(data, epoch)
            finally:
                self.refuse = 0

    async with scene(Stubborn()) as made:
        mapped = await made.mapped(TCP, UDP)
        assert {one.method for one in mapped.values()} == {MappingMethod.NAT_PMP}


async def test_a_refusal_is_reported_and_not_repeated() -> None:
    router = FakeRouter(refuse=4)
    async with scene(router, pace=Pace(first_retry=0.05)) as made:
        await made.until(lambda: "refused" in made.mapper.detail)
        await asyncio.sleep(0.2)
        asked = len(router.heard)
        await asyncio.sleep(0.3)
        assert len(router.heard) == asked
        assert made.told == []


async def test_another_external_address_is_told() -> None:
    router = FakeRouter(speaks={"nat-pmp"})
    async with scene(router, [TCP], pace=Pace(first_retry=0.05, check=0.1, renew_floor=0.05)) as made:
        await made.mapped(TCP)
        router.external = "9.9.9.9"
        await made.until(lambda: {one.external_host for one in made.mapper.mappings} == {"9.9.9.9"})
        assert [{one.external_host for one in told} for told in made.told] == [{"8.8.4.4"}, {"9.9.9.9"}]


async def test_a_router_that_falls_silent_loses_its_mappings_and_gets_them_back() -> None:
    router = FakeRouter()
    async with scene(router, [TCP], pace=Pace(first_retry=0.05, check=0.2, again_lost=0.05)) as made:
        await made.mapped(TCP)
        spoken, router.speaks = router.speaks, set()
        await made.mapped()
        router.speaks = spoken
        await made.mapped(TCP)
        assert [len(told) for told in made.told] == [1, 0, 1]


async def test_a_router_that_counts_nonsense_is_not_asked_without_end() -> None:
    class Confused(FakeRouter):
        def answers(self, data: bytes) -> list[bytes]:
            self.began = time.monotonic() - 10_000 * (1 + len(self.heard) % 2)
            return super().answers(data)

    router = Confused()
    async with scene(router, [TCP], pace=Pace(first_retry=0.05, renew_floor=0.2)) as made:
        await made.mapped(TCP)
        await asyncio.sleep(1.0)
        assert len(router.heard) < 25


async def test_wishes_come_and_go() -> None:
    router = FakeRouter()
    async with scene(router, []) as made:
        await asyncio.sleep(0.1)
        assert router.heard == []  # nobody is asked for nothing
        made.mapper.want([TCP])
        await made.mapped(TCP)
        made.mapper.want([UDP])
        await made.mapped(UDP)
        await made.until(lambda: list(router.mapped) == [("pcp", 17, 4243)])


async def test_routers_come_and_go() -> None:
    router = await FakeRouter().open()
    here: list[Gateway] = []

    async def routers() -> list[Gateway]:
        return here

    async def no_upnp(gateway: Gateway) -> None:
        return None

    mapper = RouterPortMapper(list_routers=routers, find_upnp=no_upnp, port=router.port, pace=PACE)
    told = asyncio.Queue[int]()
    await mapper.start([TCP], lambda mappings: told.put_nowait(len(mappings)))
    assert "no router" in mapper.detail
    here = [Gateway("127.0.0.1", "127.0.0.1")]
    mapper.network_changed()
    assert await asyncio.wait_for(told.get(), 5) == 1
    here = []
    mapper.network_changed()
    assert await asyncio.wait_for(told.get(), 5) == 0
    async with asyncio.timeout(5):
        while router.mapped:  # noqa: ASYNC110 - the router, which is told goodbye, is no observer
            await asyncio.sleep(0.01)
    await mapper.close()
    await mapper.close()
    router.close()


async def test_without_a_way_to_the_router_nothing_breaks() -> None:
    async def routers() -> list[Gateway]:
        return [Gateway("127.0.0.1", "203.0.113.77")]  # not our address

    async def no_upnp(gateway: Gateway) -> None:
        return None

    mapper = RouterPortMapper(list_routers=routers, find_upnp=no_upnp)
    await mapper.start([TCP], lambda mappings: None)
    await asyncio.sleep(0.1)
    assert mapper.mappings == frozenset()
    await mapper.close()


async def test_closing_takes_a_second_at_most_when_the_router_is_gone() -> None:
    router = FakeRouter()
    async with scene(router, pace=Pace()) as made:
        await made.mapped(TCP, UDP)
        router.speaks = set()
        started = time.monotonic()
        await made.mapper.close()
        assert time.monotonic() - started < 1.5


# --- UPnP ---------------------------------------------------------------------------------------------


class FakeDevice:
    def __init__(self, *, permanent: bool = False, taken: set[int] | None = None) -> None:
        self.lanaddr = "127.0.0.1"
        self.permanent = permanent
        self.taken = taken or set()
        self.mapped: dict[tuple[int, str], tuple[str, int, int]] = {}

    def externalipaddress(self) -> str:
        return "8.8.4.4"

    def addportmapping(
        self, external: int, protocol: str, host: str, internal: int, text: str, remote: str, lease: int, /
    ) -> bool:
        if self.permanent and lease:
            raise Exception("OnlyPermanentLeasesSupported")  # noqa: TRY002 - as the library does
        if external in self.taken:
            raise Exception("ConflictInMappingEntry")  # noqa: TRY002 - as the library does
        self.mapped[external, protocol] = (host, internal, lease)
        return True

    def deleteportmapping(self, external: int, protocol: str, /) -> bool:
        del self.mapped[external, protocol]
        return True

    def getspecificportmapping(self, external: int, protocol: str, /) -> tuple[object, ...] | None:
        return self.mapped.get((external, protocol))


@pytest.mark.parametrize("permanent", [False, True])
async def test_upnp_serves_where_nothing_else_answers(permanent: bool) -> None:
    device = FakeDevice(permanent=permanent, taken={TCP.port})

    async def found(gateway: Gateway) -> FakeDevice:
        return device

    async with scene(
        FakeRouter(speaks=set()), pace=Pace(first_retry=0.05, check=0.1, renew_floor=0.05), find_upnp=found
    ) as made:
        mapped = await made.mapped(TCP, UDP)
        assert {one.method for one in mapped.values()} == {MappingMethod.UPNP}
        assert mapped[UDP].external_port == UDP.port
        assert mapped[TCP].external_port != TCP.port
        assert (mapped[TCP].expires == float("inf")) is permanent
        # The router forgets everything.
        device.mapped.clear()
        await made.until(lambda: len(device.mapped) == 2)
    assert device.mapped == {}


async def test_a_thread_that_hangs_is_left_behind() -> None:
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        await run_in_daemon_thread(lambda: time.sleep(1.0), 0.05)
    assert time.monotonic() - started < 0.9
    with pytest.raises(ZeroDivisionError):
        await run_in_daemon_thread(lambda: 1 // 0, 1.0)


# --- announcements ------------------------------------------------------------------------------------


async def test_a_router_that_announces_its_restart_is_asked_and_not_believed() -> None:
    router = FakeRouter()
    async with scene(router, [TCP], pace=Pace(first_retry=0.05, check=600.0, renew_floor=0.05)) as made:
        await made.mapped(TCP)
        asked = len(router.heard)
        # What the operating system would hand over: spoofed at first, then true.
        restarted = bytes.fromhex("02800000 00000000 00000001") + bytes(12)
        made.mapper._announcements.datagram_received(restarted, ("127.0.0.1", 5351))
        made.mapper._announcements.datagram_received(restarted, ("127.0.0.1", 5351))
        made.mapper._announcements.datagram_received(restarted, ("203.0.113.1", 5351))
        made.mapper._announcements.datagram_received(b"nonsense", ("127.0.0.1", 5351))
        await made.until(lambda: len(router.heard) > asked)
        await asyncio.sleep(0.2)
        assert len(router.heard) == asked + 1
        assert len(router.mapped) == 1

        await asyncio.sleep(1.0)  # announcements are heeded once a second
        router.restart()
        made.mapper._announcements.datagram_received(restarted, ("127.0.0.1", 5351))
        await made.until(lambda: len(router.mapped) == 1)


# --- the fake for tests -------------------------------------------------------------------------------


async def test_a_simulated_mapper_does_what_it_is_told() -> None:
    told: list[frozenset[Mapping]] = []
    simulated = SimulatedPortMapper()
    mapper: PortMapper = simulated
    await mapper.start([TCP], told.append)
    assert told == []
    simulated.grant("8.8.4.4", offset=1000)
    simulated.grant("8.8.4.4", offset=1000)
    mapper.want([UDP])
    simulated.refuse()
    mapper.network_changed()
    await mapper.close()
    simulated.grant("8.8.4.4")
    assert [{(one.protocol, one.external_host, one.external_port) for one in each} for each in told] == [
        {(TCP.protocol, "8.8.4.4", TCP.port + 1000)},
        {(UDP.protocol, "8.8.4.4", UDP.port + 1000)},
        set(),
    ]
    assert simulated.changes == 1
