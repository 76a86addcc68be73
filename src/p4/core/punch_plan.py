"""The two sides of port guessing as state machines of time (spec/punch.md, Packets). Pure.

Both are driven alike: `due` is called about every `limits.PUNCH_TICK_SECONDS` and gives what to send,
`received` takes an authentic packet and gives the replies, until `pair` is set or `over` is true. All
times are monotonic seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice

from p4.core import limits
from p4.core.punch import PacketKind, probe_ports

__all__ = ["EasyPlan", "HardPlan", "Sending"]

Sending = tuple[PacketKind, int]
"""A packet; and the port it goes to (easy side), or the number of the socket it leaves from (hard side)."""

_CHOSEN_SECONDS = 0.1
_ANSWERED_PAUSE_SECONDS = 2.0
_MOST_ANSWERED = 4
_MOST_OPEN_REPLIES = 64
"""PROBEs in reply to OPENs that came in: one would do, and the first are lost at worst."""


@dataclass
class EasyPlan:
    """The side that guesses.

    Args:
        seed: decides the order of ports; secret, for example the key.
        began: when it starts.
    """

    seed: bytes
    began: float
    pair: int | None = None
    """The hard side's port, once it is confirmed."""
    probes: int = 0
    """PROBEs that were sent."""
    _answered: dict[int, float] = field(default_factory=dict)
    _opened: set[int] = field(default_factory=set)
    _ticked: float = float("-inf")
    _replies: int = 0
    """PROBEs in reply to OPENs since then."""
    _chosen: float = float("-inf")

    def __post_init__(self) -> None:
        self._ports = probe_ports(self.seed)

    def over(self, now: float) -> bool:
        """Whether it is given up."""
        return self.pair is None and now >= self.began + limits.PUNCH_EASY_SECONDS

    def due(self, now: float) -> list[Sending]:
        """What to send now. Called too early, or after the end, it is nothing."""
        if self.pair is not None or self.over(now):
            return []
        sending: list[Sending] = []
        if self._answered and now >= self._chosen + _CHOSEN_SECONDS:
            self._chosen = now
            sending += [(PacketKind.CHOSEN, port) for port in self._answered]
        if now >= self._ticked + limits.PUNCH_TICK_SECONDS and not self._paused(now):
            self._ticked = now
            # Replies since the last tick come first: that those ports meet is certain.
            count = max(0, min(_allowance(now - self.began) - self.probes, _PER_TICK - self._replies))
            self._replies = 0
            ports = list(islice(self._ports, count))
            self.probes += len(ports)
            sending += [(PacketKind.PROBE, port) for port in ports]
        return sending

    def received(self, kind: PacketKind, port: int, now: float) -> list[Sending]:
        """Take an authentic packet of the hard side, from one of its ports."""
        if self.pair is not None or self.over(now):
            return []
        if kind is PacketKind.HARD_KEEP and port in self._answered:
            self.pair = port
        elif kind is PacketKind.OPEN and port not in self._opened and self._may_reply(now):
            self._opened.add(port)
            self._replies += 1
            self.probes += 1
            return [(PacketKind.PROBE, port)]
        elif (
            kind is PacketKind.ANSWER and port not in self._answered and len(self._answered) < _MOST_ANSWERED
        ):
            self._answered[port] = now
            return [(PacketKind.CHOSEN, port)]
        return []

    def _may_reply(self, now: float) -> bool:
        """The limits hold for these PROBEs as well; there will be another OPEN."""
        if now >= self._ticked + limits.PUNCH_TICK_SECONDS:
            self._ticked, self._replies = now, 0
        return (
            self._replies < _PER_TICK
            and len(self._opened) < _MOST_OPEN_REPLIES
            and self.probes < limits.PUNCH_PROBES
        )

    def _paused(self, now: float) -> bool:
        return bool(self._answered) and now < max(self._answered.values()) + _ANSWERED_PAUSE_SECONDS


@dataclass
class HardPlan:
    """The side that opens many ports.

    Args:
        sockets: how many it has.
        began: when it starts.
    """

    sockets: int
    began: float
    pair: int | None = None
    """The number of the chosen socket."""
    _opens: int = 0

    def over(self, now: float) -> bool:
        """Whether it is given up."""
        return self.pair is None and now >= self.began + limits.PUNCH_HARD_SECONDS

    def due(self, now: float) -> list[Sending]:
        """What to send now."""
        elapsed = now - self.began
        if self.pair is not None or elapsed < 0 or self.over(now):
            return []
        turn = int(elapsed / limits.PUNCH_OPEN_AGAIN_SECONDS)
        # What a stalled loop missed of an earlier round is left out: the round is over.
        self._opens = max(self._opens, turn * self.sockets)
        in_turn = int((elapsed - turn * limits.PUNCH_OPEN_AGAIN_SECONDS) * limits.PUNCH_OPENS_PER_SECOND) + 1
        until = turn * self.sockets + min(self.sockets, in_turn)
        until = min(until, self._opens + _OPENS_PER_TICK)
        numbers = range(self._opens, max(until, self._opens))
        self._opens = numbers.stop
        return [(PacketKind.OPEN, number % self.sockets) for number in numbers]

    def received(self, kind: PacketKind, number: int) -> list[Sending]:
        """Take an authentic packet of the easy side, at one of our sockets."""
        if kind is PacketKind.PROBE and self.pair is None:
            return [(PacketKind.ANSWER, number)]
        if kind is PacketKind.CHOSEN and self.pair in {None, number}:
            self.pair = number
            return [(PacketKind.HARD_KEEP, number)]
        return []


_PER_TICK = int(limits.PUNCH_PROBES_PER_SECOND * limits.PUNCH_TICK_SECONDS)
_OPENS_PER_TICK = int(limits.PUNCH_OPENS_PER_SECOND * limits.PUNCH_TICK_SECONDS)


def _allowance(elapsed: float) -> int:
    """Probes that may have been sent by then: quick while most attempts succeed, then half as quick."""
    fast = limits.PUNCH_PROBES_PER_SECOND * min(elapsed, limits.PUNCH_FAST_SECONDS)
    slow = limits.PUNCH_PROBES_PER_SECOND / 2 * max(0.0, elapsed - limits.PUNCH_FAST_SECONDS)
    return min(limits.PUNCH_PROBES, int(fast + slow) + 1)
