"""What contacts begin: they send files to us, or fetch some."""

from __future__ import annotations

import asyncio
import logging
import secrets
from contextlib import suppress

from p4.apps.background import Background
from p4.apps.files.attempts import Attempts
from p4.apps.files.jobs import Jobs
from p4.apps.files.transfer import Direction, Transfer, TransferState
from p4.core import limits
from p4.core.identity import PeerId
from p4.errors import P4Error, StreamError, TransferError
from p4.node.node import BaseNode
from p4.node.streams import Stream
from p4.ports import Clock

__all__ = ["Visitors"]

_log = logging.getLogger(__name__)


class Visitors:
    """Takes the streams that contacts open, a few of each contact at a time."""

    def __init__(self, attempts: Attempts, jobs: Jobs, clock: Clock) -> None:
        self._attempts = attempts
        self._jobs = jobs
        self._clock = clock
        self._background = Background()
        self._turns: dict[PeerId, asyncio.Semaphore] = {}
        self._closing = False

    def start(self, node: BaseNode, write: str, read: str) -> None:
        """Begin to take streams of these two services."""
        self._background.begin(self._take(node, write, Direction.RECEIVE), "taking what contacts send")
        self._background.begin(self._take(node, read, Direction.SERVE), "taking who fetches")

    async def close(self) -> None:
        """Stop; the contacts begin anew after the next start."""
        self._closing = True
        await self._background.close()

    async def _take(self, node: BaseNode, service: str, direction: Direction) -> None:
        async for stream in node.streams(service):
            self._background.begin(self._serve(stream, direction), "a transfer of a contact")

    async def _serve(self, stream: Stream, direction: Direction) -> None:
        peer = stream.peer
        if stream.position or stream.written:
            # Of a former life of this process. The contact begins anew, and nothing is sent twice.
            with suppress(P4Error):
                await stream.reset("restarted")
            return
        now_ms = self._clock.wall_ms()
        transfer = Transfer(
            secrets.token_hex(16), direction, peer.peer_id, [], created_ms=now_ms, changed_ms=now_ms
        )
        known = _Known(self._jobs)
        turn = self._turns.setdefault(peer.peer_id, asyncio.Semaphore(2 * limits.FILE_TRANSFERS))
        try:
            async with turn, self._jobs.shown(transfer):
                if direction is Direction.RECEIVE:
                    await self._attempts.receive(stream, transfer, known)
                else:
                    await self._attempts.serve(stream, transfer, known)
        except TransferError as error:
            _log.info("a transfer with %s ended: %s", peer.contact.label, error.message)
            state = TransferState.CANCELLED if error.code == "cancelled" else TransferState.FAILED
            await self._ended(transfer, known, state, error.code, error.message)
        except StreamError as error:
            _log.info("an attempt of a transfer with %s ended: %s", peer.contact.label, error.message)
            over = error.code in ("not-granted", "removed")
            state = TransferState.FAILED if over else TransferState.PAUSED
            await self._ended(transfer, known, state, error.code, error.message)
        except asyncio.CancelledError:
            raise
        except P4Error as error:
            _log.warning("a transfer with %s broke: %s", peer.contact.label, error.message)
            with suppress(P4Error):
                await stream.reset("The other device could not go on.")
            await self._ended(transfer, known, TransferState.PAUSED, error.code, error.message)
        except Exception:  # noqa: BLE001 - whatever it is: the contact would wait for ever for its stream
            _log.exception("A transfer with %s met a bug", peer.contact.label)
            with suppress(P4Error):
                await stream.reset("The other device could not go on.")
            text = "P4 met a mistake of its own; the log of this device has it: p4 log"
            await self._ended(transfer, known, TransferState.FAILED, "bug", text)
        else:
            await self._ended(transfer, known, TransferState.DONE)

    async def _ended(
        self, transfer: Transfer, known: _Known, state: TransferState, code: str = "", text: str = ""
    ) -> None:
        if known.told and not self._closing:
            with suppress(P4Error):  # the disk refused: it shows as running until the contact begins it anew
                await self._jobs.end(transfer, state, code, text)


class _Known:
    """Enters a transfer among the others when the contact has said which one it is."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self.told = False

    async def __call__(self, transfer: Transfer) -> None:
        if len(transfer.id) != 32 or not set(transfer.id) <= set("0123456789abcdef"):
            raise TransferError(
                "The other device's program gives a transfer an impossible name.", code="protocol"
            )
        before = self._jobs.known(transfer)
        if before is not None and before.peer_id != transfer.peer_id:
            raise TransferError("Another contact's transfer has that name.", code="protocol")
        if before is not None:
            transfer.created_ms = before.created_ms
        await self._jobs.know(transfer)
        self.told = True
