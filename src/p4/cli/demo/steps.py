"""What every scene of the demonstration is made of: steps with a time, a target and a limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from p4.cli.demo.display import Display, Result, Verdict
from p4.errors import LocalError

__all__ = ["Measured", "StepFailedError", "Steps"]


class StepFailedError(LocalError):
    """A step did not work; it and its reason have been shown."""


@dataclass(slots=True)
class Measured:
    """What a step found out while it lasted."""

    seconds: float | None = None
    detail: str = ""
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Steps:
    """Carries steps out and keeps their results.

    Args:
        display: told about every step.
        results: gets a result for each.
        limit_seconds: after this a step counts as failed.
        pause_seconds: for reading, between steps.
    """

    display: Display
    results: list[Result] = field(default_factory=list)
    limit_seconds: float = 60.0
    pause_seconds: float = 0.0

    @asynccontextmanager
    async def step(
        self, title: str, *, target: float | None = None, limit: float | None = None
    ) -> AsyncIterator[Measured]:
        """One step; what is measured goes into the object that this gives.

        Args:
            target: what P4 wants to reach, in seconds.
            limit: instead of the usual one.

        Raises:
            StepFailedError: a LocalError was raised inside, or the limit has passed.
        """
        limit = limit or self.limit_seconds
        measured = Measured()
        self.display.begin(title)
        try:
            async with asyncio.timeout(limit):
                yield measured
        except (LocalError, TimeoutError) as error:
            reason = error.message if isinstance(error, LocalError) else f"It was not over after {limit:g} s."
            self._end(Result(title, Verdict.FAILED, None, target, reason))
            raise StepFailedError(reason) from error
        slow = target is not None and measured.seconds is not None and measured.seconds > target
        verdict = Verdict.SLOW if slow else Verdict.OK
        self._end(Result(title, verdict, measured.seconds, target, measured.detail, measured.evidence))

    async def pause(self) -> None:
        """Time to read."""
        await asyncio.sleep(self.pause_seconds)

    def _end(self, result: Result) -> None:
        self.results.append(result)
        self.display.end(result)
