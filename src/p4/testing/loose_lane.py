"""One direction of a simulated channel that is unordered, unreliable or both.

The ordered, reliable kind is `p4.testing.world.Lane`. What the two share is the interface.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from typing import Generic, TypeVar

from p4.testing.world import Process

__all__ = ["LooseLane"]

T = TypeVar("T")


class LooseLane(Generic[T]):
    """Carries each item by itself: late, and only while the path is open.

    Args:
        latency: seconds, drawn anew for each item.
        deliver: called inside the target process for each item that arrives.
        sent: called inside the source process when an item waits there no longer: a reliable one once it
            arrived, another as soon as it is on the wire, whatever becomes of it.
        blocked: whether the path is silent, beside what the world says.
        ordered: a later item never overtakes.
        reliable: an item that meets a blocked path waits for it. Else it is lost there, and with the
            probability ``link_message_lost`` of the world's conditions anywhere. Never with ``ordered``.
    """

    def __init__(
        self,
        source: Process,
        target: Process,
        latency: Callable[[], float],
        deliver: Callable[[T], None],
        sent: Callable[[T], None],
        *,
        blocked: Callable[[], bool],
        ordered: bool,
        reliable: bool,
    ) -> None:
        self._source = source
        self._target = target
        self._latency = latency
        self._deliver = deliver
        self._sent = sent
        self._blocked = blocked
        self._ordered = ordered
        self._reliable = reliable
        self._flying: dict[int, T] = {}
        self._held: dict[int, T] = {}
        self._next = 0
        self._last_delay_ends = 0.0
        self._stopped = False

    def send(self, item: T) -> None:
        """Hand an item to the network."""
        if self._stopped:
            return
        number, self._next = self._next, self._next + 1
        delay = self._delay()
        if not self._reliable:
            self._source.later(delay, self._sent, item)
            if self._source.world.chance(self._source.world.conditions.link_message_lost):
                return
        self._flying[number] = item
        self._target.later(delay, self._arrive, number)

    def lose_tail(self) -> None:
        """Nobody sends again: of what is on its way a random part will arrive."""
        self._held.clear()
        for number in list(self._flying):
            if self._source.world.chance(0.5):
                del self._flying[number]

    def stop(self) -> None:
        """Nothing more arrives."""
        self._stopped = True
        self._flying.clear()
        self._held.clear()
        self._source.world.forget_held(self.retry)

    def retry(self) -> None:
        """The path may be open again: what was held back is sent again."""
        held, self._held = self._held, {}
        for number, item in held.items():
            self._flying[number] = item
            self._target.later(self._latency(), self._arrive, number)

    def _delay(self) -> float:
        """Seconds until the next item arrives."""
        delay = self._latency()
        if self._ordered:
            now = self._source.world.now()
            self._last_delay_ends = max(self._last_delay_ends, now + delay)
            delay = self._last_delay_ends - now
        return delay

    def _arrive(self, number: int) -> None:
        # Two of an ordered lane may be due at one instant, and timers of one instant fire in any order.
        due = takewhile(lambda each: each <= number, list(self._flying)) if self._ordered else (number,)
        for each in due:
            if each in self._flying:
                self._pass_on(each, self._flying.pop(each))

    def _pass_on(self, number: int, item: T) -> None:
        world = self._source.world
        if not world.blocked(self._source.place, self._target.place) and not self._blocked():
            if self._reliable:
                self._sent(item)
            self._deliver(item)
        elif self._reliable:
            self._held[number] = item
            world.when_mended(self.retry)
