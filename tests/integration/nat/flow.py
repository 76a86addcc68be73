"""What became of numbered messages in one direction. Pure: every time is an argument.

Times are seconds of `time.monotonic`, which all processes of a machine share.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

__all__ = ["Flow"]


@dataclass(slots=True)
class Flow:
    """All messages of one direction, from the first to the last process of each side."""

    sent_at: dict[int, float] = field(default_factory=dict)
    """By number: when the sender's application handed it over. A killed one may not have got it to disk."""
    accepted: set[int] = field(default_factory=set)
    """The node said that they are on disk."""
    arrivals: list[tuple[int, float]] = field(default_factory=list)
    """Number and time, in the order of arrival; repeats as well."""
    done: set[int] = field(default_factory=set)
    """The receiver's application said that it has dealt with them, and the node that it knows."""
    doubled: list[int] = field(default_factory=list)
    """Arrived again although they were done, or twice in one process."""
    _first_at: dict[int, float] = field(default_factory=dict)
    _in_process: set[int] = field(default_factory=set)

    def arrived(self, number: int, at: float) -> None:
        """A message is handed to the receiver's application."""
        self.arrivals.append((number, at))
        if number in self.done or number in self._in_process:
            self.doubled.append(number)
        self._in_process.add(number)
        self._first_at.setdefault(number, at)

    def receiver_restarted(self) -> None:
        """What the killed process had not done may come again."""
        self._in_process.clear()

    @property
    def next_number(self) -> int:
        """A number that was not used before."""
        return max(self.sent_at, default=0) + 1

    @property
    def missing(self) -> list[int]:
        """Accepted, and not arrived until now."""
        return sorted(self.accepted - self._first_at.keys())

    @property
    def disordered(self) -> list[int]:
        """Those that came after one with a higher number."""
        found, highest, known = [], 0, set()
        for number, _ in self.arrivals:
            if number in known:
                continue
            known.add(number)
            if number < highest:
                found.append(number)
            highest = max(highest, number)
        return found

    def prompt_since(self, since: float, now: float, *, late: float, count: int, keeps: bool = True) -> bool:
        """Whether the last ``count`` messages sent after ``since`` were quick and none is waited for.

        Args:
            since: begin of the time looked at.
            now: its end.
            late: seconds from which a message counts as late.
            count: how many.
            keeps: whether the program brings over everything in the end; otherwise what a later message has
                overtaken is not waited for.
        """
        numbers = sorted(n for n in self.accepted if self.sent_at[n] > since and n in self._first_at)
        last = numbers[-count:]
        if len(last) < count or any(self._first_at[n] - self.sent_at[n] > late for n in last):
            return False
        # One that has just been sent is on its way.
        waited_for = self.missing if keeps else [n for n in self.missing if n > last[-1]]
        return all(n > last[0] and now - self.sent_at[n] <= late for n in waited_for)

    def disturbed_until(self, since: float, late: float) -> float | None:
        """When the last late message arrived, of those that arrived after ``since``; None if none was late.

        Messages wait for a link that is down and arrive together once it is up, so this is when the
        direction flows again, and stays so. In place of one that is lost stands the next one that is not.
        """
        times = [
            at
            for number, at in self._first_at.items()
            if at > since and number in self.sent_at and at - self.sent_at[number] > late
        ]
        if lost := [n for n in self.missing if n < max(self._first_at, default=0)]:
            after = self._first_at[min(n for n in self._first_at if n > lost[-1])]
            times += [after] * (after > since)
        return max(times, default=None)

    def longest_silence(self, since: float) -> float:
        """The longest time between two arrivals in seconds, the later of them after ``since``."""
        times = [at for _, at in self.arrivals]
        return max(
            (later - earlier for earlier, later in pairwise(times) if later > since),
            default=0.0,
        )
