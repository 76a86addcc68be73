"""Files that are copied to and from contacts, and the folder that contacts may use (docs/files.md)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Request, Response
from pydantic import BaseModel, Field

from p4.core import limits
from p4.daemon.dependencies import Apps, Owner
from p4.daemon.routing import api_router
from p4.daemon.transfer_models import TransferModel
from p4.errors import InputError

__all__ = ["router"]

router = api_router("transfers")

_MOST_SOURCES = 10_000
_Reference = Annotated[str, Path(max_length=64, description="Its id, or a unique beginning of it.")]
_Source = Annotated[str, Field(max_length=limits.FILE_PATH_BYTES)]


class CopyModel(BaseModel):
    """What to copy."""

    contact: str = Field(max_length=256, description="Name, id, or a unique beginning of the id.")
    sources: list[_Source] = Field(min_length=1, max_length=_MOST_SOURCES)
    target: str = Field(default="", max_length=limits.FILE_PATH_BYTES)
    recursive: bool = Field(default=False, description="Whether folders are copied.")
    overwrite: bool = Field(
        default=False, description="Whether a file that is there and differs is replaced; else both are kept."
    )


class SendModel(CopyModel):
    """Absolute paths here, and a path below the contact's shared folder."""

    follow: bool = Field(default=False, description="Whether links are followed instead of copied.")


class ShareModel(BaseModel):
    """The folder that contacts with a grant for `files.write` or `files.read` may use."""

    path: str = Field(min_length=1, max_length=limits.FILE_PATH_BYTES, description="Absolute.")
    read_only: bool = False


class ListedModel(BaseModel):
    """A name in a contact's folder."""

    name: str
    kind: str = Field(description="`file`, `folder` or `link`.")
    size: int
    mtime_ms: int


class ListingModel(BaseModel):
    """A folder of a contact, by name."""

    entries: list[ListedModel]
    more: bool = Field(description="Whether there are more than fit into an answer.")


class TransfersModel(BaseModel):
    """Transfers that run, and the last that have ended; the oldest first."""

    transfers: list[TransferModel]


@router.get("/transfers")
async def list_transfers(apps: Apps, access: Owner) -> TransfersModel:
    """All transfers, of both directions and both sides' wish. Owner only."""
    return TransfersModel(transfers=[TransferModel.of(apps.files, found) for found in apps.files.transfers()])


@router.post("/transfers/send", status_code=201)
async def send_files(wanted: SendModel, apps: Apps, access: Owner) -> TransferModel:
    """Send files and folders; the same task that was paused or has failed goes on instead. Owner only."""
    transfer = await apps.files.send(
        wanted.contact,
        wanted.sources,
        wanted.target,
        recursive=wanted.recursive,
        overwrite=wanted.overwrite,
        follow=wanted.follow,
    )
    return TransferModel.of(apps.files, transfer)


@router.post("/transfers/fetch", status_code=201)
async def fetch_files(wanted: CopyModel, apps: Apps, access: Owner) -> TransferModel:
    """Fetch paths of a contact's shared folder to an absolute path here. Owner only."""
    transfer = await apps.files.fetch(
        wanted.contact,
        wanted.sources,
        wanted.target,
        recursive=wanted.recursive,
        overwrite=wanted.overwrite,
    )
    return TransferModel.of(apps.files, transfer)


@router.post(
    "/transfers/upload",
    status_code=201,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def upload_file(
    request: Request,
    contact: Annotated[str, Query(max_length=256)],
    name: Annotated[str, Query(min_length=1, max_length=limits.FILE_NAME_BYTES, description="Of the file.")],
    apps: Apps,
    access: Owner,
    target: Annotated[str, Query(max_length=limits.FILE_PATH_BYTES)] = "",
) -> TransferModel:
    """Send a file that is the body of this request, of any size. Owner only.

    The daemon keeps it until it has arrived, or the transfer was cancelled.
    """
    transfer = await apps.files.send_stream(contact, name, request.stream(), target)
    return TransferModel.of(apps.files, transfer)


@router.get("/transfers/{transfer}")
async def read_transfer(transfer: _Reference, apps: Apps, access: Owner) -> TransferModel:
    """One transfer, with its notes about single files. Owner only."""
    return TransferModel.of(apps.files, apps.files.transfer(transfer), notes=True)


@router.post("/transfers/{transfer}/pause")
async def pause_transfer(transfer: _Reference, apps: Apps, access: Owner) -> TransferModel:
    """Stop one of ours until it is resumed; what has arrived is kept. Owner only."""
    return TransferModel.of(apps.files, await apps.files.pause(transfer))


@router.post("/transfers/{transfer}/resume")
async def resume_transfer(transfer: _Reference, apps: Apps, access: Owner) -> TransferModel:
    """Go on with one of ours that was paused or has failed. Owner only."""
    return TransferModel.of(apps.files, await apps.files.resume(transfer))


@router.post("/transfers/{transfer}/cancel")
async def cancel_transfer(transfer: _Reference, apps: Apps, access: Owner) -> TransferModel:
    """End one of ours; files that have arrived as a whole stay. Owner only."""
    return TransferModel.of(apps.files, await apps.files.cancel(transfer))


@router.delete("/transfers/{transfer}", status_code=204)
async def forget_transfer(transfer: _Reference, apps: Apps, access: Owner) -> Response:
    """Remember one no more that has ended. Owner only."""
    await apps.files.forget(transfer)
    return Response(status_code=204)


@router.get("/share")
async def read_share(apps: Apps, access: Owner) -> ShareModel:
    """Which folder contacts may use. Owner only."""
    share = apps.files.share
    return ShareModel(path=str(share.path), read_only=share.read_only)


@router.put("/share")
async def choose_share(chosen: ShareModel, apps: Apps, access: Owner) -> ShareModel:
    """Let contacts use another folder. Grants say which contacts. Owner only."""
    if not chosen.path.startswith("/") and ":" not in chosen.path:
        raise InputError(f"{chosen.path!r} is no absolute path. Nothing was changed.", code="bad-folder")
    share = await apps.files.set_share(chosen.path, read_only=chosen.read_only)
    return ShareModel(path=str(share.path), read_only=share.read_only)


@router.get("/share/of/{contact}")
async def list_folder(
    contact: Annotated[str, Path(max_length=256)],
    apps: Apps,
    access: Owner,
    path: Annotated[str, Query(max_length=limits.FILE_PATH_BYTES)] = "",
) -> ListingModel:
    """What a contact shares, in one folder. Owner only."""
    return ListingModel.model_validate(await apps.files.listing(contact, path))
