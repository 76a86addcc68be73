"""Transfers from their beginning to their end, over attempts and restarts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from p4.apps.files.conversation import Run
from p4.apps.files.progress import Progress
from p4.apps.files.records import Records
from p4.apps.files.spool import delete_spooled
from p4.apps.files.transfer import Direction, Transfer, TransferState
from p4.core import limits
from p4.errors import ContactError, InputError, LocalError, P4Error, StateError, StreamError, TransferError
from p4.ports import Clock

__all__ = ["Announce", "Jobs"]

_log = logging.getLogger(__name__)

Announce = Callable[[Transfer], None]
Attempt = Callable[[Transfer], Awaitable[None]]
_Key = tuple[str, Direction]
_UNFINISHED = (TransferState.RUNNING, TransferState.PAUSED, TransferState.FAILED)


class Jobs:
    """All transfers that this device knows of.

    Args:
        attempt: one attempt of a transfer of ours; raises StreamError if another may follow.
        name: of a contact, for a person.
    """

    def __init__(
        self,
        records: Records,
        clock: Clock,
        announce: Announce,
        run: Run,
        attempt: Attempt,
        name: Callable[[Transfer], str],
    ) -> None:
        self._records = records
        self._clock = clock
        self._announce = announce
        self._run = run
        self._attempt = attempt
        self._name = name
        self._known: dict[_Key, Transfer] = {}
        self._working: dict[_Key, asyncio.Task[None]] = {}
        self._turns: dict[_Key, asyncio.Semaphore] = {}
        self.closing = False

    # -- life -----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Go on with what is unfinished. Raises StateError."""
        for transfer in await self._records.transfers():
            self._known[transfer.id, transfer.direction] = transfer
        for transfer in self.all():
            if transfer.state is TransferState.RUNNING and transfer.direction.ours:
                self._begin(transfer)

    async def close(self) -> None:
        """Stop; what is unfinished goes on after the next start."""
        self.closing = True
        tasks = list(self._working.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for transfer in self.all():
            if transfer.state is TransferState.RUNNING:
                with suppress(P4Error):  # what is remembered then is a little older
                    await self._records.save(transfer)

    def all(self) -> list[Transfer]:
        """The oldest first."""
        return sorted(self._known.values(), key=lambda transfer: transfer.created_ms)

    def find(self, reference: str) -> Transfer:
        """One, by its id or a unique beginning of it. Raises InputError ``unknown-transfer``."""
        found = [t for t in self._known.values() if reference and t.id.startswith(reference)]
        if len(found) != 1:
            raise InputError(
                f"{'Several transfers begin' if found else 'No transfer begins'} with {reference!r}. "
                "`p4 transfers` lists them.",
                code="unknown-transfer",
            )
        return found[0]

    # -- what people want -----------------------------------------------------------------------------------

    async def take_up(self, transfer: Transfer) -> Transfer:
        """Begin a transfer. The same one that runs is meant, or one that was paused or has failed goes on.

        Raises:
            StateError: it could not be written down.
        """
        for known in self._known.values():
            if known.same_task(transfer) and known.state in _UNFINISHED:
                return await self.resume(known.id)
        await self.know(transfer)
        self._begin(transfer)
        return transfer

    async def stop(self, reference: str, state: TransferState) -> Transfer:
        """Pause or cancel. Raises InputError, StateError."""
        transfer = self.find(reference)
        if transfer.state in (TransferState.DONE, TransferState.CANCELLED, state):
            return transfer
        if not transfer.direction.ours:
            raise InputError("It was begun by the other device, which can end it.", code="not-ours")
        await self.end(transfer, state)
        task = self._working.get((transfer.id, transfer.direction))
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        return transfer

    async def resume(self, reference: str) -> Transfer:
        """Go on with one that was paused or has failed. Raises InputError ``ended``; StateError."""
        transfer = self.find(reference)
        if transfer.state in (TransferState.DONE, TransferState.CANCELLED) or not transfer.direction.ours:
            raise InputError(
                "Only our own transfers go on, and none that is done or cancelled.", code="ended"
            )
        if transfer.state is not TransferState.RUNNING:
            transfer.state, transfer.code, transfer.text = TransferState.RUNNING, "", ""
            await self.save(transfer)
            self._begin(transfer)
        return transfer

    async def forget(self, reference: str) -> None:
        """Remember an ended one no more. Raises InputError ``running``, StateError."""
        transfer = self.find(reference)
        if not transfer.state.ended and transfer.direction.ours:
            raise InputError("It runs. Pause or cancel it first.", code="running")
        await self._forget([transfer])

    async def wait_ended(self, transfer: Transfer) -> Transfer:
        """Wait until a transfer of ours has ended, or its work stops because the app is closed."""
        while task := self._working.get((transfer.id, transfer.direction)):
            await asyncio.wait([task])
        return transfer

    # -- what is remembered ---------------------------------------------------------------------------------

    def known(self, transfer: Transfer) -> Transfer | None:
        """The one of this id and direction."""
        return self._known.get((transfer.id, transfer.direction))

    async def know(self, transfer: Transfer) -> None:
        """Remember it from now on. Raises StateError."""
        self._known[transfer.id, transfer.direction] = transfer
        await self.save(transfer)
        ended = [known for known in self.all() if known.state.ended and known is not transfer]
        if oldest := ended[: -limits.FILE_HISTORY]:
            await self._forget(oldest)

    async def _forget(self, transfers: list[Transfer]) -> None:
        for transfer in transfers:
            self._known.pop((transfer.id, transfer.direction), None)
            if transfer.spool:  # of one that failed: it might have gone on
                await self._run(delete_spooled, transfer.spool)
        await self._records.forget(transfers)

    async def save(self, transfer: Transfer) -> None:
        """Write it down as it is now, and tell. Raises StateError."""
        transfer.changed_ms = self._clock.wall_ms()
        await self._records.save(transfer)
        self._announce(transfer)

    async def end(self, transfer: Transfer, state: TransferState, code: str = "", text: str = "") -> None:
        """It has ended so. Raises StateError."""
        transfer.state, transfer.code, transfer.text = state, code, text
        if transfer.spool and state in (TransferState.DONE, TransferState.CANCELLED):
            await self._run(delete_spooled, transfer.spool)
        await self.save(transfer)

    @asynccontextmanager
    async def shown(self, transfer: Transfer) -> AsyncIterator[None]:
        """Tell of its progress all the time."""
        ticking = asyncio.ensure_future(self._tick(transfer))
        try:
            yield
        finally:
            ticking.cancel()

    async def _tick(self, transfer: Transfer) -> None:
        while True:
            await asyncio.sleep(limits.FILE_PROGRESS_SECONDS)
            if self.known(transfer) is transfer:  # not yet, while a contact has not said what it sends
                self._announce(transfer)

    # -- attempts -------------------------------------------------------------------------------------------

    def _begin(self, transfer: Transfer) -> None:
        key = transfer.id, transfer.direction
        task = asyncio.ensure_future(self._work(transfer, after=self._working.get(key)))
        self._working[key] = task

        def ended(done: asyncio.Task[None]) -> None:
            if self._working.get(key) is done:
                del self._working[key]

        task.add_done_callback(ended)

    async def _work(self, transfer: Transfer, *, after: asyncio.Task[None] | None) -> None:
        if after is not None:
            await asyncio.wait([after])
        turn = self._turns.setdefault(
            (transfer.peer_id, transfer.direction), asyncio.Semaphore(limits.FILE_TRANSFERS)
        )
        async with turn, self.shown(transfer):
            try:
                code, text = await self._all_attempts(transfer)
            except StateError as error:
                code, text = "disk", error.message
            except TransferError as error:
                code, text = error.code, error.message
            except (ContactError, LocalError) as error:
                if error.code in ("closed", "not-running") or self.closing:
                    return  # it goes on after the next start
                code, text = "removed", error.message
            except Exception:  # noqa: BLE001 - whatever it is: nobody would learn that it does not run any more
                _log.exception("The transfer %s met a bug", transfer.id)
                code, text = "bug", "P4 met a mistake of its own; the log of this device has it: p4 log"
            state = TransferState.FAILED if code else TransferState.DONE
            await self.end(transfer, state, code, text)

    async def _all_attempts(self, transfer: Transfer) -> tuple[str, str]:
        """Try until it is done; a code and a sentence if it cannot be done."""
        fruitless = 0
        while True:
            before = transfer.progress
            transfer.progress = Progress(files=before.files, bytes=before.bytes)
            try:
                await self._attempt(transfer)
            except StreamError as error:
                if error.code == "closed" or self.closing:
                    raise LocalError(error.message, code="closed") from error
                if ending := _ending(error, self._name(transfer)):
                    return ending
                now = transfer.progress
                further = (now.files_done, now.bytes_done) > (before.files_done, before.bytes_done)
                fruitless = 0 if further else fruitless + 1
                if fruitless >= limits.FILE_RETRIES:
                    return "unreachable", f"It broke off again and again: {error.message}"
                await asyncio.sleep(limits.FILE_RETRY_SECONDS[fruitless])
            else:
                return "", ""


def _ending(error: StreamError, contact: str) -> tuple[str, str] | None:
    """Why there is no use in another attempt, if there is none."""
    if error.code == "not-granted":
        return "not-granted", (
            f"{contact} does not let this device do that. There, run `p4 grant NAME files` with its name for "
            "this one (files.write: only send, files.read: only fetch). Then start the copy again."
        )
    if error.code == "removed":
        return "removed", error.message
    return None
