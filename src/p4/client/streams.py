"""Byte streams with contacts, which outlive links, restarts and this client (spec/daemon-api, "Streams")."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import ClientWebSocketResponse

from p4.client.records import ContactName
from p4.client.sockets import messages_of
from p4.client.values import quoted
from p4.core import limits
from p4.errors import LocalError, P4Error, StreamError

if TYPE_CHECKING:
    from p4.client.client import Client

__all__ = ["Stream", "incoming_stream", "open_stream"]

_WAKE = frozenset({"progress", "flushed", "end", "done"})


class Stream:
    """One stream over one WebSocket.

    If the daemon restarts, reading and writing raise LocalError ``connection-lost``: open the stream again
    under the same service and name, and go on at `written` and `position`. What was read and not `consumed`
    comes again.
    """

    def __init__(self, socket: ClientWebSocketResponse, opened: Mapping[str, Any]) -> None:
        self._socket = socket
        self.id = str(opened["id"])
        self.contact = ContactName.read(opened["contact"])
        self.service = str(opened["service"])
        self.name = str(opened.get("name", ""))
        self.written = int(opened.get("written", 0))
        """Bytes of ours that this stream has accepted, in this and earlier runs: write on from here."""
        self.stored = self.written
        """Bytes of ours that are with the daemon, and survive the end of this program."""
        self.confirmed = int(opened.get("confirmed", 0))
        """Bytes of ours that the contact's application has consumed."""
        self.position = int(opened.get("position", 0))
        """Offset of the next byte that is read."""
        self.writing_ended = bool(opened.get("writing_ended", False))
        self._pieces: deque[bytes] = deque()
        self._changed = asyncio.Condition()
        self._ended = False
        self._consumed = self.position
        self._knows_end = False
        self._done = False
        self._flushes = 0
        self._error: P4Error | None = None
        self._reading = asyncio.create_task(self._receive(), name="stream of the daemon")

    # -- reading -----------------------------------------------------------------------------------------

    async def read(self) -> bytes:
        """What there is, at least one byte; ``b""`` at the end. It does not count as consumed: see
        `consumed`.

        Raises:
            StreamError: the stream was ended before its end. LocalError ``connection-lost``.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._pieces or self._ended or self._error)
            if self._pieces:
                piece = self._pieces.popleft()
                self.position += len(piece)
                return piece
            if self._error is not None and not self._ended:
                raise self._error
            return b""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self.read():
            yield piece

    async def consumed(self, offset: int | None = None, *, knows_end: bool = True) -> None:
        """You have done with everything before this offset, by default with all that was read.

        Args:
            knows_end: whether that holds for the contact's end as well, if it has come. As long as it does
                not, opening the stream again gives this one.
        """
        self._consumed = self.position if offset is None else offset
        self._knows_end = knows_end and self._ended
        word = {"type": "consumed", "offset": self._consumed}
        await self._send(word if knows_end else word | {"knows_end": False})

    # -- writing -----------------------------------------------------------------------------------------

    async def write(self, data: bytes) -> None:
        """Send bytes; waits while the daemon, and behind it the contact, is too far behind.

        Raises:
            StreamError: the stream has ended. LocalError ``connection-lost``.
        """
        for start in range(0, len(data), limits.CLIENT_STREAM_PIECE_BYTES):
            piece = data[start : start + limits.CLIENT_STREAM_PIECE_BYTES]
            self._refuse_ended()
            try:
                await self._socket.send_bytes(piece)
            except ConnectionError as error:
                raise self._error or _lost() from error
            self.written += len(piece)

    async def flush(self) -> None:
        """Wait until everything written is safe from a power failure."""
        self._refuse_ended()
        wanted = self._flushes + 1
        await self._send({"type": "flush"})
        await self._wait(lambda: self._flushes >= wanted)

    async def close_writing(self) -> None:
        """Write no more; what was written still arrives, and the contact can still answer."""
        self.writing_ended = True
        await self._send({"type": "end"})

    async def close(self) -> None:
        """Leave the stream well: nothing more is read or written."""
        await self._send({"type": "close"})
        await self._wait(lambda: self._done)

    async def reset(self, reason: str = "") -> None:
        """End both directions at once; the other side gets a StreamError with the reason."""
        await self._send({"type": "reset", "reason": reason})
        await self._wait(lambda: self._done)

    async def wait_confirmed(self, through: int) -> None:
        """Wait until the contact's application has consumed our bytes below an offset. Raises as `read`."""
        await self._wait(lambda: self.confirmed >= through or self._done)

    async def wait_done(self) -> None:
        """Wait until both directions have ended and are consumed. Raises as `read`."""
        await self._wait(lambda: self._ended or self._done)
        if not self._knows_end and not self._done and not self._pieces and self._consumed == self.position:
            await self.consumed()  # the last word was said before the end came
        await self._wait(lambda: self._done)

    # -- inside ------------------------------------------------------------------------------------------

    async def detach(self) -> None:
        """Let go of the stream without ending it."""
        self._reading.cancel()
        await asyncio.wait([self._reading])

    async def _receive(self) -> None:
        error: P4Error = _lost()
        try:
            async for entry in messages_of(self._socket):
                async with self._changed:
                    self._take(entry)
                    self._changed.notify_all()
        except P4Error as told:
            error = told
        finally:
            async with self._changed:
                self._error = error
                self._changed.notify_all()

    def _take(self, entry: dict[str, Any] | bytes) -> None:
        if isinstance(entry, bytes):
            self._pieces.append(entry)
            return
        if entry.get("type") in _WAKE:
            self.stored = int(entry.get("written", self.stored))
            self.confirmed = int(entry.get("confirmed", self.confirmed))
        match entry.get("type"):
            case "flushed":
                self._flushes += 1
            case "end":
                self._ended = True
            case "done":
                self._ended = self._done = True

    async def _wait(self, condition: Any) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: condition() or self._error)
            if not condition() and self._error is not None:
                raise self._error

    async def _send(self, entry: dict[str, Any]) -> None:
        try:
            await self._socket.send_str(json.dumps(entry))
        except ConnectionError as error:
            if self._done:
                return
            raise self._error or _lost() from error

    def _refuse_ended(self) -> None:
        if self._error is not None:
            raise self._error
        if self.writing_ended or self._done:
            raise StreamError("Writing to this stream has ended. Nothing was sent.", code="ended")


def _lost() -> LocalError:
    return LocalError(
        "The daemon has ended. The stream goes on after its restart: open it again, and write on at "
        "`written`.",
        code="connection-lost",
    )


@asynccontextmanager
async def open_stream(
    client: Client, contact: str, service: str, name: str, *, again: str | None = None
) -> AsyncIterator[Stream]:
    """A stream to a service of a contact; leaving the context well closes it, an exception lets go of it.

    Args:
        again: `Stream.id` of the one that is meant; StreamError ``over`` if it is no more.
    """
    path = f"/v1/contacts/{quoted(contact)}/streams/{quoted(service)}"
    async with _attached(client, path, {"name": name, "id": again}) as stream:
        yield stream
        if not stream.writing_ended:
            await stream.close_writing()


@asynccontextmanager
async def incoming_stream(
    client: Client, service: str, contact: str | None, *, again: str | None = None
) -> AsyncIterator[Stream]:
    """The next stream that a contact opens to a service, or opened before a restart.

    Args:
        again: `Stream.id` of the one that is meant; StreamError ``over`` if it is no more.
    """
    parameters = {"contact": contact, "id": again}
    async with _attached(client, f"/v1/streams/{quoted(service)}", parameters) as stream:
        yield stream


@asynccontextmanager
async def _attached(client: Client, path: str, parameters: Mapping[str, str | None]) -> AsyncIterator[Stream]:
    async with AsyncExitStack() as stack:
        socket = await stack.enter_async_context(client.websocket(path, parameters))
        async for entry in messages_of(socket):
            if isinstance(entry, dict) and entry.get("type") == "open":
                stream = Stream(socket, entry)
                stack.push_async_callback(stream.detach)
                yield stream
                return
        raise _lost()
