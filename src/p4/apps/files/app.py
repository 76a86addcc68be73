"""The app: transfers that go on until they are done, and what contacts may send and fetch."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from p4.apps.files.attempts import Attempts, fetched_names
from p4.apps.files.conversation import Run
from p4.apps.files.jobs import Announce, Jobs
from p4.apps.files.listing import Listings, listing_of
from p4.apps.files.partials import Partials
from p4.apps.files.places import open_folder
from p4.apps.files.records import Records, TransferStore
from p4.apps.files.share import Share, default_share
from p4.apps.files.spool import SendSpool, delete_spooled
from p4.apps.files.transfer import Direction, Transfer, TransferState
from p4.apps.files.visitors import Visitors
from p4.core import limits
from p4.errors import ContactError, InputError, LocalError, P4Error, StreamError, TransferError
from p4.node.node import BaseNode
from p4.node.peer import Peer
from p4.ports import Clock

__all__ = ["READ", "WRITE", "FilesApp"]

WRITE = "files.write"
"""The service to which files are sent."""

READ = "files.read"
"""The service from which files are fetched."""


class FilesApp:
    """Copies files between this device and its contacts.

    Args:
        store: an open `p4.apps.store.AppStore`.
        announce: called in the loop when a transfer has changed; about four times a second while it runs.
        share: the folder that is shared unless another was chosen.
        spool: private folder for what is to be sent and has no file of its own.
        private: where this device's keys are, which is never shared.
        run: runs what blocks.
    """

    def __init__(
        self,
        store: TransferStore,
        clock: Clock,
        announce: Announce = lambda transfer: None,
        *,
        share: Path | None = None,
        spool: Path | None = None,
        private: Path | None = None,
        run: Run = asyncio.to_thread,
    ) -> None:
        self._records = Records(store)
        self._clock = clock
        self._run = run
        self._share = Share(share or default_share())
        self._private = private
        self._partials = Partials()
        self._attempts = Attempts(run, self._partials, lambda: self._share, self._keep_partials)
        self._jobs = Jobs(self._records, clock, announce, run, self._attempt, self._name)
        self._visitors = Visitors(self._attempts, self._jobs, clock)
        self._spool = SendSpool(spool, run) if spool is not None else None
        self._node: BaseNode | None = None

    # -- life -----------------------------------------------------------------------------------------------

    async def start(self, node: BaseNode) -> None:
        """Go on with what is unfinished, and let contacts send and fetch. Raises StateError."""
        self._node = node
        await self._records.open()
        settings = await self._records.settings()
        if "share" in settings:
            self._share = Share(Path(settings["share"]), settings.get("read_only") == "yes")
        await self._load_partials()
        node.serve(READ, Listings(lambda: self._share, self._run).answer)
        self._visitors.start(node, WRITE, READ)
        await self._jobs.start()
        if self._spool is not None:
            await self._spool.clean({transfer.spool for transfer in self._jobs.all()})

    async def close(self) -> None:
        """Stop; what is unfinished goes on after the next start."""
        if self._node is not None:
            self._node.stop_serving(READ)
            await self._visitors.close()
            await self._jobs.close()

    # -- what our user wants ------------------------------------------------------------------------------

    async def send(
        self,
        contact: str,
        sources: Sequence[str],
        target: str = "",
        *,
        recursive: bool = False,
        overwrite: bool = False,
        follow: bool = False,
        spool: str = "",
    ) -> Transfer:
        """Send files and folders. The same task that was paused or has failed goes on instead.

        Args:
            sources: absolute paths here.
            target: see `p4.apps.files.placement`.
            spool: a file that is deleted at the end.

        Raises:
            ContactError; InputError ``no-source``, ``bad-path``; TransferError ``not-found``, ``is-folder``;
                StateError: nothing was begun.
        """
        peer = self._peer(contact)
        _check_sources(sources, absolute=True)
        transfer = self._new(Direction.SEND, peer, sources, target)
        transfer.recursive, transfer.overwrite, transfer.follow = recursive, overwrite, follow
        transfer.spool = spool
        for source in sources:
            if not await self._run(Path(source).exists):
                raise TransferError(f"There is no {source}. Nothing was sent.", code="not-found")
            if not recursive and await self._run(Path(source).is_dir):
                raise TransferError(f"{source} is a folder. To copy folders, add -r.", code="is-folder")
        return await self._jobs.take_up(transfer)

    async def send_stream(
        self, contact: str, name: str, pieces: AsyncIterable[bytes], target: str = ""
    ) -> Transfer:
        """Send a file that is not here yet: its pieces are written to the spool first.

        Raises:
            As `send`; InputError ``bad-name``, ``too-large``; StateError ``disk-full``. Nothing is left.
        """
        self._peer(contact)
        if self._spool is None:
            raise LocalError("This program keeps no spool for files.", code="not-known")
        path = await self._spool.fill(name, pieces)
        try:
            return await self.send(contact, [str(path)], target, spool=str(path))
        except BaseException:
            await self._run(delete_spooled, str(path))
            raise

    async def fetch(
        self,
        contact: str,
        sources: Sequence[str],
        target: str,
        *,
        recursive: bool = False,
        overwrite: bool = False,
    ) -> Transfer:
        """Fetch files and folders out of the folder that a contact shares.

        Args:
            sources: paths below that folder; empty for all of it.
            target: absolute path here; see `p4.apps.files.placement`.

        Raises:
            As `send`.
        """
        peer = self._peer(contact)
        _check_sources(sources, absolute=False)
        _check_sources([target], absolute=True)
        fetched_names(list(sources), peer.name)
        transfer = self._new(Direction.FETCH, peer, sources, target)
        transfer.recursive, transfer.overwrite = recursive, overwrite
        return await self._jobs.take_up(transfer)

    def transfers(self) -> list[Transfer]:
        """All that run, and the last that have ended; the oldest first."""
        return self._jobs.all()

    def transfer(self, reference: str) -> Transfer:
        """One of them, by its id or a unique beginning of it. Raises InputError ``unknown-transfer``."""
        return self._jobs.find(reference)

    async def pause(self, reference: str) -> Transfer:
        """Stop one until `resume`; what has arrived is kept. Raises InputError, StateError."""
        return await self._jobs.stop(reference, TransferState.PAUSED)

    async def cancel(self, reference: str) -> Transfer:
        """End one. Whole files that have arrived stay. Raises InputError, StateError."""
        return await self._jobs.stop(reference, TransferState.CANCELLED)

    async def resume(self, reference: str) -> Transfer:
        """Go on with one that was paused or has failed. Raises InputError, StateError."""
        return await self._jobs.resume(reference)

    async def forget(self, reference: str) -> None:
        """Remember an ended one no more. Raises InputError ``running``."""
        await self._jobs.forget(reference)

    async def wait_ended(self, transfer: Transfer) -> Transfer:
        """Wait until a transfer of ours has ended, however it did."""
        return await self._jobs.wait_ended(transfer)

    async def listing(self, contact: str, path: str) -> dict[str, Any]:
        """What a contact shares in a folder (spec/files.md, Listing). Raises CallError, ContactError."""
        return listing_of(await self._peer(contact).call(READ, {"list": path}))

    @property
    def share(self) -> Share:
        """What contacts with a grant may write to and read from."""
        return self._share

    async def set_share(self, path: str | Path, *, read_only: bool = False) -> Share:
        """Share another folder from now on. Raises InputError ``bad-folder``, StateError."""
        share = Share.chosen(path, read_only=read_only, private=self._private)
        await self._records.choose(share=str(share.path), read_only="yes" if read_only else "no")
        self._share = share
        return share

    def figures(self, transfer: Transfer) -> dict[str, Any]:
        """A transfer's progress at this moment, for JSON."""
        return transfer.progress.at(self._clock.monotonic())

    def contact_name(self, transfer: Transfer) -> str:
        """What our user calls the contact of a transfer, or its id."""
        return self._name(transfer)

    # -- inside ---------------------------------------------------------------------------------------------

    async def _attempt(self, transfer: Transfer) -> None:
        peer = self._peer(transfer.peer_id)
        service = WRITE if transfer.direction is Direction.SEND else READ
        stream = await peer.stream(service, transfer.id)
        if stream.written or stream.position:
            # Of a former life of this process: what was under way then is unknown.
            await stream.reset("restarted")
            stream = await peer.stream(service, transfer.id)
        try:
            if transfer.direction is Direction.SEND:
                await self._attempts.send(transfer, stream, self._jobs.save)
            else:
                await self._attempts.fetch(transfer, stream, peer, self._jobs.save)
        except StreamError:
            raise
        except asyncio.CancelledError:
            if not self._jobs.closing:
                with suppress(P4Error):
                    await stream.reset("It was paused or cancelled there.")
            raise
        except BaseException:
            with suppress(P4Error):
                await stream.reset("The other device could not go on.")
            raise

    def _new(self, direction: Direction, peer: Peer, sources: Sequence[str], target: str) -> Transfer:
        now_ms = self._clock.wall_ms()
        return Transfer(
            secrets.token_hex(16),
            direction,
            peer.peer_id,
            list(sources),
            target,
            created_ms=now_ms,
            changed_ms=now_ms,
        )

    def _peer(self, contact: str) -> Peer:
        if self._node is None:
            raise LocalError("The app has not started.", code="not-running")
        return self._node.peer(contact)

    def _name(self, transfer: Transfer) -> str:
        try:
            return self._peer(transfer.peer_id).contact.label
        except ContactError:
            return transfer.peer_id

    async def _keep_partials(self) -> None:
        if changes := self._partials.changes():
            await self._records.save_partials(changes, self._clock.wall_ms())

    async def _load_partials(self) -> None:
        """Remember half files, and delete those that nobody has gone on with for long."""
        before_ms = self._clock.wall_ms() - limits.FILE_PARTIAL_DAYS * 24 * 3600 * 1000
        old = await self._records.old_partials(before_ms)
        for name, partial in old.items():
            await self._run(_delete_partial, partial.folder, name)
        await self._records.save_partials(dict.fromkeys(old), 0)
        self._partials.load(await self._records.partials())


def _delete_partial(folder: str, name: str) -> None:
    with suppress(OSError), open_folder(Path(folder)) as opened:
        opened.remove(name)


def _check_sources(sources: Sequence[str], *, absolute: bool) -> None:
    if not sources:
        raise InputError("Nothing to copy was named.", code="no-source")
    for source in sources:
        if "\0" in source or (absolute and not Path(source).is_absolute()):
            raise InputError(f"{source!r} is no absolute path.", code="bad-path")
