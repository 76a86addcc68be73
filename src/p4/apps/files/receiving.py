"""The receiving side of one attempt of a transfer, on its stream."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from itertools import chain
from typing import Any

from p4.apps.files.conversation import (
    ReadAhead,
    Run,
    agreed_hash,
    check_version,
    end_badly,
    raise_over,
    to_the_end,
    write,
)
from p4.apps.files.frames import (
    Accept,
    Failed,
    FileFrame,
    Go,
    Named,
    Offer,
    Omitted,
    Over,
    Stored,
    Verdicts,
    not_a_frame,
)
from p4.apps.files.intake import Intake
from p4.apps.files.progress import Progress
from p4.apps.files.wire import FrameReader
from p4.core import limits
from p4.errors import TransferError
from p4.node.streams import Stream

__all__ = ["Receiving"]

Begin = Callable[[Mapping[str, Any], str], Awaitable[tuple[Intake, bool]]]


class Receiving:
    """Takes what a contact offers.

    Args:
        begin: given the content of OFFER and the name of the hash, says where it goes; raises TransferError.
        keep: called when more is safe on disk: writes down what is remembered of half files.
    """

    def __init__(
        self, stream: Stream, begin: Begin, progress: Progress, run: Run, keep: Callable[[], Awaitable[None]]
    ) -> None:
        self._stream = stream
        self._begin = begin
        self._progress = progress
        self._run = run
        self._keep = keep
        self._reader = FrameReader()
        self._intake: Intake | None = None
        self._safe = 0
        """Offset of the stream below which everything is on disk."""
        self._consuming: asyncio.Task[None] | None = None
        self._consumed = 0

    async def work(self) -> None:
        """Do all of it; the stream is closed then.

        Raises:
            TransferError: the transfer is over, and both sides know. StreamError: this attempt is.
        """
        self._stream.consume_explicitly = True
        try:
            await self._receive()
        except TransferError as error:
            if not error.by_contact:
                await end_badly(self._stream, error)
            raise
        finally:
            if self._consuming is not None:
                self._consuming.cancel()
                await asyncio.wait([self._consuming])
                with suppress(asyncio.CancelledError):
                    self._consuming.exception()  # the stream's own end, which reading has told as well
            if self._intake is not None:
                await to_the_end(self._run(self._intake.close))
        await self._keep()
        self._progress.bytes_done, self._progress.phase = self._progress.bytes, "done"
        await self._stream.aclose()

    async def _receive(self) -> None:
        loop = asyncio.get_running_loop()
        synced = loop.time()
        async with ReadAhead(self._stream, limits.FILE_BLOCK_BYTES) as ahead:
            while self._intake is None or not self._intake.complete:
                wait = max(0.0, synced + limits.FILE_SYNC_SECONDS - loop.time())
                unsafe = self._intake is not None and self._intake.unsafe
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait if unsafe else None):
                        await ahead.arrived.wait()
                if unsafe and loop.time() >= synced + limits.FILE_SYNC_SECONDS:
                    await self._answer(await to_the_end(self._run(self._sync)))
                    synced = loop.time()
                elif not unsafe:
                    synced = loop.time()
                if ahead.arrived.is_set():
                    pieces = ahead.take()
                    if not pieces:
                        raise not_a_frame("its stream ended before the transfer did.")
                    await self._take(pieces)

    async def _take(self, pieces: list[bytes]) -> None:
        if self._intake is None:
            pieces = [await self._take_offer(b"".join(pieces))]
            if self._intake is None:
                return
        replies, failed = await to_the_end(self._run(self._feed, pieces), self._intake.halt)
        await self._answer(replies)
        if failed is not None:
            raise failed

    async def _take_offer(self, data: bytes) -> bytes:
        """Begin with the first frame, if it is whole; gives the bytes after it."""
        frames = self._reader.feed(data, most=1)
        for frame in frames:
            if isinstance(frame, Over):
                raise_over(frame)
            if not isinstance(frame, Offer):
                raise not_a_frame("files before it offered any.")
            check_version(frame.content)
            name = agreed_hash(frame.content)
            for key in ("files", "bytes"):
                figure = frame.content.get(key)
                setattr(self._progress, key, figure if isinstance(figure, int) and figure >= 0 else 0)
            self._intake, into = await self._begin(frame.content, name)
            await write(self._stream, [Accept({"version": limits.FILES_VERSION, "hash": name, "into": into})])
            self._progress.phase = "comparing"
        return b""

    # -- in a thread ------------------------------------------------------------------------------------

    def _feed(self, pieces: list[bytes]) -> tuple[list[FileFrame], TransferError | None]:
        intake = self._intake
        assert intake is not None  # noqa: S101 - called after the offer
        replies: list[FileFrame] = []
        try:
            for frame in chain.from_iterable(map(self._reader.feed, pieces)):
                if isinstance(frame, Over):
                    raise_over(frame)
                replies += intake.take(frame)
                if isinstance(frame, Omitted):
                    replies.append(frame)  # for `_answer` to note; it is not sent back
                if not intake.unsafe:
                    self._safe = self._reader.offset
        except TransferError as error:
            return replies, error
        return replies, None

    def _sync(self) -> list[FileFrame]:
        assert self._intake is not None  # noqa: S101 - it is unsafe
        replies = self._intake.sync()
        self._safe = self._reader.offset
        return replies

    # -- what we answer -----------------------------------------------------------------------------------

    async def _answer(self, replies: list[FileFrame]) -> None:
        progress, intake = self._progress, self._intake
        assert intake is not None  # noqa: S101 - it gave the replies
        for reply in replies:
            if isinstance(reply, Failed | Omitted):
                progress.note(reply.code, reply.text)
            elif isinstance(reply, Named):
                progress.note(
                    "named", f"It is there with other content: stored as {reply.name!r}.", omitted=False
                )
            elif isinstance(reply, Go):
                progress.phase = "copying"
        progress.bytes_done, progress.files_done = intake.done_bytes, intake.done_files
        await self._keep()
        await write(self._stream, _joined(replies))
        self._consume()

    def _consume(self) -> None:
        """Let the sender forget what is safe; one call at a time, for each is a write to disk."""
        if self._consuming is not None and self._consuming.done():
            self._consuming.result()
            self._consuming = None
        if self._consuming is None and self._consumed < self._safe:
            self._consuming = asyncio.ensure_future(self._consume_all())

    async def _consume_all(self) -> None:
        while self._consumed < self._safe:
            through = self._safe
            await self._stream.consumed(through)
            self._consumed = through


def _joined(replies: list[FileFrame]) -> list[FileFrame]:
    """The same in fewer frames."""
    joined: list[FileFrame] = []
    for reply in replies:
        last = joined[-1] if joined else None
        if isinstance(reply, Verdicts) and isinstance(last, Verdicts) and len(last.verdicts) < _MOST:
            joined[-1] = Verdicts(last.verdicts + reply.verdicts)
        elif isinstance(reply, Stored) and isinstance(last, Stored) and len(last.numbers) < _MOST:
            joined[-1] = Stored(last.numbers + reply.numbers)
        elif not isinstance(reply, Omitted):
            joined.append(reply)
    return joined


_MOST = 500
"""Answers in one frame."""
