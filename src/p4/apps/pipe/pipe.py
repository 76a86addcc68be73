"""Input to a durable stream to output, both ways, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from p4.apps.pipe.sink import Sink
from p4.apps.pipe.source import Source
from p4.core import limits
from p4.errors import LocalError, StreamError

__all__ = ["Pipe", "PipeStream"]


class PipeStream(Protocol):
    """A stream as a pipe uses it: `p4.client.streams.Stream`, or `p4.apps.pipe.node_stream.NodeStream`."""

    @property
    def id(self) -> object:
        """The same as long as it is the same stream."""

    @property
    def written(self) -> int:
        """Offset after the last byte that was written. Right after opening all of it is stored."""

    @property
    def stored(self) -> int:
        """Offset below which bytes survive the end of this program."""

    @property
    def confirmed(self) -> int:
        """Offset below which the other side has consumed our bytes."""

    @property
    def position(self) -> int:
        """Offset of the next byte that `read` gives. Right after opening everything before it is consumed."""

    @property
    def writing_ended(self) -> bool:
        """Whether the end of our bytes was announced, perhaps by an earlier run."""

    async def write(self, data: bytes) -> None:
        """Hand over bytes; waits while the other side is too far behind."""

    async def close_writing(self) -> None:
        """No more comes."""

    async def read(self) -> bytes:
        """The next bytes; none at the end."""

    async def consumed(self, *, knows_end: bool = True) -> None:
        """What was read does not have to come again; with ``knows_end`` after the empty `read`: nor does the
        end."""

    async def wait_confirmed(self, through: int) -> None:
        """Wait until `confirmed` is so much."""

    async def wait_done(self) -> None:
        """Wait until both directions have ended and everything is consumed at both ends."""


class Pipe:
    """One input and one output, whatever becomes of the stream between them.

    What the input gave is kept until it is stored, and of what the output got every byte is counted: so when
    the daemon restarts under it, the pipe goes on and neither loses nor repeats one. When this process dies,
    the next one goes on at `written` and `position`: see `Source.begin` and `Sink.begin`.

    Args:
        open_stream: gives the stream. It gets the `PipeStream.id` of the one that this pipe has used, None
            before that, and raises StreamError ``over`` if that one is no more. Leaving the context lets go
            of the stream and ends nothing.
    """

    def __init__(
        self,
        open_stream: Callable[[object], AbstractAsyncContextManager[PipeStream]],
        source: Source,
        sink: Sink,
    ) -> None:
        self._open = open_stream
        self._source = source
        self._sink = sink
        self._id: object = None
        self._kept: deque[bytes] = deque()
        """Bytes of the input that may not be stored yet."""
        self._kept_from = 0
        """Their offset."""
        self._source_ended = False
        self._delivered = 0
        """Offset after the last byte that the output got."""
        self._complete = False
        """Whether the output has everything, and the other side has everything of ours."""

    async def run(self) -> None:
        """Carry everything both ways; returns when both sides have ended and consumed it all.

        Raises:
            StreamError: the stream ended before its end. InputError: the input or the output does not fit to
                what an earlier run has done. LocalError: ``no-daemon``, ``lost``; OSError of the output.
                Whatever was accepted stays: the same command goes on.
        """
        while True:
            try:
                async with self._open(self._id) as stream:
                    await self._run(stream)
                    return
            except LocalError as error:
                if error.code != "connection-lost":
                    raise
                # The client waits for the daemon when the stream is opened again.
            except StreamError as error:
                if error.code != "over":
                    raise
                if self._complete:
                    return
                raise LocalError(
                    "The stream ended while the daemon was restarted. Everything arrived, unless the other "
                    "side says otherwise; run the command again only if it does.",
                    code="ended-meanwhile",
                ) from None

    async def _run(self, stream: PipeStream) -> None:
        if self._id is None:
            self._kept_from, self._delivered = stream.written, stream.position
            self._source_ended = stream.writing_ended
            if not self._source_ended:
                await self._source.begin(stream.written)
            await self._sink.begin(stream.position)
            self._id = stream.id
        try:
            async with asyncio.TaskGroup() as tasks:
                sending = tasks.create_task(self._send(stream))
                tasks.create_task(self._receive(stream, sending))
        except BaseExceptionGroup as group:
            # One of the two failed first; the other was cancelled for it.
            raise group.exceptions[0] from None
        await stream.wait_done()

    # -- out ---------------------------------------------------------------------------------------------

    async def _send(self, stream: PipeStream) -> None:
        if stream.writing_ended:
            return
        for piece in self._missing(stream.written):
            await stream.write(piece)
        while not self._source_ended:
            piece = await self._source.read()
            if not piece:
                self._source_ended = True
                break
            self._kept.append(piece)  # before it is handed over: that may be cut short
            await stream.write(piece)
            self._forget(stream.stored)
        await stream.close_writing()

    def _missing(self, written: int) -> list[bytes]:
        """What the input gave that the stream does not have."""
        self._forget(written)
        before = written - self._kept_from
        if before < 0:
            raise LocalError(
                f"The daemon remembers {-before} bytes less than it had accepted: the disk lost them, and "
                "they were read from the input already. Begin again with --anew.",
                code="lost",
            )
        missing = list(self._kept)
        if before:
            missing[0] = missing[0][before:]
        return missing

    def _forget(self, stored: int) -> None:
        while self._kept and self._kept_from + len(self._kept[0]) <= stored:
            self._kept_from += len(self._kept.popleft())

    # -- in ----------------------------------------------------------------------------------------------

    async def _receive(self, stream: PipeStream, sent: Awaitable[None]) -> None:
        reading: asyncio.Future[bytes] | None = None
        unsafe = 0
        try:
            while True:
                reading = reading or asyncio.ensure_future(stream.read())
                # A pause is a good moment to bring what came to the disk, if there was any.
                await asyncio.wait((reading,), timeout=limits.PIPE_PAUSE_SECONDS if unsafe else None)
                if not reading.done():
                    unsafe = await self._acknowledge(stream)
                    continue
                piece, reading = reading.result(), None
                if not piece:
                    break
                unsafe += len(piece)
                await self._deliver(piece, stream.position - len(piece))
                if unsafe >= limits.PIPE_SYNC_BYTES:
                    unsafe = await self._acknowledge(stream)
            if unsafe:
                await self._acknowledge(stream)
            # Who knows both ends has done with the stream. Run again, it would begin another one, although
            # the other side may not have everything yet.
            await sent
            await stream.wait_confirmed(stream.written)
            await self._sink.flush()
            self._complete = True
            await stream.consumed()
        finally:
            if reading is not None:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def _deliver(self, piece: bytes, offset: int) -> None:
        new = piece[max(0, self._delivered - offset) :]
        if new:
            await self._sink.write(new)
            self._delivered += len(new)

    async def _acknowledge(self, stream: PipeStream) -> int:
        await self._sink.flush()
        await stream.consumed(knows_end=False)
        return 0
