"""The watchdog's decisions, in virtual time, with an address that is as reachable as each test says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from p4.adapters.tor import watchdog
from p4.adapters.tor.watchdog import Remedies, TorState, Watchdog
from p4.errors import RendezvousError
from p4.testing.virtual_time import VirtualTimeError, run

HOUR = 3600.0
START = 1000.0
"""Where virtual time begins."""


def now() -> float:
    """Seconds since the start of a test."""
    return asyncio.get_running_loop().time() - START


@dataclass
class Onion:
    """What the watchdog watches: notes what is done to it, and when."""

    cured_by: str | None = None
    """The remedy after which calls arrive again."""
    reachable: bool = True
    hangs: bool = False
    """Whether a call that does not arrive takes for ever instead of failing."""
    done: list[tuple[float, str]] = field(default_factory=list)
    checked: list[float | None] = field(default_factory=list)
    watchdog: Watchdog = field(init=False)

    def __post_init__(self) -> None:
        remedies = Remedies(
            self._check,
            self._remedy("republish", TorState.PUBLISHING),
            self._remedy("forget"),
            self._remedy("reconnect"),
            self._restart,
        )
        self.watchdog = Watchdog(remedies, lambda low, high: (low + high) / 2, self._note_checked)

    @property
    def deeds(self) -> list[str]:
        return [what for _, what in self.done]

    def moments(self, what: str) -> list[float]:
        return [moment for moment, deed in self.done if deed == what]

    def note(self, what: str) -> None:
        self.done.append((now(), what))
        if what == self.cured_by:
            self.reachable = True

    async def _check(self) -> None:
        self.note("check")
        await asyncio.sleep(0.5)
        if not self.reachable:
            if self.hangs:
                await asyncio.Event().wait()
            raise RendezvousError("Nobody answers.", code="introduction-failed")

    def _remedy(self, name: str, state: TorState | None = None) -> Callable[[], Awaitable[None]]:
        async def remedy() -> None:
            self.note(name)
            if state is not None:
                self.come_up(state)

        return remedy

    async def _restart(self, reason: str) -> None:
        assert reason
        self.note("restart")
        self.watchdog.tor_is(TorState.DOWN)
        self.come_up(TorState.CONNECTING, TorState.PUBLISHING)

    def _note_checked(self, moment: float | None) -> None:
        self.checked.append(None if moment is None else moment - START)

    def come_up(self, *states: TorState) -> None:
        """These states now and after a second each, then published."""
        for number, state in enumerate((*states, TorState.PUBLISHED)):
            if number:
                asyncio.get_running_loop().call_later(number, self.watchdog.tor_is, state)
            else:
                self.watchdog.tor_is(state)


def watched(onion: Onion, scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        task = asyncio.create_task(onion.watchdog.run())
        try:
            await scenario()
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            await asyncio.wait([task])

    run(main(), limit=48 * HOUR)


def test_nothing_is_tried_before_the_address_is_published() -> None:
    onion = Onion()

    async def scenario() -> None:
        onion.watchdog.tor_is(TorState.CONNECTING)
        await asyncio.sleep(60)
        onion.watchdog.tor_is(TorState.PUBLISHING)
        await asyncio.sleep(30)
        assert onion.deeds == []
        onion.watchdog.tor_is(TorState.PUBLISHED)
        await asyncio.sleep(1)
        assert onion.deeds == ["check"]
        assert onion.checked == [pytest.approx(90.5)]

    watched(onion, scenario)


def test_while_all_is_well_a_call_is_made_every_few_minutes_and_nothing_else() -> None:
    onion = Onion()

    async def scenario() -> None:
        onion.watchdog.tor_is(TorState.PUBLISHED)
        await asyncio.sleep(HOUR)
        assert set(onion.deeds) == {"check"}
        assert 11 <= len(onion.done) <= 13
        assert None not in onion.checked

    watched(onion, scenario)


@pytest.mark.parametrize("hangs", [False, True], ids=["fails", "hangs"])
@pytest.mark.parametrize(
    ("cured_by", "deeds", "seconds"),
    [
        ("republish", ["check", "republish", "check"], 35),
        ("forget", ["check", "republish", "check", "forget", "republish", "check"], 70),
        (
            "restart",
            ["check", "republish", "check", "forget", "republish", "check", "restart", "check"],
            105,
        ),
    ],
)
def test_remedies_are_tried_from_the_mildest_up(
    cured_by: str, deeds: list[str], seconds: float, hangs: bool
) -> None:
    onion = Onion(cured_by, reachable=False, hangs=hangs)

    async def scenario() -> None:
        onion.watchdog.tor_is(TorState.PUBLISHED)
        await asyncio.sleep(seconds)
        assert onion.deeds == deeds
        assert onion.checked == [None, pytest.approx(onion.done[-1][0] + 0.5)]
        await asyncio.sleep(120)
        assert onion.deeds == deeds, "all is well again"

    watched(onion, scenario)


def test_restarts_become_ever_more_seldom_while_nothing_helps() -> None:
    onion = Onion(reachable=False)

    async def scenario() -> None:
        onion.watchdog.tor_is(TorState.PUBLISHED)
        await asyncio.sleep(24 * HOUR)
        gaps = [after - before for before, after in pairwise(onion.moments("restart"))]
        assert gaps[0] >= 100
        assert all(later >= 1.5 * earlier for earlier, later in pairwise(gaps[:5]))
        assert gaps[-1] >= 0.9 * HOUR
        assert len(onion.moments("restart")) < 40
        assert len(onion.moments("check")) < 24 * 3600 / 150, "nor is it called without a pause"

    watched(onion, scenario)


def test_an_address_that_others_reach_is_not_mended() -> None:
    onion = Onion(reachable=False)

    async def scenario() -> None:
        async def guests() -> None:
            while True:
                onion.watchdog.heard()
                await asyncio.sleep(0.2)

        coming = asyncio.create_task(guests())
        onion.watchdog.tor_is(TorState.PUBLISHED)
        await asyncio.sleep(HOUR)
        coming.cancel()
        assert set(onion.deeds) == {"check"}
        assert onion.checked == [], "but nothing was proved either"

    watched(onion, scenario)


def test_after_a_change_of_network_a_call_is_made_at_once_and_again_before_anything_is_done() -> None:
    onion = Onion()

    async def scenario() -> None:
        onion.watchdog.tor_is(TorState.PUBLISHED)
        await asyncio.sleep(10)
        onion.reachable = False
        onion.watchdog.poke()
        await asyncio.sleep(1.4)
        onion.reachable = True
        await asyncio.sleep(1.0)
        assert onion.deeds == ["check"] * 4
        assert onion.checked == [0.5, pytest.approx(12.1)]
        onion.reachable, onion.cured_by = False, "republish"
        onion.watchdog.poke()
        await asyncio.sleep(4.0)
        assert onion.deeds[4:] == ["check", "check", "check", "republish", "check"], "but not for long"

    watched(onion, scenario)


def test_a_change_of_network_ends_a_call_that_hangs_on_the_old_one() -> None:
    onion = Onion(reachable=False, hangs=True)

    async def scenario() -> None:
        onion.watchdog.tor_is(TorState.PUBLISHED)
        await asyncio.sleep(5)
        onion.reachable = True
        onion.watchdog.poke()
        await asyncio.sleep(0.6)
        assert onion.deeds == ["check", "check"]
        assert onion.checked == [pytest.approx(5.5)]

    watched(onion, scenario)


def test_after_a_change_of_network_calls_that_hang_are_given_up_sooner_the_quicker_the_network_is() -> None:
    def spent(pace: float) -> list[float]:
        onion = Onion()
        onion.watchdog.pace = pace

        async def scenario() -> None:
            onion.watchdog.tor_is(TorState.PUBLISHED)
            await asyncio.sleep(10)
            onion.reachable, onion.hangs = False, True
            onion.watchdog.poke()
            await asyncio.sleep(100)

        watched(onion, scenario)
        calls = [moment for moment in onion.moments("check") if moment >= 10]
        return [round(later - earlier, 1) for earlier, later in pairwise(calls)]

    # Between calls there is the publishing of this test, too.
    quick, slow = spent(1.5), spent(30.0)
    assert quick[0] == quick[1] == slow[0] - 6.0 == slow[1] - 6.0
    assert quick[2] > slow[1], "what is wrong after two remedies needs patience"


def test_a_call_says_nothing_when_tor_ended_meanwhile() -> None:
    onion = Onion(reachable=False, hangs=True)

    async def scenario() -> None:
        onion.watchdog.tor_is(TorState.PUBLISHED)
        await asyncio.sleep(5)
        onion.watchdog.tor_is(TorState.DOWN)
        await asyncio.sleep(60)
        assert onion.deeds == ["check"]
        onion.reachable = True
        onion.come_up(TorState.CONNECTING, TorState.PUBLISHING)
        await asyncio.sleep(3)
        assert onion.deeds == ["check", "check"]
        assert onion.checked == [pytest.approx(67.5)]

    watched(onion, scenario)


def test_a_tor_that_does_not_connect_begins_anew_and_at_last_with_a_new_process() -> None:
    onion = Onion()

    async def scenario() -> None:
        onion.watchdog.tor_is(TorState.CONNECTING)
        await asyncio.sleep(0.5 * HOUR)
        assert onion.deeds[:3] == ["reconnect", "reconnect", "restart"]
        first, second, third = (moment for moment, _ in onion.done[:3])
        assert 60 < first < second - first < third - second

    watched(onion, scenario)


def test_one_that_is_never_published_is_mended_too() -> None:
    onion = Onion("republish", reachable=False)

    async def scenario() -> None:
        onion.watchdog.tor_is(TorState.PUBLISHING)
        await asyncio.sleep(70)
        assert onion.deeds == ["check", "republish", "check"]

    watched(onion, scenario)


# --- planted mistakes ------------------------------------------------------------------------------------


def never_mends(patch: pytest.MonkeyPatch) -> None:
    async def mend(self: Watchdog) -> float:
        return 60.0

    patch.setattr(Watchdog, "_mend", mend)


def takes_every_call_for_a_success(patch: pytest.MonkeyPatch) -> None:
    async def check(self: Watchdog, seconds: float, insist_seconds: float) -> None:
        with suppress(RendezvousError):
            await self._remedies.check()

    patch.setattr(Watchdog, "_check", check)


def waits_for_ever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(watchdog, "_CHECK_SECONDS", 10 * HOUR)


def is_as_patient_as_ever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(watchdog, "_HURRIED_CALLS", 1)


def restarts_at_every_turn(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(watchdog, "_RESTART_SECONDS", (0.0, 0.0))


def sleeps_through_a_change(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Watchdog, "poke", lambda self: None)


def calls_before_it_is_published(patch: pytest.MonkeyPatch) -> None:
    async def at_once(self: Watchdog) -> bool:
        return True

    patch.setattr(Watchdog, "_until_published", at_once)


@pytest.mark.parametrize(
    ("plant", "test"),
    [
        (never_mends, test_one_that_is_never_published_is_mended_too),
        (takes_every_call_for_a_success, test_one_that_is_never_published_is_mended_too),
        (
            is_as_patient_as_ever,
            test_after_a_change_of_network_calls_that_hang_are_given_up_sooner_the_quicker_the_network_is,
        ),
        (restarts_at_every_turn, test_restarts_become_ever_more_seldom_while_nothing_helps),
        (sleeps_through_a_change, test_a_change_of_network_ends_a_call_that_hangs_on_the_old_one),
        (calls_before_it_is_published, test_nothing_is_tried_before_the_address_is_published),
    ],
)
def test_a_mistake_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], test: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises((AssertionError, VirtualTimeError)):
        test()


def test_a_call_without_an_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    waits_for_ever(monkeypatch)
    with pytest.raises(AssertionError):
        test_remedies_are_tried_from_the_mildest_up("republish", ["check", "republish", "check"], 35, True)
