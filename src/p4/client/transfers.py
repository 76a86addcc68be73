"""Copying files through the daemon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from p4.client.client import Client

__all__ = ["Transfers"]

_PATH = "/v1/transfers"

Record = dict[str, Any]


class Transfers:
    """What `p4 cp`, `p4 transfers` and `p4 share` are made of. Records are the JSON objects of the API."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def list(self) -> list[Record]:
        """Transfers that run, and the last that have ended; the oldest first."""
        answer = await self._client.request("GET", _PATH)
        found: list[Record] = answer["transfers"]
        return found

    async def read(self, reference: str) -> Record:
        """One, with its notes. Raises InputError ``unknown-transfer``."""
        return await self._ask("GET", reference)

    async def send(
        self,
        contact: str,
        sources: Sequence[str],
        target: str = "",
        *,
        recursive: bool = False,
        overwrite: bool = False,
        follow: bool = False,
    ) -> Record:
        """Send files, or go on with the same transfer that was paused or has failed.

        Args:
            sources: absolute paths on the daemon's machine.
            target: path below the contact's shared folder; empty for the folder that it keeps for us.

        Raises:
            ContactError, InputError, TransferError: nothing was begun.
        """
        wanted = {
            **_wanted(contact, sources, target, recursive=recursive, overwrite=overwrite),
            "follow": follow,
        }
        record: Record = await self._client.request("POST", f"{_PATH}/send", wanted, repeatable=False)
        return record

    async def fetch(
        self,
        contact: str,
        sources: Sequence[str],
        target: str,
        *,
        recursive: bool = False,
        overwrite: bool = False,
    ) -> Record:
        """Fetch files, likewise.

        Args:
            sources: paths below the contact's shared folder.
            target: absolute path on the daemon's machine.
        """
        wanted = _wanted(contact, sources, target, recursive=recursive, overwrite=overwrite)
        record: Record = await self._client.request("POST", f"{_PATH}/fetch", wanted, repeatable=False)
        return record

    async def pause(self, reference: str) -> Record:
        """Stop one until it is resumed."""
        return await self._ask("POST", reference, "/pause")

    async def resume(self, reference: str) -> Record:
        """Go on with one."""
        return await self._ask("POST", reference, "/resume")

    async def cancel(self, reference: str) -> Record:
        """End one."""
        return await self._ask("POST", reference, "/cancel")

    async def forget(self, reference: str) -> None:
        """Remember one no more that has ended."""
        await self._client.request("DELETE", f"{_PATH}/{quote(reference, safe='')}", repeatable=False)

    async def share(self) -> Record:
        """``path`` of the folder that contacts may use, and whether it is ``read_only``."""
        record: Record = await self._client.request("GET", "/v1/share")
        return record

    async def choose_share(self, path: str, *, read_only: bool = False) -> Record:
        """Let contacts use another folder. Raises InputError ``bad-folder``."""
        chosen = {"path": path, "read_only": read_only}
        record: Record = await self._client.request("PUT", "/v1/share", chosen)
        return record

    async def listing(self, contact: str, path: str = "") -> Record:
        """``entries`` of a folder that a contact shares. Raises CallError, ContactError."""
        record: Record = await self._client.request(
            "GET", f"/v1/share/of/{quote(contact, safe='')}", parameters={"path": path}
        )
        return record

    async def _ask(self, method: str, reference: str, what: str = "") -> Record:
        # Asked twice, each of them does the same as once.
        path = f"{_PATH}/{quote(reference, safe='')}{what}"
        record: Record = await self._client.request(method, path, repeatable=True)
        return record


def _wanted(contact: str, sources: Sequence[str], target: str, *, recursive: bool, overwrite: bool) -> Record:
    return {
        "contact": contact,
        "sources": list(sources),
        "target": target,
        "recursive": recursive,
        "overwrite": overwrite,
    }
