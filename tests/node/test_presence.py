"""What contacts are told about our addresses, by policy, and when they are told anew."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from p4.core import limits
from p4.core.policy import Policy
from p4.node.presence import Presence
from p4.ports import SignalStream
from p4.ports.monitor import NetworkChange
from p4.testing import SimulatedMonitor, SimulatedPortMapper, run

PORT = 50_001


class Door:
    """A doorway that nobody uses."""

    def __init__(self, port: int = PORT) -> None:
        self.port = port
        self.closed = False

    async def start(self, accept: Callable[[SignalStream], Awaitable[None]]) -> int:
        return self.port

    async def close(self) -> None:
        self.closed = True


class Observed:
    """A presence, and what it told."""

    def __init__(self, *addresses: str, port: int = PORT, told: bool = True) -> None:
        self.monitor = SimulatedMonitor(addresses)
        self.mapper = SimulatedPortMapper()
        self.door = Door(port)
        self.presence = Presence(self.door, self.monitor, self.mapper, told=told)
        self.changes: list[NetworkChange] = []
        self.announced = 0

    async def start(self) -> Observed:
        async def accept(stream: SignalStream) -> None:
            raise AssertionError("nobody comes")

        await self.presence.start(accept, changed=self.changes.append, announce=self._announce)
        return self

    def _announce(self) -> None:
        self.announced += 1

    def shown(self, policy: Policy = Policy.DIRECT) -> list[str]:
        return [f"{endpoint.host} {endpoint.port}" for endpoint in self.presence.reach(policy).endpoints]


def test_each_policy_shows_what_it_may() -> None:
    async def scenario() -> None:
        one = await Observed("192.168.1.2", "1.1.1.1", "2a00::1", "fd00::1").start()
        one.mapper.grant("9.9.9.9", offset=7)
        assert one.shown() == [
            f"9.9.9.9 {PORT + 7}",
            *(f"{host} {PORT}" for host in ("1.1.1.1", "2a00::1", "192.168.1.2", "fd00::1")),
        ]
        assert one.shown(Policy.LAN_ONLY) == [f"192.168.1.2 {PORT}", f"fd00::1 {PORT}"]
        assert one.shown(Policy.RELAY_ONLY) == []
        await one.presence.close()

    run(scenario())


def test_without_a_doorway_or_a_wish_to_be_found_nothing_is_shown() -> None:
    async def scenario() -> None:
        for one in (Observed("1.1.1.1", port=0), Observed("1.1.1.1", told=False)):
            await one.start()
            assert one.shown() == []
            await one.presence.close()
        bare = Presence()
        assert bare.reach(Policy.DIRECT).endpoints == ()
        await bare.close()

    run(scenario())


def test_a_mapping_that_names_no_address_of_the_internet_is_not_shown() -> None:
    async def scenario() -> None:
        one = await Observed("192.168.1.2").start()
        one.mapper.grant(None)
        assert one.shown() == [f"192.168.1.2 {PORT}"]
        await one.presence.close()

    run(scenario())


def test_contacts_are_told_once_it_is_quiet_and_only_of_what_changed() -> None:
    async def scenario() -> None:
        one = await Observed("1.1.1.1").start()
        await asyncio.sleep(1)
        assert one.announced == 0, "the beginning is no news"
        one.monitor.change("2.2.2.2")
        one.mapper.grant("9.9.9.9")
        assert one.announced == 0
        await asyncio.sleep(1)
        assert one.announced == 1
        assert one.mapper.changes == 1
        one.monitor.resume()
        await asyncio.sleep(1)
        assert (one.announced, len(one.changes)) == (1, 2), "the same addresses are no news to contacts"
        one.monitor.change("1.1.1.1")
        one.monitor.change("2.2.2.2")
        await asyncio.sleep(1)
        assert one.announced == 1, "it is as it was"
        one.mapper.refuse()
        await asyncio.sleep(1)
        assert one.announced == 2
        await one.presence.close()

    run(scenario())


def test_new_addresses_are_new_for_a_while() -> None:
    async def scenario() -> None:
        one = await Observed("1.1.1.1").start()
        assert one.presence.new_addresses == frozenset()
        one.monitor.change("1.1.1.1", "2.2.2.2")
        assert one.presence.new_addresses == {"2.2.2.2"}
        one.monitor.change("1.1.1.1")
        await asyncio.sleep(limits.NEW_ADDRESS_SECONDS + 0.1)
        assert one.presence.new_addresses == frozenset()
        await one.presence.close()

    run(scenario())


def test_after_its_end_it_tells_nobody() -> None:
    async def scenario() -> None:
        one = await Observed("1.1.1.1").start()
        one.monitor.change("2.2.2.2")
        await one.presence.close()
        one.monitor.change("3.3.3.3")
        await asyncio.sleep(1)
        assert one.announced == 0
        assert len(one.changes) == 1
        assert one.door.closed
        assert not one.monitor.watched

    run(scenario())
