"""A picture of a contact's links: round trips, outages, how long it took to come back."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, Field

from p4.apps.history import Picture
from p4.core import limits
from p4.daemon.dependencies import Apps, NamedContact, Owner
from p4.daemon.models import ContactName
from p4.daemon.routing import api_router

__all__ = ["router"]

router = api_router("history")

_DAY_SECONDS = limits.HISTORY_SAMPLES * limits.HISTORY_SAMPLE_SECONDS


class PointModel(BaseModel):
    """One step of the picture in which there was a link."""

    at_ms: int = Field(description="The middle of the step.")
    least: float | None = Field(description="Shortest round trip in it, seconds.")
    median: float | None
    most: float | None
    path: str = Field(description="`lan`, `direct`, `relay`, or empty.")
    throughput: float = Field(description="Most bytes a second, both ways together.")


class OutageModel(BaseModel):
    """A time without a link that began while there was one."""

    began_ms: int
    ended_ms: int | None = Field(description="null while it lasts.")
    recovered: bool = Field(description="Whether a link ended it, and not the end of the daemon.")
    reason: str


class RunModel(BaseModel):
    """A time in which the daemon ran."""

    began_ms: int
    ended_ms: int


class SummaryModel(BaseModel):
    """The same in figures."""

    connected: float | None = Field(description="Part of the daemon's running time, 0 to 1.")
    round_trip: float | None = Field(description="Median, seconds.")
    outages: int
    recovery: float | None = Field(description="Median time until a link was back, seconds.")
    longest: float | None = Field(description="Longest time until a link was back, seconds.")


class HistoryModel(BaseModel):
    """One contact's links between two moments."""

    contact: ContactName
    from_ms: int
    to_ms: int
    points: list[PointModel]
    outages: list[OutageModel]
    runs: list[RunModel]
    summary: SummaryModel


@router.get("/contacts/{contact}/history")
async def read_link_history(
    contact: NamedContact,
    apps: Apps,
    access: Owner,
    seconds: Annotated[int, Query(ge=60, le=_DAY_SECONDS, description="How far back.")] = 3600,
) -> HistoryModel:
    """A contact's links in the last seconds, at most a day. Owner only."""
    return _model(ContactName.of(contact), await apps.history.picture(contact, seconds))


def _model(contact: ContactName, picture: Picture) -> HistoryModel:
    summary = picture.summary
    return HistoryModel(
        contact=contact,
        from_ms=picture.from_ms,
        to_ms=picture.to_ms,
        points=[
            PointModel(
                at_ms=point.at_ms,
                least=point.least,
                median=point.median,
                most=point.most,
                path=point.path,
                throughput=point.throughput,
            )
            for point in picture.points
        ],
        outages=[
            OutageModel(
                began_ms=outage.began_ms,
                ended_ms=outage.ended_ms,
                recovered=outage.recovered,
                reason=outage.reason,
            )
            for outage in picture.outages
        ],
        runs=[RunModel(began_ms=run.began_ms, ended_ms=run.ended_ms) for run in picture.runs],
        summary=SummaryModel(
            connected=summary.connected,
            round_trip=summary.round_trip,
            outages=summary.outages,
            recovery=summary.recovery,
            longest=summary.longest,
        ),
    )
