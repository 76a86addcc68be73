"""Whether the far end of a link is alive (spec/link.md, "Heartbeat").

Any traffic counts as a sign of life, so a busy link carries no pings, and one that nobody uses carries few.
Pure: time is an argument.
"""

from __future__ import annotations

from enum import Enum

from p4.core import limits

__all__ = ["Heartbeat", "Verdict"]


class Verdict(Enum):
    """What `Heartbeat.tick` wants done."""

    QUIET = "quiet"
    PING = "ping"
    DEAD = "dead"


class Heartbeat:
    """Liveness of one link.

    Args:
        now: monotonic seconds at which the link proved itself.
        leads: whether this side made the offer. It pings first; the other's answers keep both informed, and
            the other side pings only when it misses them. So an idle link carries half as many frames.
    """

    def __init__(self, now: float, *, leads: bool = True) -> None:
        self.round_trip: float | None = None
        """Smoothed round trip in seconds (RFC 6298 weights), None before the first pong."""
        self._interval = limits.HEARTBEAT_SECONDS if leads else limits.HEARTBEAT_FOLLOW_SECONDS
        self._heard = now
        self._pinged = now - self._interval  # the first ping goes at once: it measures
        self._asked: float | None = None
        """When the first of the pings was sent that nothing has answered."""
        self._used = now
        self._idle = False
        self._next_token = 0
        self._awaited: dict[int, float] = {}
        self._probe_until: float | None = None

    @property
    def idle(self) -> bool:
        """Whether nobody uses the link, so that it is looked after less often."""
        return self._idle

    @property
    def deadline(self) -> float:
        """When `tick` must be called next."""
        moments = [self._next_ping, self._dead_at]
        if self._probe_until is not None:
            moments.append(self._probe_until)
        return min(moments)

    @property
    def _next_ping(self) -> float:
        quiet_since = self._pinged if self.round_trip is None else max(self._heard, self._pinged)
        # What is not answered is asked again soon, also on an idle link.
        slow = self._idle and self._asked is None
        return quiet_since + self._interval * (limits.HEARTBEAT_IDLE_FACTOR if slow else 1)

    @property
    def _dead_at(self) -> float:
        """Silence until then is death: some intervals, more on a very slow path."""
        if self.round_trip is None:
            return self._heard + limits.FIRST_PONG_SECONDS
        silence = limits.HEARTBEAT_MISSES * limits.HEARTBEAT_SECONDS + 3 * self.round_trip
        since = self._heard
        if self._idle:
            # Asked rarely, it gets as long to answer as a busy link may be silent.
            since = self._next_ping if self._asked is None else self._asked
        return since + silence

    def used(self, now: float) -> None:
        """Something other than a heartbeat was sent or has arrived."""
        self._used = now
        if self._idle:
            self._idle = False
            # It was looked after rarely until now: the silence that counts begins here.
            self._heard = max(self._heard, now - self._interval)

    def heard(self, now: float) -> None:
        """Something arrived from the far end."""
        self._heard = now
        self._asked = None
        self._probe_until = None

    def pong(self, token: int, now: float) -> None:
        """A pong arrived; unknown tokens are only a sign of life."""
        self.heard(now)
        sent = self._awaited.pop(token, None)
        if sent is not None:
            sample = now - sent
            last = self.round_trip
            self.round_trip = sample if last is None else last + (sample - last) / 8

    def next_ping(self, now: float) -> int:
        """The token of a ping that is about to be sent."""
        token, self._next_token = self._next_token, (self._next_token + 1) % 2**32
        self._pinged = now
        if self._asked is None:
            self._asked = now
        self._awaited[token] = now
        if len(self._awaited) > 16:
            del self._awaited[next(iter(self._awaited))]
        return token

    def suspect(self, now: float, patience: float = limits.PROBE_SECONDS) -> None:
        """Another sign says that the far end may be gone: send a ping now and expect a quick answer.

        Args:
            patience: seconds that the answer may take, if that is more than three round trips.
        """
        until = now + max(patience, 3 * (self.round_trip or 0.0))
        self._probe_until = until if self._probe_until is None else min(until, self._probe_until)

    def tick(self, now: float) -> Verdict:
        """Call at `deadline` (earlier is harmless)."""
        if now > self.deadline + limits.STALL_SECONDS:
            self._heard = now
            self._asked = None
            self.suspect(now)
            return Verdict.PING
        if now >= self._dead_at:
            return Verdict.DEAD
        if self._probe_until is not None and now >= self._probe_until:
            return Verdict.DEAD
        if now >= self._used + limits.IDLE_SECONDS and self._asked is None and self.round_trip is not None:
            self._idle = True
        return Verdict.PING if now >= self._next_ping else Verdict.QUIET
