"""Monitors with one mistake each, which a test of `test_system` must find."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from tests.adapters.net.monitor import test_netlink, test_system

from p4.adapters.net.monitor import netlink, system
from p4.adapters.net.monitor.snapshot import Snapshot
from p4.adapters.net.monitor.system import SystemMonitor
from p4.ports.monitor import NetworkChange

Patch = pytest.MonkeyPatch


def each_hint_puts_the_report_off(patch: Patch) -> None:
    def hint(self: SystemMonitor) -> None:
        if self._due is not None:
            self._due.cancel()
        self._due = asyncio.get_running_loop().call_later(system.DEBOUNCE_SECONDS, self._settle)

    patch.setattr(SystemMonitor, "_hint", hint)


def each_hint_is_a_report(patch: Patch) -> None:
    patch.setattr(SystemMonitor, "_hint", lambda self: self._compare())


def every_snapshot_is_told(patch: Patch) -> None:
    def compare(self: SystemMonitor, *, resumed: bool = False) -> None:
        self._snapshot = self._take()
        if self._observe is not None:
            self._observe(NetworkChange(self.addresses, resumed))

    patch.setattr(SystemMonitor, "_compare", compare)


def only_addresses_compared(patch: Patch) -> None:
    def compare(self: SystemMonitor, *, resumed: bool = False) -> None:
        before, self._snapshot = self._snapshot, self._take()
        if self._observe is not None and (resumed or before.addresses != self.addresses):
            self._observe(NetworkChange(self.addresses, resumed))

    patch.setattr(SystemMonitor, "_compare", compare)


def sleep_not_noticed(patch: Patch) -> None:
    patch.setattr(system, "STILL_SECONDS", 1e9)


def a_busy_moment_is_sleep(patch: Patch) -> None:
    patch.setattr(system, "STILL_SECONDS", 0.5)


def no_other_source(patch: Patch) -> None:
    patch.setattr(SystemMonitor, "_failed", lambda self: None)


def never_polled(patch: Patch) -> None:
    patch.setattr(SystemMonitor, "_poll_due", lambda self, now: False)


def an_unreadable_network_is_empty(patch: Patch) -> None:
    take = SystemMonitor._take

    def forget(self: SystemMonitor) -> Snapshot:
        self._snapshot, before = Snapshot(), self._snapshot
        try:
            return take(self)
        finally:
            self._snapshot = before

    patch.setattr(SystemMonitor, "_take", forget)


def the_watch_ends_with_the_observer(patch: Patch) -> None:
    schedule = SystemMonitor._schedule_tick

    def ticks(self: SystemMonitor) -> None:
        now = self._continuous()
        late, self._ticked = now - self._ticked - system.TICK_SECONDS, now
        if late > system.STILL_SECONDS:
            self._compare(resumed=True)
        schedule(self)

    patch.setattr(SystemMonitor, "_ticks", ticks)


def close_leaves_the_report(patch: Patch) -> None:
    def close(self: SystemMonitor) -> None:
        if self._tick is not None:
            self._tick.cancel()

    patch.setattr(SystemMonitor, "close", close)


def tentative_addresses_taken(patch: Patch) -> None:
    patch.setattr(netlink, "_TENTATIVE", 0)


def dead_routes_taken(patch: Patch) -> None:
    patch.setattr(netlink, "_DEAD", 0)


def the_other_end_taken(patch: Patch) -> None:
    patch.setattr(netlink, "_IFA_LOCAL", netlink._IFA_ADDRESS)


def carrier_ignored(patch: Patch) -> None:
    patch.setattr(netlink, "_RUNNING", 0x1)


CAUGHT_BY: list[tuple[Callable[[Patch], None], Callable[[], None]]] = [
    (each_hint_puts_the_report_off, test_system.test_a_storm_of_announcements_does_not_put_the_report_off),
    (each_hint_is_a_report, test_system.test_changes_that_come_together_are_one_report),
    (every_snapshot_is_told, test_system.test_only_real_changes_are_told_and_a_route_is_one),
    (only_addresses_compared, test_system.test_only_real_changes_are_told_and_a_route_is_one),
    (sleep_not_noticed, test_system.test_sleep_is_told_once_and_at_once_with_the_addresses_after_it),
    (a_busy_moment_is_sleep, test_system.test_a_busy_second_is_no_sleep),
    (no_other_source, test_system.test_a_source_that_fails_is_replaced_and_a_missed_change_is_told),
    (never_polled, test_system.test_where_nothing_is_announced_it_looks_each_second),
    (an_unreadable_network_is_empty, test_system.test_what_cannot_be_read_now_is_no_change),
    (the_watch_ends_with_the_observer, test_system.test_an_observer_that_fails_does_not_end_the_watch),
    (close_leaves_the_report, test_system.test_after_close_nothing_is_told_and_everything_is_released),
    (tentative_addresses_taken, test_netlink.test_an_address_that_is_not_ours_yet_is_left_out),
    (dead_routes_taken, test_netlink.test_only_default_routes_that_lead_out_count),
    (the_other_end_taken, test_netlink.test_of_a_point_to_point_link_our_end_counts),
    (carrier_ignored, test_netlink.test_addresses_count_where_there_is_a_carrier),
]


@pytest.mark.parametrize(("mistake", "test"), CAUGHT_BY, ids=lambda value: value.__name__)
def test_the_mistake_is_found(
    mistake: Callable[[Patch], None], test: Callable[[], None], monkeypatch: Patch
) -> None:
    mistake(monkeypatch)
    with pytest.raises(AssertionError):
        test()
