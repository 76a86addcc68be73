"""The monitor itself: takes snapshots when one is due, tells real changes, and notices sleep."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Sequence

from p4.adapters.net.monitor.snapshot import Snapshot, Source
from p4.ports.monitor import NetworkChange

__all__ = ["SystemMonitor", "continuous_clock"]

_log = logging.getLogger(__name__)

DEBOUNCE_SECONDS = 0.05
"""Changes come in groups (address gone, routes gone, new address, new routes): one report after this."""

TICK_SECONDS = 0.5
"""How often the clocks are compared. Timers stand still in sleep, so this bounds the delay after waking."""

STILL_SECONDS = 2.0
"""A tick that is later than this was no busy moment: the machine slept or the process was stopped."""


class SystemMonitor:
    """Implements `p4.ports.monitor.NetworkMonitor`.

    Args:
        sources: by preference; the first that opens is used, the next if it fails later.
        continuous: seconds on a clock that goes on while the machine sleeps; None for the system's.
    """

    def __init__(self, sources: Sequence[Source], continuous: Callable[[], float] | None = None) -> None:
        self._sources = list(sources)
        self._source: Source | None = None
        self._continuous = continuous or continuous_clock()
        self._observe: Callable[[NetworkChange], None] | None = None
        self._snapshot = Snapshot()
        self._due: asyncio.TimerHandle | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._ticked = 0.0
        self._polled = 0.0

    @property
    def addresses(self) -> frozenset[str]:
        """The usable addresses as last seen; empty before `start`."""
        return self._snapshot.addresses

    def start(self, observe: Callable[[NetworkChange], None]) -> None:
        """Begin to watch on the running event loop."""
        self._observe = observe
        self._open_next()
        self._snapshot = self._take()
        self._ticked = self._polled = self._continuous()
        self._schedule_tick()

    def close(self) -> None:
        """Stop watching and release what the source holds."""
        self._observe = None
        for handle in (self._due, self._tick):
            if handle is not None:
                handle.cancel()
        self._due = self._tick = None
        source, self._source = self._source, None
        if source is not None:
            source.close()

    # --- the source ---------------------------------------------------------------------------------

    def _open_next(self) -> None:
        self._source = None
        while self._sources:
            source = self._sources.pop(0)
            try:
                source.open(self._hint, self._failed)
            except OSError as error:
                _log.debug("%s is not to be had here: %s", type(source).__name__, error)
                continue
            self._source = source
            return
        _log.warning("Changes of the network cannot be noticed on this machine; sleep is.")

    def _failed(self) -> None:
        self._open_next()
        self._hint()

    def _hint(self) -> None:
        # Counted from the first hint, so that a storm of them cannot put the report off for ever.
        if self._due is None and self._observe is not None:
            self._due = asyncio.get_running_loop().call_later(DEBOUNCE_SECONDS, self._settle)

    def _settle(self) -> None:
        self._due = None
        self._compare()

    def _take(self) -> Snapshot:
        if self._source is None:
            return self._snapshot
        try:
            return self._source.snapshot()
        except OSError as error:
            # What was seen last stays true until we know better.
            _log.debug("the network cannot be listed: %s", error)
            return self._snapshot

    def _compare(self, *, resumed: bool = False) -> None:
        seen = self._take()
        changed = seen != self._snapshot
        self._snapshot = seen
        self._polled = self._continuous()
        if (changed or resumed) and self._observe is not None:
            self._observe(NetworkChange(seen.addresses, resumed))

    # --- sleep --------------------------------------------------------------------------------------

    def _schedule_tick(self) -> None:
        self._tick = asyncio.get_running_loop().call_later(TICK_SECONDS, self._ticks)

    def _ticks(self) -> None:
        now = self._continuous()
        late = now - self._ticked - TICK_SECONDS
        self._ticked = now
        # First: nothing that the observer does may end the watch.
        self._schedule_tick()
        if late > STILL_SECONDS:
            _log.info("This machine or process stood still for %.1f s.", late)
            if self._due is not None:
                self._due.cancel()
                self._due = None
            self._compare(resumed=True)
        elif self._poll_due(now):
            self._compare()

    def _poll_due(self, now: float) -> bool:
        period = None if self._source is None else self._source.poll_seconds
        # Half a tick of grace: a timer that is early by rounding must not skip a turn.
        return period is not None and now - self._polled >= period - TICK_SECONDS / 2


def continuous_clock() -> Callable[[], float]:
    """A clock in seconds that goes on while the machine sleeps and that nobody sets."""
    if sys.platform == "linux":
        return lambda: time.clock_gettime(time.CLOCK_BOOTTIME)
    elif sys.platform == "darwin":  # noqa: RET505 - the form in which a type checker knows the platform
        # Reads mach_continuous_time there, time.monotonic mach_absolute_time, which sleep stops.
        return lambda: time.clock_gettime(time.CLOCK_MONOTONIC_RAW)
    elif sys.platform == "win32":
        return time.monotonic  # both of its possible sources count sleep
    else:
        return time.time  # may be set by hand: one report too many, never one too few
