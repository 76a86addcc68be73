"""From samples and outages to what can be drawn. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from p4.core import limits

__all__ = ["Outage", "Picture", "Point", "Run", "Sample", "Summary", "draw"]


@dataclass(frozen=True, slots=True)
class Sample:
    """A link that is up, at one moment. Times are Unix milliseconds."""

    at_ms: int
    round_trip: float | None
    """Seconds."""
    path: str
    """``lan``, ``direct``, ``relay``, or empty where it is not known."""
    sending: float | None
    """Bytes a second."""
    receiving: float | None


@dataclass(frozen=True, slots=True)
class Outage:
    """A time without a link that began while there was one."""

    began_ms: int
    ended_ms: int | None
    """None while it lasts."""
    recovered: bool
    """Whether a link ended it, and not the end of our own program."""
    reason: str


@dataclass(frozen=True, slots=True)
class Run:
    """A time in which our program ran, as far as was written down."""

    began_ms: int
    ended_ms: int


@dataclass(frozen=True, slots=True)
class Point:
    """The samples of one step of the picture."""

    at_ms: int
    """The middle of the step."""
    least: float | None
    """Of the round trips, seconds; None if none is known."""
    median: float | None
    most: float | None
    path: str
    """The path of the last sample."""
    throughput: float
    """Most bytes a second, both ways together."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The same in figures."""

    connected: float | None
    """Part of the time in which our program ran, 0 to 1; None if it did not."""
    round_trip: float | None
    """Median, seconds."""
    outages: int
    recovery: float | None
    """Median time of those that a link ended, seconds."""
    longest: float | None
    """Longest of them, seconds."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One contact's links between two moments (Unix milliseconds)."""

    from_ms: int
    to_ms: int
    points: tuple[Point, ...]
    outages: tuple[Outage, ...]
    runs: tuple[Run, ...]
    summary: Summary


def draw(
    samples: Sequence[Sample], outages: Sequence[Outage], runs: Sequence[Run], *, from_ms: int, to_ms: int
) -> Picture:
    """The picture of the time from one moment to another.

    Args:
        samples: oldest first; those outside are left out, as are outages and runs.
    """
    inside = [sample for sample in samples if from_ms <= sample.at_ms < to_ms]
    shown = [
        outage
        for outage in outages
        if outage.began_ms < to_ms and (outage.ended_ms is None or outage.ended_ms > from_ms)
    ]
    ran = [
        Run(max(run.began_ms, from_ms), min(run.ended_ms, to_ms))
        for run in runs
        if run.began_ms < to_ms and run.ended_ms > from_ms
    ]
    recoveries = [
        (outage.ended_ms - outage.began_ms) / 1000
        for outage in shown
        if outage.recovered and outage.ended_ms is not None
    ]
    round_trips = [sample.round_trip for sample in inside if sample.round_trip is not None]
    running_ms = sum(run.ended_ms - run.began_ms for run in ran)
    connected_ms = len(inside) * limits.HISTORY_SAMPLE_SECONDS * 1000
    return Picture(
        from_ms=from_ms,
        to_ms=to_ms,
        points=tuple(_points(inside, from_ms, to_ms)),
        outages=tuple(shown),
        runs=tuple(ran),
        summary=Summary(
            connected=min(1.0, connected_ms / running_ms) if running_ms else None,
            round_trip=median(round_trips) if round_trips else None,
            outages=len(shown),
            recovery=median(recoveries) if recoveries else None,
            longest=max(recoveries, default=None),
        ),
    )


def _points(samples: Sequence[Sample], from_ms: int, to_ms: int) -> list[Point]:
    least_ms = limits.HISTORY_SAMPLE_SECONDS * 1000
    step = max(least_ms, -(-(to_ms - from_ms) // limits.HISTORY_POINTS))
    steps: dict[int, list[Sample]] = {}
    for sample in samples:
        steps.setdefault((sample.at_ms - from_ms) // step, []).append(sample)
    return [_point(found, from_ms + number * step + step // 2) for number, found in steps.items()]


def _point(samples: list[Sample], at_ms: int) -> Point:
    known = [sample.round_trip for sample in samples if sample.round_trip is not None]
    return Point(
        at_ms=at_ms,
        least=min(known, default=None),
        median=median(known) if known else None,
        most=max(known, default=None),
        path=samples[-1].path,
        throughput=max((sample.sending or 0.0) + (sample.receiving or 0.0) for sample in samples),
    )
