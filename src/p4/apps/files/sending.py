"""The sending side of one attempt of a transfer, on its stream."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from p4.apps.files.content import Block, Contents
from p4.apps.files.conversation import Run, end_badly, frames_of, raise_over, to_the_end, write
from p4.apps.files.frames import (
    Accept,
    Again,
    Complete,
    Entry,
    EntryKind,
    Failed,
    FileFrame,
    Finish,
    Go,
    Listed,
    Manifest,
    Named,
    Offer,
    Omitted,
    Over,
    Stored,
    Sum,
    Times,
    Verdict,
    Verdicts,
    not_a_frame,
)
from p4.apps.files.hashing import HASHES
from p4.apps.files.progress import Progress
from p4.apps.files.refusals import spelled
from p4.apps.files.tree import Tree
from p4.apps.files.wire import FrameReader
from p4.core import limits
from p4.errors import TransferError
from p4.node.streams import Stream

__all__ = ["Sending"]

_ENTRIES_AT_ONCE = 1000


class Sending:
    """Offers a tree and sends what is wanted of it.

    Args:
        offer: what OFFER says beside version, hashes and figures.
        reader: has read what the other side said before, if anything.
        hashes: that may be used.
        accepted: told whether sources go into the target, before anything is made there.
    """

    def __init__(
        self,
        stream: Stream,
        tree: Tree,
        offer: Mapping[str, Any],
        progress: Progress,
        run: Run,
        *,
        reader: FrameReader | None = None,
        hashes: tuple[str, ...] = HASHES,
        accepted: Callable[[bool], Awaitable[None]] | None = None,
    ) -> None:
        self._stream = stream
        self._tree = tree
        self._offer = {**offer, "version": limits.FILES_VERSION, "hashes": list(hashes)}
        self._hashes = hashes
        self._progress = progress
        self._run = run
        self._reader = reader or FrameReader()
        self._contents: Contents | None = None
        self._tell_accepted = accepted
        self._accepted = asyncio.Event()
        self._going = asyncio.Event()
        self._turn = asyncio.Event()
        """Something changed that the sending task may wait for."""
        self._to_compare: asyncio.Queue[int] = asyncio.Queue()
        self._comparing: set[int] = set()
        self._answered: set[int] = set()
        self._again = 0
        self._complete = False
        self._reached = 0
        """Content that was handed to the stream, or is there."""
        self._into = False

    async def work(self) -> None:
        """Do all of it; the stream is closed then.

        Raises:
            TransferError: the transfer is over, and both sides know. StreamError: this attempt is.
        """
        try:
            async with asyncio.TaskGroup() as group:
                listening = group.create_task(self._listen())
                comparing = group.create_task(self._compare())
                await self._send()
                comparing.cancel()
                await listening
        except BaseExceptionGroup as group:
            error = _first(group)
            if isinstance(error, TransferError) and not error.by_contact:
                await end_badly(self._stream, error)
            raise error from None
        finally:
            if self._contents is not None:
                self._contents.close()
        self._progress.bytes_done, self._progress.phase = self._progress.bytes, "done"
        await self._stream.aclose()

    # -- what we say ------------------------------------------------------------------------------------

    async def _send(self) -> None:
        tree, progress = self._tree, self._progress
        progress.files, progress.bytes, progress.phase = tree.files, tree.bytes, "waiting"
        await write(self._stream, [Offer({**self._offer, "files": tree.files, "bytes": tree.bytes})])
        await self._accepted.wait()
        progress.phase = "comparing"
        if self._tell_accepted is not None:
            await self._tell_accepted(self._into)
        await write(self._stream, [Omitted(code, text) for _, code, text in tree.notes[: limits.FILE_NOTES]])
        for begin in range(0, len(tree.found), _ENTRIES_AT_ONCE):
            some = tree.found[begin : begin + _ENTRIES_AT_ONCE]
            await write(self._stream, [Manifest(sourced.entry) for sourced in some])
        await write(self._stream, [Listed(len(tree.found))])
        await self._going.wait()
        progress.phase = "copying"
        await self._send_content()
        progress.phase = "finishing"
        folders = [s.entry for s in reversed(tree.found) if s.entry.kind is EntryKind.FOLDER]
        await write(self._stream, map(Times, folders))
        while True:
            await write(self._stream, [Finish()])
            self._turn.clear()
            while not self._complete and not self._again:
                await self._turn.wait()
                self._turn.clear()
            if self._complete:
                return
            self._again = 0
            await self._send_content()

    async def _send_content(self) -> None:
        contents = self._contents
        assert contents is not None  # noqa: S101 - GO comes after ACCEPT
        block = await to_the_end(self._run(contents.block), contents.halt)
        while block is not None:
            making = asyncio.ensure_future(self._run(contents.block))
            try:
                await self._stream.write(block.data)
                self._sent(block)
                block = await asyncio.shield(making)
            finally:
                if not making.done():
                    contents.halt()
                    with suppress(Exception):  # nobody needs what it would have made
                        await making

    def _sent(self, block: Block) -> None:
        self._reached += block.content
        for _, refusal in block.broken:
            self._progress.note(refusal.code, refusal.text)
        self._count()

    def _count(self) -> None:
        under_way = self._stream.written - self._stream.confirmed
        self._progress.bytes_done = max(self._progress.bytes_done, self._reached - under_way)

    async def _compare(self) -> None:
        while True:
            number = await self._to_compare.get()
            assert self._contents is not None  # noqa: S101 - asked for after ACCEPT
            try:
                digest = await to_the_end(self._run(self._contents.digest, number), self._contents.halt)
            except OSError:
                digest = bytes(32)  # it cannot be read: whoever begins to send it will say so
            await write(self._stream, [Sum(number, digest)])

    # -- what we are told -------------------------------------------------------------------------------

    async def _listen(self) -> None:
        async for frame in frames_of(self._stream, self._reader):
            self._take(frame)
            self._count()
            if self._complete:
                return
        raise not_a_frame("its stream ended before the transfer did.")

    def _take(self, frame: FileFrame) -> None:
        progress = self._progress
        if isinstance(frame, Accept):
            self._accept(frame.content)
        elif isinstance(frame, Over):
            raise_over(frame)
        elif self._contents is None:
            raise not_a_frame("an answer before it accepted anything.")
        elif isinstance(frame, Verdicts):
            for number, verdict, position in frame.verdicts:
                self._decided(self._contents, number, verdict, position)
        elif isinstance(frame, Go):
            if self._comparing or len(self._answered) != len(self._tree.found) or self._going.is_set():
                raise not_a_frame("GO before it had answered everything.")
            self._going.set()
        elif isinstance(frame, Stored):
            progress.files_done += len(frame.numbers)
        elif isinstance(frame, Named):
            path = spelled(self._entry(frame.number).path)
            progress.note(
                "named", f"{path} is there with other content. The copy is {frame.name!r}.", omitted=False
            )
        elif isinstance(frame, Failed):
            self._entry(frame.number)
            self._comparing.discard(frame.number)
            self._answered.add(frame.number)
            self._contents.drop(frame.number)
            progress.note(frame.code, frame.text)
        elif isinstance(frame, Again):
            self._entry(frame.number)
            self._again += 1
            self._contents.want(frame.number, 0)
        elif isinstance(frame, Complete):
            self._complete = True
        else:
            raise not_a_frame("a frame that the sender of files sends.")
        self._turn.set()

    def _accept(self, content: Mapping[str, Any]) -> None:
        into, name = content.get("into"), content.get("hash")
        if self._contents is not None or name not in self._hashes or not isinstance(into, bool):
            raise not_a_frame("it does not accept as it should.")
        self._into = into
        self._contents = Contents(self._tree, name)
        self._accepted.set()

    def _decided(self, contents: Contents, number: int, verdict: Verdict, position: int) -> None:
        entry = self._entry(number)
        compared = number in self._comparing
        if (number in self._answered and not compared) or position > entry.size:
            raise not_a_frame("an answer that was given before.")
        self._answered.add(number)
        if verdict is Verdict.COMPARE:
            if compared or entry.kind is not EntryKind.FILE:
                raise not_a_frame("it compares what cannot be compared.")
            self._comparing.add(number)
            self._to_compare.put_nowait(number)
            return
        self._comparing.discard(number)
        if verdict is Verdict.HAVE:
            self._reached += entry.size
            self._progress.files_done += entry.kind is EntryKind.FILE
        elif entry.kind is EntryKind.FILE:
            self._reached += position
            contents.want(number, position)

    def _entry(self, number: int) -> Entry:
        if number >= len(self._tree.found):
            raise not_a_frame("an answer about nothing.")
        return self._tree.found[number].entry


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error.with_traceback(None)
