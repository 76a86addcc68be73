"""What is remembered of links, in virtual time, and what is drawn of it."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from p4.apps.history import LinkHistory, Outage, Run, Sample
from p4.apps.history import records as tables
from p4.apps.history.picture import draw
from p4.apps.store import AppStore
from p4.core import limits
from p4.testing import SimulatedNetwork, simulate, start_node


def sample(at_ms: int, round_trip: float | None = 0.02, path: str = "lan") -> Sample:
    return Sample(at_ms, round_trip, path, 100.0, None)


def test_an_outage_is_remembered_with_how_long_it_took() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        store = AppStore(None)
        await store.open()
        laptop = await start_node(network, "laptop", "phone")
        history = LinkHistory(store, network.host("laptop").clock)
        await network.host("laptop").run(history.start(laptop))
        await start_node(network, "phone", "laptop")
        phone = laptop.peer("phone")
        await phone.wait_connected()
        await asyncio.sleep(120)
        network.partition(["laptop"], ["phone"])
        await asyncio.sleep(300)
        network.heal()
        await phone.wait_connected()
        await asyncio.sleep(200)

        picture = await history.picture(phone, 3600)
        (outage,) = picture.outages
        assert outage.recovered
        assert outage.ended_ms is not None
        assert 280_000 < outage.ended_ms - outage.began_ms < 420_000
        assert picture.summary.recovery == (outage.ended_ms - outage.began_ms) / 1000
        dark = range(outage.began_ms + 10_000, outage.ended_ms - 10_000)
        assert not any(point.at_ms in dark for point in picture.points)
        assert 25 <= len(picture.points) <= 40
        assert picture.summary.round_trip is not None
        assert picture.summary.connected is not None
        assert 0.4 < picture.summary.connected < 0.7

        # The program ends, and starts again an hour later: that hour is nobody's outage.
        await history.close()
        again = LinkHistory(store, network.host("laptop").clock)
        await asyncio.sleep(3600)
        await network.host("laptop").run(again.start(laptop))
        later = await again.picture(phone, 2 * 3600)
        assert len(later.outages) == 1
        assert len(later.runs) == 2
        assert later.runs[1].began_ms - later.runs[0].ended_ms > 3_590_000
        await again.forget(phone.peer_id)
        assert not (await again.picture(phone, 2 * 3600)).outages

    simulate(scenario, limit=20_000)


async def test_the_ring_keeps_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HISTORY_SAMPLES", 5)
    monkeypatch.setattr(limits, "HISTORY_OUTAGES", 3)
    store = AppStore(None)
    await store.open()
    await store.migrate("history", tables.MIGRATIONS)
    run = await store.transaction(lambda db: tables.begin_run(db, 0))
    step = limits.HISTORY_SAMPLE_SECONDS * 1000
    for number in range(12):
        now = number * step
        await store.transaction(
            partial(tables.add_samples, run=run, samples=[("anna", sample(now))], now_ms=now)
        )
        await store.transaction(partial(tables.down, peer="anna", reason="lost", now_ms=now))
        await store.transaction(partial(tables.up, peer="anna", now_ms=now + 1))
    samples, outages, runs = await store.transaction(lambda db: tables.read(db, "anna", 0))
    assert [found.at_ms // step for found in samples] == [7, 8, 9, 10, 11]
    assert [found.began_ms // step for found in outages] == [9, 10, 11]
    assert runs == [Run(0, 11 * step)]
    await store.close()


async def test_an_outage_ends_with_the_run_and_is_no_recovery() -> None:
    store = AppStore(None)
    await store.open()
    await store.migrate("history", tables.MIGRATIONS)
    run = await store.transaction(lambda db: tables.begin_run(db, 0))
    await store.transaction(lambda db: tables.down(db, "anna", "lost", 5_000))
    await store.transaction(lambda db: tables.add_samples(db, run, [], 9_000))
    await store.transaction(lambda db: tables.begin_run(db, 100_000))
    _, outages, _ = await store.transaction(lambda db: tables.read(db, "anna", 0))
    assert outages == [Outage(5_000, 9_000, recovered=False, reason="lost")]
    assert draw([], outages, [], from_ms=0, to_ms=100_000).summary.recovery is None
    await store.close()


def test_a_picture_has_no_more_points_than_a_screen_shows() -> None:
    samples = [sample(number * 10_000, number / 1000) for number in range(limits.HISTORY_SAMPLES)]
    picture = draw(samples, [], [Run(0, 86_400_000)], from_ms=0, to_ms=86_400_000)
    assert len(picture.points) <= limits.HISTORY_POINTS
    assert all(
        point.least is not None
        and point.median is not None
        and point.most is not None
        and point.least <= point.median <= point.most
        for point in picture.points
    )
    assert (picture.summary.connected, picture.summary.outages) == (1.0, 0)
