"""What both sides of a transfer do with its stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, Protocol, Self, TypeVar

from p4.apps.files.frames import FileFrame, Over, not_a_frame
from p4.apps.files.hashing import HASHES
from p4.apps.files.wire import FrameReader, encode
from p4.core import limits
from p4.errors import P4Error, TransferError
from p4.node.streams import Stream

__all__ = [
    "ReadAhead",
    "Run",
    "agreed_hash",
    "check_version",
    "end_badly",
    "frames_of",
    "raise_over",
    "text_in",
    "to_the_end",
    "write",
]

T = TypeVar("T")


class Run(Protocol):
    """Runs what blocks: `asyncio.to_thread`, or on virtual time nothing but the call."""

    def __call__(self, function: Callable[..., T], /, *arguments: Any) -> Awaitable[T]:
        """The function's result."""
        ...


async def to_the_end(work: Awaitable[T], halt: Callable[[], None] | None = None) -> T:
    """Wait for a thread; if the caller is cancelled, until it has ended: what it works on is closed next.

    Args:
        halt: lets it end soon.
    """
    running = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        if halt is not None:
            halt()
        with suppress(Exception):  # nobody needs what it would have given
            await running
        raise


class ReadAhead:
    """Reads a stream on while a thread works on what was read.

    So each turn of the thread takes all that has come by then: to begin one costs as much as the work on some
    hundred kilobytes.

    Args:
        most: bytes that are held; more stay in the stream.
    """

    def __init__(self, stream: Stream, most: int) -> None:
        self._stream = stream
        self._most = most
        self._pieces: list[bytes] = []
        self._size = 0
        self._taken = asyncio.Event()
        self.arrived = asyncio.Event()
        """There is something to `take`, or there never will be."""

    async def __aenter__(self) -> Self:
        self._reading = asyncio.ensure_future(self._read())
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._reading.cancel()
        await asyncio.wait([self._reading])
        if not self._reading.cancelled():
            self._reading.exception()  # `take` has raised it, or nobody asked any more

    def take(self) -> list[bytes]:
        """All that is there; nothing at the stream's end. Raises StreamError if it ended before that."""
        pieces, self._pieces, self._size = self._pieces, [], 0
        self._taken.set()
        if not self._reading.done():
            self.arrived.clear()
        elif not pieces:
            self._reading.result()
        return pieces

    async def _read(self) -> None:
        try:
            while data := await self._stream.read(self._most):
                self._pieces.append(data)
                self._size += len(data)
                self.arrived.set()
                while self._size >= self._most:
                    self._taken.clear()
                    await self._taken.wait()
        finally:
            self.arrived.set()


async def write(stream: Stream, frames: Iterable[FileFrame]) -> None:
    """Hand frames to a stream, together. Raises StreamError, StateError."""
    if data := b"".join(map(encode, frames)):
        await stream.write(data)


async def frames_of(stream: Stream, reader: FrameReader) -> AsyncIterator[FileFrame]:
    """The frames of a stream, to its end. Raises TransferError ``protocol``; StreamError."""
    while data := await stream.read(limits.FILE_BLOCK_BYTES):
        for frame in reader.feed(data):
            yield frame


async def end_badly(stream: Stream, error: TransferError) -> None:
    """Tell the other side why the transfer is over, and end the stream."""
    with suppress(P4Error):
        await write(stream, [Over(error.code or "protocol", error.message)])
        await stream.aclose()


def raise_over(frame: Over) -> None:
    """The other side has ended the transfer."""
    raise TransferError(f"The other device says: {frame.text}", code=frame.code, by_contact=True)


def check_version(content: Any) -> None:
    """Raise TransferError if the other side speaks a version that we do not."""
    version = content.get("version")
    if version != limits.FILES_VERSION:
        raise TransferError(
            f"The other device's program copies files in another way (version {version!r}) than this one. "
            "Update the older one. Nothing was copied.",
            code="version",
        )


def agreed_hash(content: Any) -> str:
    """The first hash of a list that we know. Raises TransferError."""
    offered = content.get("hashes")
    for name in offered if isinstance(offered, list) else ():
        if name in HASHES:
            return str(name)
    raise TransferError("The two devices know no common hash. Update the older program.", code="version")


def text_in(content: Any, key: str) -> str:
    """A text of a JSON body. Raises TransferError ``protocol``."""
    value = content.get(key)
    if not isinstance(value, str):
        raise not_a_frame(f"{key!r} is no text.")
    return value
