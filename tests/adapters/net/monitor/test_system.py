"""When the monitor tells: one report for changes that come together, none for nothing, and after sleep."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from p4.adapters.net.monitor.linux import NetlinkSource
from p4.adapters.net.monitor.snapshot import Route, Snapshot
from p4.adapters.net.monitor.system import SystemMonitor, continuous_clock
from p4.ports.monitor import NetworkChange
from p4.testing import run
from p4.testing.simulated_monitor import SimulatedMonitor

HOME = Snapshot(frozenset({"192.0.2.1"}), frozenset({Route(b"\xc0\0\2\xfe", 1, 0, 254)}))
AWAY = Snapshot(frozenset({"198.51.100.1"}), frozenset({Route(b"\xc6\x33\x64\xfe", 1, 0, 254)}))


class ScriptedSource:
    def __init__(
        self, *, poll_seconds: float | None = None, missing: bool = False, now: Snapshot = HOME
    ) -> None:
        self.poll_seconds = poll_seconds
        self.missing = missing
        self.now = now
        self.readable = True
        self.opened = False
        self.taken = 0
        self.hint: Callable[[], None] = lambda: None
        self.failed: Callable[[], None] = lambda: None

    def open(self, hint: Callable[[], None], failed: Callable[[], None]) -> None:
        if self.missing:
            raise PermissionError("not here")
        self.opened = True
        self.hint, self.failed = hint, failed

    def snapshot(self) -> Snapshot:
        self.taken += 1
        if not self.readable:
            raise TimeoutError("not now")
        return self.now

    def close(self) -> None:
        self.opened = False


class Sleeper:
    """A clock that goes on by ``asleep`` more than the loop's."""

    def __init__(self) -> None:
        self.asleep = 0.0

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() + self.asleep


class Scene:
    def __init__(self, *sources: ScriptedSource) -> None:
        self.told: list[tuple[float, NetworkChange]] = []
        self.clock = Sleeper()
        self.monitor = SystemMonitor(sources, self.clock)
        self.monitor.start(self.observe)
        self.began = asyncio.get_running_loop().time()

    def observe(self, change: NetworkChange) -> None:
        self.told.append((round(asyncio.get_running_loop().time() - self.began, 3), change))


def test_changes_that_come_together_are_one_report() -> None:
    async def main() -> None:
        source = ScriptedSource()
        scene = Scene(source)
        assert scene.monitor.addresses == HOME.addresses
        source.now = Snapshot()
        source.hint()
        await asyncio.sleep(0.02)
        source.now = AWAY
        source.hint()
        await asyncio.sleep(1)
        assert scene.told == [(0.05, NetworkChange(AWAY.addresses, resumed=False))]
        assert scene.monitor.addresses == AWAY.addresses
        scene.monitor.close()

    run(main())


def test_a_storm_of_announcements_does_not_put_the_report_off() -> None:
    async def main() -> None:
        source = ScriptedSource()
        scene = Scene(source)
        source.now = AWAY
        for _ in range(100):
            source.hint()
            await asyncio.sleep(0.01)
        assert [at for at, _ in scene.told] == [0.05]
        assert source.taken <= 25
        scene.monitor.close()

    run(main())


def test_only_real_changes_are_told_and_a_route_is_one() -> None:
    async def main() -> None:
        source = ScriptedSource()
        scene = Scene(source)
        source.hint()
        await asyncio.sleep(1)
        assert scene.told == []
        source.now = Snapshot(HOME.addresses)
        source.hint()
        await asyncio.sleep(1)
        assert [change for _, change in scene.told] == [NetworkChange(HOME.addresses, resumed=False)]
        scene.monitor.close()

    run(main())


def test_sleep_is_told_once_and_at_once_with_the_addresses_after_it() -> None:
    async def main() -> None:
        source = ScriptedSource()
        scene = Scene(source)
        await asyncio.sleep(10.1)
        source.now = AWAY
        source.hint()
        scene.clock.asleep += 60
        await asyncio.sleep(10)
        assert [change for _, change in scene.told] == [
            NetworkChange(AWAY.addresses, resumed=False),
            NetworkChange(AWAY.addresses, resumed=True),
        ]
        assert scene.told[1][0] <= 10.1 + 0.5
        scene.monitor.close()

    run(main())


def test_a_busy_second_is_no_sleep() -> None:
    async def main() -> None:
        scene = Scene(ScriptedSource())
        for _ in range(5):
            scene.clock.asleep += 1.9
            await asyncio.sleep(0.7)
        assert scene.told == []
        scene.monitor.close()

    run(main())


def test_where_nothing_is_announced_it_looks_each_second() -> None:
    async def main() -> None:
        silent = ScriptedSource(poll_seconds=1.0)
        scene = Scene(ScriptedSource(missing=True), silent)
        await asyncio.sleep(9.8)
        assert silent.taken == 10  # one of them at the start
        silent.now = AWAY
        await asyncio.sleep(1)
        assert scene.told == [(10.0, NetworkChange(AWAY.addresses, resumed=False))]
        scene.monitor.close()

    run(main())


def test_a_source_that_fails_is_replaced_and_a_missed_change_is_told() -> None:
    async def main() -> None:
        first, second = ScriptedSource(), ScriptedSource(poll_seconds=1.0)
        scene = Scene(first, second)
        before = second.opened
        second.now = AWAY
        first.failed()
        await asyncio.sleep(0.1)
        assert (before, second.opened) == (False, True)
        assert [change for _, change in scene.told] == [NetworkChange(AWAY.addresses, resumed=False)]
        scene.monitor.close()

    run(main())


def test_without_any_source_sleep_is_noticed_all_the_same() -> None:
    async def main() -> None:
        scene = Scene(ScriptedSource(missing=True))
        scene.clock.asleep += 60
        await asyncio.sleep(1)
        assert [change for _, change in scene.told] == [NetworkChange(frozenset(), resumed=True)]
        scene.monitor.close()

    run(main())


def test_what_cannot_be_read_now_is_no_change() -> None:
    async def main() -> None:
        source = ScriptedSource()
        scene = Scene(source)
        source.readable = False
        source.hint()
        await asyncio.sleep(1)
        assert scene.told == []
        assert scene.monitor.addresses == HOME.addresses
        scene.monitor.close()

    run(main())


def test_an_observer_that_fails_does_not_end_the_watch() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        unhandled: list[object] = []
        loop.set_exception_handler(lambda _loop, context: unhandled.append(context["exception"]))
        monitor = SystemMonitor([ScriptedSource()], clock := Sleeper())

        def observe(change: NetworkChange) -> None:
            raise ZeroDivisionError

        monitor.start(observe)
        for _ in range(2):
            clock.asleep += 60
            await asyncio.sleep(1)
        assert len(unhandled) == 2
        monitor.close()

    run(main())


def test_after_close_nothing_is_told_and_everything_is_released() -> None:
    async def main() -> None:
        source = ScriptedSource()
        scene = Scene(source)
        source.now = AWAY
        source.hint()
        scene.monitor.close()
        scene.monitor.close()
        assert not source.opened
        source.hint()
        await asyncio.sleep(5)
        assert scene.told == []

    run(main())


async def test_a_source_that_was_never_opened_may_be_closed() -> None:
    source = NetlinkSource()
    source.close()
    with pytest.raises(OSError, match=r"."):
        source.snapshot()


def test_the_systems_clock_goes_on() -> None:
    clock = continuous_clock()
    first = clock()
    assert clock() >= first > 0


def test_a_simulated_monitor_does_what_it_is_told() -> None:
    told: list[NetworkChange] = []
    monitor = SimulatedMonitor(["192.0.2.5"])
    monitor.change("192.0.2.6")
    monitor.start(told.append)
    assert monitor.addresses == {"192.0.2.6"}
    monitor.change("192.0.2.7", "2001:db8::7")
    monitor.resume()
    assert told == [
        NetworkChange(frozenset({"192.0.2.7", "2001:db8::7"}), resumed=False),
        NetworkChange(frozenset({"192.0.2.7", "2001:db8::7"}), resumed=True),
    ]
    monitor.close()
    monitor.change()
    assert len(told) == 2
    assert not monitor.watched
