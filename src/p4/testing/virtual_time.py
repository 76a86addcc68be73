"""Virtual time: an asyncio event loop whose clock jumps to the next timer when nothing is ready.

An hour of heartbeats and time-outs runs in a second, and always in the same way. A loop that nothing
can ever wake, which would hang for ever in real life, becomes an error that names the waiting tasks.

What it cannot do, it refuses with `VirtualTimeError`: threads (``run_in_executor``), real sockets,
subprocesses. Those need the real loop.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import selectors
import threading
from collections.abc import Callable, Coroutine, Generator, Mapping
from concurrent.futures import Executor
from contextvars import Context, ContextVar
from typing import Any, NoReturn, TypeVar, TypeVarTuple

__all__ = ["SeededEntropy", "VirtualClock", "VirtualTimeError", "VirtualTimeLoop", "run"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

START_SECONDS = 1000.0
"""Where the clock begins. Not 0, so that code which takes 0 for "never" shows itself."""

START_WALL_MS = 1_767_225_600_000
"""Wall clock at the start: 2026-01-01 00:00 UTC."""

CLEANUP_SECONDS = 60.0
"""Virtual time granted to the cancelled tasks after the limit was reached."""

CLEANUP_ROUNDS = 10
"""How often tasks that begin while others are being cancelled are cancelled in their turn."""

RESOLUTION_SECONDS = 1e-6
"""Timers closer together than this fire in one turn. Coarser than the rounding of a float clock that
has run for a century, so that a jump always reaches its timer."""

task_owner: ContextVar[set[asyncio.Task[Any]] | None] = ContextVar("task_owner", default=None)
"""The set that new tasks of this context are entered in; a simulated host finds its tasks by it."""


class VirtualTimeError(RuntimeError):
    """A test asked virtual time for something impossible. A mistake in the test or a deadlock.

    Deliberately not a `p4.P4Error`: no handler for expected failures may swallow it.
    """


class _CountedTask(asyncio.Task[T]):
    """A task whose hash is its serial number, so that sets of tasks have the same order in each run."""

    def __init__(self, coro: Coroutine[Any, Any, T], *, serial: int, **options: Any) -> None:
        self._serial = serial
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        return self._serial

    def __eq__(self, other: object) -> bool:
        return self is other


class _JumpingSelector(selectors.BaseSelector):
    """Waits for nothing: what would be waiting time is added to the clock."""

    def __init__(self, limit: float) -> None:
        self.now = START_SECONDS
        self._limit = START_SECONDS + limit
        self._keys: dict[int, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        # The loop registers one descriptor of its own, its wake-up pipe, when it is made.
        if self._keys:
            raise VirtualTimeError(
                "Real sockets, pipes and subprocesses do not work on virtual time: their data would take "
                "no time at all or for ever. Use the real event loop for this test."
            )
        descriptor = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        key = selectors.SelectorKey(fileobj, descriptor, events, data)
        self._keys[descriptor] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj if isinstance(fileobj, int) else fileobj.fileno())

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise VirtualTimeError(
                f"Nothing can ever wake this loop: no task is ready and no timer is set.\n{_waiting_tasks()}"
            )
        if timeout > 0:
            if self.now + timeout > self._limit:
                self._limit += CLEANUP_SECONDS
                raise VirtualTimeError(
                    f"The run did not end within its limit of virtual time (now {self.now:.3f} s, "
                    f"next timer {self.now + timeout:.3f} s).\n{_waiting_tasks()}"
                )
            self.now += timeout
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time; usually made by `run`.

    Args:
        limit: seconds of virtual time after which the run is ended with `VirtualTimeError`. It turns
            the endless wait beside a running heartbeat into an error.

    ``unhandled`` collects exceptions that no one awaited (of callbacks and of forgotten tasks).
    """

    def __init__(self, *, limit: float = 3600.0) -> None:
        self._jumping = _JumpingSelector(limit)
        self._thread_id = threading.get_ident()
        self._serials = itertools.count()
        self.unhandled: list[BaseException] = []
        super().__init__(self._jumping)
        self._clock_resolution = RESOLUTION_SECONDS
        self.set_task_factory(self._make_task)
        self.set_exception_handler(_collect)

    def time(self) -> float:
        """Virtual seconds; begins at ``START_SECONDS``."""
        return self._jumping.now

    def _make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        **options: Any,
    ) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = _CountedTask(coro, serial=next(self._serials), loop=loop, **options)  # type: ignore[arg-type]
        context: Context | None = options.get("context")
        owner = task_owner.get() if context is None else context.get(task_owner)
        if owner is not None:
            owner.add(task)
            task.add_done_callback(owner.discard)
        return task

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Refused: a thread takes real time, of which this loop knows nothing."""
        raise VirtualTimeError(
            f"{getattr(func, '__qualname__', func)!r} was to run in a thread, and threads do not work on "
            "virtual time. Use a fake (such as MemoryStore for a database) or the real event loop."
        )

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """As in asyncio, but refused on any other thread."""
        if threading.get_ident() != self._thread_id:
            raise VirtualTimeError(
                "Another thread called into a loop on virtual time, which cannot wait for it."
            )
        return super().call_soon_threadsafe(callback, *args, context=context)

    async def shutdown_asyncgens(self) -> None:
        """As in asyncio; and before that, end what the tasks began while they were being cancelled.

        ``asyncio.Runner`` cancels only the tasks that it finds, and a stream that is reset for that reason
        still gives its disk something to write.
        """
        ending = asyncio.current_task(self)
        for _ in range(CLEANUP_ROUNDS):
            late = [task for task in asyncio.all_tasks(self) if task is not ending]
            if not late:
                break
            for task in late:
                task.cancel()
            await asyncio.wait(late)
        await super().shutdown_asyncgens()

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: object) -> NoReturn:
        """Refused the way that loops without signals refuse it (asyncio on Windows)."""
        raise NotImplementedError("no signal handlers on virtual time")


def _collect(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    if isinstance(loop, VirtualTimeLoop) and error is not None:
        loop.unhandled.append(error)
    loop.default_exception_handler(context)


def _waiting_tasks() -> str:
    """One line per task of the running loop: its name and where it waits."""
    lines = []
    for task in sorted(asyncio.all_tasks(), key=asyncio.Task.get_name):
        stack = task.get_stack()
        place = f"{stack[-1].f_code.co_filename}:{stack[-1].f_lineno}" if stack else "not started"
        lines.append(f"  waiting: {task.get_name()} in {task.get_coro()!r:.120} at {place}")
    return "\n".join(lines) or "  no task is left"


def run(main: Coroutine[Any, Any, T], *, limit: float = 3600.0) -> T:
    """Run a coroutine to its end on a new loop with virtual time, like ``asyncio.run``.

    Args:
        limit: the most virtual seconds that it may take.

    Raises:
        VirtualTimeError: nothing can wake the loop any more, or the limit was reached.
        ExceptionGroup: ``main`` ended well, but a callback or an unawaited task had raised.
    """
    loop: VirtualTimeLoop | None = None

    def make_loop() -> VirtualTimeLoop:
        nonlocal loop
        loop = VirtualTimeLoop(limit=limit)
        return loop

    with asyncio.Runner(loop_factory=make_loop) as runner:
        result = runner.run(main)
    if loop is not None and loop.unhandled:
        raise BaseExceptionGroup("Exceptions that no one awaited", loop.unhandled)
    return result


class VirtualClock:
    """`p4.ports.Clock` on the running loop's time, with a wall clock that a test may move.

    Args:
        wall_ms: Unix milliseconds that the wall clock shows at the start of the loop.
    """

    def __init__(self, wall_ms: int = START_WALL_MS) -> None:
        self._wall_at_start_ms = wall_ms

    def monotonic(self) -> float:
        """The running loop's time."""
        return asyncio.get_running_loop().time()

    def wall_ms(self) -> int:
        """Unix milliseconds; runs with the loop's time, jumps with `jump`."""
        return self._wall_at_start_ms + round((self.monotonic() - START_SECONDS) * 1000)

    def set_wall_ms(self, wall_ms: int) -> None:
        """Set the wall clock, as a person or NTP does; the monotonic one does not notice."""
        self._wall_at_start_ms += wall_ms - self.wall_ms()

    def jump(self, seconds: float) -> None:
        """Move the wall clock forth or (negative) back, as a suspend or a wrong clock does."""
        self._wall_at_start_ms += round(seconds * 1000)


class SeededEntropy:
    """`p4.ports.Entropy` that gives the same numbers for the same seed. For tests only."""

    def __init__(self, seed: int | str) -> None:
        self._random = random.Random(f"entropy {seed}")  # noqa: S311 - repeatable on purpose

    def token(self, length: int) -> bytes:
        """``length`` bytes from the seeded sequence."""
        return self._random.randbytes(length)

    def uniform(self, low: float, high: float) -> float:
        """A number between ``low`` and ``high`` from the seeded sequence."""
        return self._random.uniform(low, high)
