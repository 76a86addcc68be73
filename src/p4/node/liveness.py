"""The heartbeat of one link, on the loop's clock (spec/link.md, "Heartbeat")."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from p4.core import limits
from p4.core.session.heartbeat import Heartbeat, Verdict
from p4.errors import LinkError
from p4.ports import Clock

__all__ = ["Liveness"]


class Liveness:
    """Pings when nothing arrives, and says when the far end is gone.

    Args:
        send: sends a ping with this token; raises LinkError.
        lost: told why the link is over.
        leads: whether we made the offer; see `Heartbeat`.
        queued: bytes that wait to leave. When many become fewer the far end has taken some: a sign of life
            also while all of what it could say waits behind our own data. A few say nothing: they leave our
            queue also when nobody is there.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        send: Callable[[int], None],
        lost: Callable[[str], None],
        queued: Callable[[], int],
        leads: bool,
    ) -> None:
        self._clock = clock
        self._send = send
        self._lost = lost
        self._queued = queued
        self._left = 0
        self._used = False
        self._heartbeat = Heartbeat(clock.monotonic(), leads=leads)
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        # Not at once: the first ping must not come before what the link is adopted with.
        asyncio.get_running_loop().call_soon(self._watch)

    @property
    def round_trip(self) -> float | None:
        """Smoothed round trip in seconds, once it is known."""
        return self._heartbeat.round_trip

    def heard(self) -> None:
        """Something arrived."""
        self._heartbeat.heard(self._clock.monotonic())

    def used(self) -> None:
        """Something other than a heartbeat is sent or has arrived."""
        if not self._used:
            self._used = True
            if self._heartbeat.idle and not self._closed:
                asyncio.get_running_loop().call_soon(self._watch)

    def pong(self, token: int) -> None:
        """A pong arrived."""
        self._heartbeat.pong(token, self._clock.monotonic())

    def suspect(self, patience: float) -> None:
        """Another sign says that the far end may be gone: find out within so many seconds."""
        self._heartbeat.suspect(self._clock.monotonic(), patience)
        if self._ping():
            self._watch()

    def close(self) -> None:
        """Watch no more."""
        self._closed = True
        if self._timer:
            self._timer.cancel()

    def _watch(self) -> None:
        if self._closed:
            return
        now = self._clock.monotonic()
        left, before = self._queued(), self._left
        self._left = left
        if left < before and before > limits.LINK_LOW_WATER_BYTES:
            self._heartbeat.heard(now)
        if self._used:
            self._used = False
            self._heartbeat.used(now)
        match self._heartbeat.tick(now):
            case Verdict.DEAD:
                self._lost("the contact's node does not answer any more")
                return
            case Verdict.PING:
                if not self._ping():
                    return
            case Verdict.QUIET:
                pass
        if self._timer:
            self._timer.cancel()
        delay = max(self._heartbeat.deadline - self._clock.monotonic(), 0.0)
        self._timer = asyncio.get_running_loop().call_later(delay, self._watch)

    def _ping(self) -> bool:
        try:
            self._send(self._heartbeat.next_ping(self._clock.monotonic()))
        except LinkError as error:
            self._lost(error.message)
            return False
        return True
