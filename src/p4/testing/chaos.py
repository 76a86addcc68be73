"""A seeded driver of faults: does to a simulated network what a month does to a real one, in minutes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from p4.testing.world import Range

if TYPE_CHECKING:
    from p4.testing.network import SimulatedNetwork

__all__ = ["Chaos"]

FAULTS: Mapping[str, float] = {
    "break-streams": 2.0,
    "break-links": 2.0,
    "silence-links": 2.0,
    "partition": 2.0,
    "cut-one-way": 1.0,
    "bad-weather": 1.0,
    "crash": 2.0,
    "lose-power": 1.0,
}
"""Every fault with its weight."""


class Chaos:
    """Faults at random moments, one host or pair of hosts at a time.

    Args:
        network: where.
        places: names of the hosts concerned, two or more.
        restart: starts the host's program again after a crash; None if hosts must not crash.
        pause: seconds between faults.
        outage: how long a fault that lasts does last, and how long a crashed host stays down, seconds.
        weights: how likely each of ``FAULTS`` is, relative to the others; those left out do not happen.
    """

    def __init__(
        self,
        network: SimulatedNetwork,
        places: list[str],
        *,
        restart: Callable[[str], Awaitable[None]] | None = None,
        pause: Range = (0.1, 15.0),
        outage: Range = (0.1, 45.0),
        weights: Mapping[str, float] = FAULTS,
    ) -> None:
        unknown = sorted(weights.keys() - FAULTS.keys())
        if unknown:
            raise ValueError(f"no such fault: {unknown}")
        self._network = network
        self._world = network.world
        self._places = list(places)
        self._restart = restart
        self._pause = pause
        self._outage = outage
        self._starts: dict[str, asyncio.Future[None]] = {}
        """The latest start of each host."""
        crashing = {"crash", "lose-power"} if restart is None else set()
        self._faults = {name: weight for name, weight in weights.items() if name not in crashing}

    async def run(self, seconds: float) -> None:
        """Cause faults for so long; then repair everything and start every host that is down.

        After it has returned the network is perfect, so whatever should happen must happen now.
        """
        usual = self._network.conditions
        end = asyncio.get_running_loop().time() + seconds
        try:
            async with asyncio.timeout_at(end):
                while True:
                    await asyncio.sleep(self._world.draw(self._pause))
                    await self._fault()
        except TimeoutError:
            pass
        self._network.conditions = usual
        self._network.heal()
        for place in self._places:
            await self._ensure_running(place)

    async def _fault(self) -> None:
        chance = self._world.random
        names, weights = list(self._faults), list(self._faults.values())
        fault = chance.choices(names, weights)[0]
        place, other = chance.sample(self._places, 2)
        self._world.note(f"chaos: {fault} {place} {other}")
        if fault == "break-streams":
            self._network.break_streams(place)
        elif fault == "break-links":
            self._network.break_links(place)
        elif fault == "silence-links":
            self._network.silence_links(place)
        elif fault in {"partition", "cut-one-way"}:
            pairs = [(place, other)] if fault == "cut-one-way" else [(place, other), (other, place)]
            for pair in pairs:
                self._world.cut(*pair)
            await asyncio.sleep(self._world.draw(self._outage))
            self._world.mend(pairs)
        elif fault == "bad-weather":
            await self._bad_weather()
        else:
            host = self._network.host(place)
            if fault == "lose-power":
                host.lose_power(kept=chance.choice((0.0, chance.random())))
            else:
                host.crash()
            await asyncio.sleep(self._world.draw(self._outage) if chance.random() < 0.5 else 0.0)
            await self._ensure_running(place)

    async def _bad_weather(self) -> None:
        usual = self._network.conditions
        self._network.conditions = replace(
            usual,
            latency=(0.05, 2.0),
            dial_refused=0.2,
            dial_lost=0.3,
            line_breaks_stream=0.1,
            link_fails=0.3,
            stale_addresses=True,
        )
        try:
            await asyncio.sleep(self._world.draw(self._outage))
        finally:
            self._network.conditions = usual

    async def _ensure_running(self, place: str) -> None:
        """Start a host that is down, and wait until it is started, whoever began that."""
        if self._restart is not None and not self._network.is_alive(place):
            self._starts[place] = asyncio.ensure_future(self._restart(place))
        if place in self._starts:
            # Shielded: the end of the chaos must not cut a start in half.
            await asyncio.shield(self._starts[place])
