"""A transfer as JSON, and what is told when it changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from p4.apps.files.transfer import Direction, Transfer, TransferState
from p4.daemon.event_feed import EventFeed
from p4.daemon.models import ContactName

if TYPE_CHECKING:
    from p4.apps.files.app import FilesApp

__all__ = ["NoteModel", "ProgressModel", "TransferModel", "announce_transfers"]


class ProgressModel(BaseModel):
    """How far it is. What is not known is null."""

    phase: str = Field(
        description="`waiting` for the contact, `comparing`, `copying`, `finishing` or `done`."
    )
    files: int
    files_done: int = Field(description="Under their names on the receiver's disk.")
    bytes: int
    bytes_done: int = Field(description="Safe on the receiver's disk, as far as is known.")
    omitted: int = Field(description="Files and folders that were left out or could not be stored.")
    bytes_per_second: float | None
    seconds_left: float | None


class NoteModel(BaseModel):
    """About a single file."""

    code: str
    text: str


class TransferModel(BaseModel):
    """One transfer."""

    id: str
    direction: Direction = Field(
        description="`send`, `fetch`: ours. `receive`, `serve`: the contact's, which sends or fetches."
    )
    contact: ContactName
    sources: list[str]
    target: str
    recursive: bool
    overwrite: bool
    follow: bool
    state: TransferState
    code: str = Field(description="Why it failed; see p4.errors.TransferError. Empty if it did not.")
    message: str = Field(description="Likewise, for a person.")
    created_ms: int
    changed_ms: int
    progress: ProgressModel
    notes: list[NoteModel] | None = Field(description="Null where many transfers are listed.")

    @classmethod
    def of(cls, app: FilesApp, transfer: Transfer, *, notes: bool = False) -> TransferModel:
        """From the app's own."""
        name = app.contact_name(transfer)
        return cls(
            id=transfer.id,
            direction=transfer.direction,
            contact=ContactName(id=transfer.peer_id, name=name if name != transfer.peer_id else ""),
            sources=transfer.sources,
            target=transfer.target,
            recursive=transfer.recursive,
            overwrite=transfer.overwrite,
            follow=transfer.follow,
            state=transfer.state,
            code=transfer.code,
            message=transfer.text,
            created_ms=transfer.created_ms,
            changed_ms=transfer.changed_ms,
            progress=ProgressModel.model_validate(app.figures(transfer)),
            notes=[NoteModel(**note) for note in transfer.progress.notes] if notes else None,
        )


def announce_transfers(feed: EventFeed, app: Callable[[], FilesApp]) -> Callable[[Transfer], None]:
    """What the app is given to tell of its transfers: each change is an event ``transfer.changed``."""

    def announce(transfer: Transfer) -> None:
        feed.publish("transfer.changed", TransferModel.of(app(), transfer).model_dump(mode="json"))

    return announce
