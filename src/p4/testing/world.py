"""What the simulated streams and links share: places, paths between them, seeded chance and a trace.

Use `p4.testing.network`; this module is its foundation.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from p4.testing.virtual_time import task_owner

__all__ = ["Conditions", "CrashedError", "Lane", "Process", "World"]

T = TypeVar("T")
Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Conditions:
    """How the simulated network behaves. Times are seconds, drawn evenly from (least, most)."""

    latency: Range = (0.01, 0.08)
    """One way, of a line on a signaling stream."""
    dial: Range = (0.05, 0.4)
    """To build a signaling stream, beside the latency."""
    publish: Range = (0.05, 0.5)
    """From the start of a rendezvous until others reach it."""
    dial_refused: float = 0.0
    """Probability that a dial fails at once."""
    dial_lost: float = 0.0
    """Probability that a dial hangs until its time-out."""
    dead_dial_hangs: float = 0.5
    """Probability that dialling an address where nobody listens hangs instead of failing."""
    line_breaks_stream: float = 0.0
    """Probability, per line, that the stream breaks instead of carrying it."""
    stale_addresses: bool = False
    """After a restart of the dialled host, a dial hangs until a fresh attempt joins it, or is one."""
    link_latency: Range = (0.002, 0.03)
    """One way, of a message on a link."""
    link_message_lost: float = 0.0
    """Probability that a message on an unreliable channel never arrives."""
    link_gathering: Range = (0.0, 0.02)
    """To make an offer or an answer."""
    link_setup: Range = (0.02, 0.2)
    """From the answer's arrival until the link opens."""
    link_fails: float = 0.0
    """Probability that a negotiated link never opens."""
    link_open_seconds: float = 30.0
    """How long the library of a link tries to connect before it gives up."""
    consent_seconds: float = 30.0
    """Silence after which the library of a link notices that the path is dead (RFC 7675)."""


class CrashedError(Exception):
    """The simulated host died while a test waited for something that ran on it."""


class World:
    """The state of a simulation that belongs to no host.

    Args:
        seed: decides everything that is left to chance.
        conditions: may be replaced while the simulation runs.
    """

    def __init__(self, seed: int | str, conditions: Conditions) -> None:
        self.seed = seed
        self.conditions = conditions
        self.random = random.Random(f"network {seed}")  # noqa: S311 - repeatable on purpose
        self.trace: deque[str] = deque(maxlen=5000)
        self.addresses: dict[str, frozenset[str]] = {}
        """Of places, the addresses that they have now; one that is not here has none that could change."""
        self._cuts: set[tuple[str, str]] = set()
        self._detours: set[frozenset[str]] = set()
        self._held: dict[Callable[[], None], None] = {}

    def now(self) -> float:
        """Seconds of the loop's clock."""
        return asyncio.get_running_loop().time()

    def note(self, text: str) -> None:
        """Add a line with the time to the trace."""
        self.trace.append(f"{asyncio.get_running_loop().time():12.4f}  {text}")

    def draw(self, span: Range) -> float:
        """A number from the span."""
        return self.random.uniform(*span)

    def chance(self, probability: float) -> bool:
        """Whether something of this probability happens now."""
        return probability > 0 and self.random.random() < probability

    # --- paths ----------------------------------------------------------------------------------------

    def blocked(self, source: str, target: str) -> bool:
        """Whether packets from one place to the other vanish."""
        return (source, target) in self._cuts

    def cut(self, source: str, target: str) -> None:
        """From now on packets from ``source`` to ``target`` vanish (one direction)."""
        self._cuts.add((source, target))

    def only_relayed(self, one: str, other: str) -> bool:
        """Whether links between the two places get through over a relay only."""
        return frozenset((one, other)) in self._detours

    def cut_direct(self, one: str, other: str) -> None:
        """From now on links between the two places need a relay (both directions)."""
        self._detours.add(frozenset((one, other)))

    def mend_direct(self, one: str, other: str) -> None:
        """Undo `cut_direct`."""
        self._detours.discard(frozenset((one, other)))
        self._flow_again()

    def mend(self, pairs: Iterable[tuple[str, str]] | None = None) -> None:
        """Undo `cut` for these directions, or for all; what was held back flows again."""
        self._cuts = self._cuts - set(pairs) if pairs is not None else set()
        self._flow_again()

    def when_mended(self, retry: Callable[[], None]) -> None:
        """Call ``retry`` after the next `mend`."""
        self._held[retry] = None

    def _flow_again(self) -> None:
        held, self._held = list(self._held), {}
        for retry in held:
            retry()

    def forget_held(self, retry: Callable[[], None]) -> None:
        """Undo `when_mended`."""
        self._held.pop(retry, None)


class Process:
    """One incarnation of a host: the tasks that run on it, and whether it still lives.

    Args:
        place: the host's name; the same for all its incarnations.
        incarnation: counts from 1.
    """

    def __init__(self, world: World, place: str, incarnation: int) -> None:
        self.world = world
        self.place = place
        self.name = f"{place}#{incarnation}"
        self.incarnation = incarnation
        self.alive = True
        self.at_crash: dict[Callable[[bool], None], None] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._context = copy_context()
        self._context.run(task_owner.set, self._tasks)

    def spawn(self, coro: Coroutine[Any, Any, T], *, name: str = "main") -> asyncio.Task[T]:
        """Run a coroutine as part of this process; it and every task it makes die with the process."""
        # A copy per task: two tasks must not be inside one Context at the same time.
        return asyncio.get_running_loop().create_task(
            coro, name=f"{self.name} {name}", context=self._context.copy()
        )

    async def run(self, coro: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine as part of this process and give its result.

        Raises:
            CrashedError: the process died before.
        """
        task = self.spawn(coro)
        await asyncio.wait([task])
        if not self.alive and (task.cancelled() or task.exception() is not None):
            raise CrashedError(f"{self.name} died")
        return task.result()

    def later(self, delay: float, callback: Callable[..., object], *arguments: object) -> asyncio.TimerHandle:
        """Call back inside this process after ``delay`` seconds, unless it is dead by then."""

        def guarded() -> None:
            if self.alive:
                callback(*arguments)

        loop = asyncio.get_running_loop()
        return loop.call_later(delay, guarded, context=self._context.copy())

    def require_alive(self) -> None:
        """End the caller if its process is dead: what a dead process calls never returns to it."""
        if not self.alive:
            raise asyncio.CancelledError

    def die(self, *, silent: bool) -> None:
        """Stop everything at once. ``silent``: not even the operating system is left to say goodbye."""
        if not self.alive:
            return
        self.alive = False
        self.world.note(f"{self.name} {'loses power' if silent else 'is killed'}")
        for callback in list(self.at_crash):
            callback(silent)
        self.at_crash.clear()
        for task in list(self._tasks):
            task.cancel()


class Lane(Generic[T]):
    """One direction of a stream or channel: carries items in order, late, and only while the path is open.

    Args:
        deliver: called inside the target process for each item.
        latency: drawn anew for each item; a later item never overtakes.
    """

    def __init__(
        self,
        source: Process,
        target: Process,
        latency: Callable[[], float],
        deliver: Callable[[T], None],
        *,
        blocked: Callable[[], bool] = lambda: False,
    ) -> None:
        self._source = source
        self._target = target
        self._latency = latency
        self._deliver = deliver
        self._blocked = blocked
        self._queue: deque[tuple[float, T]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    def send(self, item: T) -> None:
        """Hand an item to the network."""
        if self._stopped:
            return
        due = asyncio.get_running_loop().time() + self._latency()
        if self._queue:
            due = max(due, self._queue[-1][0])
        self._queue.append((due, item))
        if len(self._queue) == 1:
            self._wait()

    def lose_tail(self) -> None:
        """Of what is on its way only a random first part will arrive."""
        for _ in range(self._source.world.random.randint(0, len(self._queue))):
            self._queue.pop()

    def stop(self) -> None:
        """Nothing more arrives."""
        self._stopped = True
        self._queue.clear()
        self._source.world.forget_held(self.retry)
        if self._timer is not None:
            self._timer.cancel()

    def retry(self) -> None:
        """The path may be open again."""
        if self._timer is not None:
            self._timer.cancel()
        if not self._stopped and self._queue:
            self._timer = self._target.later(self._latency(), self._arrive)

    def _wait(self) -> None:
        delay = self._queue[0][0] - asyncio.get_running_loop().time()
        self._timer = self._target.later(max(0.0, delay), self._arrive)

    def _arrive(self) -> None:
        world = self._source.world
        if not self._queue or self._stopped:
            return
        if world.blocked(self._source.place, self._target.place) or self._blocked():
            world.when_mended(self.retry)
            return
        _, item = self._queue.popleft()
        if self._queue:
            self._wait()
        self._deliver(item)
