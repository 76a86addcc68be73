"""The front door: inbound signaling streams until they prove to be a contact's (spec/signaling.md, Limits).

Whoever has not proved anything costs one slot for a few seconds, and learns one constant line.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from p4.core import limits
from p4.core.contacts import Contact
from p4.core.signaling import FAILURE_LINE, Cancel, Offer, Ping, UnsignedFailure
from p4.core.veil import is_veiled
from p4.errors import P4Error, RemoteError
from p4.node.authentication import Authenticated, Authenticator
from p4.node.veiled_stream import VeiledStream
from p4.ports import SignalStream

__all__ = ["Guests", "Listener"]

_log = logging.getLogger(__name__)


class Guests(Protocol):
    """Who takes a stream that begins with pairing."""

    def takes(self, line: bytes) -> bool:
        """Whether it takes one with this first line."""

    async def serve(self, stream: SignalStream, line: bytes) -> None:
        """Take the stream over, with its first line; returns when it has ended."""


class Listener:
    """Takes every inbound stream and hands on those that begin with a contact's request.

    Args:
        ready: no line is looked at before the contacts are known.
        admit: given the stream and its first request; owns the stream and returns when it has ended.
        guests: takes streams that begin with pairing instead (spec/pairing.md).
    """

    def __init__(
        self,
        authenticator: Authenticator,
        ready: asyncio.Event,
        admit: Callable[[SignalStream, Authenticated], Awaitable[None]],
        guests: Guests | None = None,
    ) -> None:
        self._guests = guests
        self._authenticator = authenticator
        self._ready = ready
        self._admit = admit
        self._strangers: dict[int, SignalStream] = {}
        self._count = 0

    @property
    def strangers(self) -> int:
        """Streams that have not proved anything yet; at most ``limits.STRANGER_STREAMS``."""
        return len(self._strangers)

    async def accept(
        self, stream: SignalStream, *, hidden_from: Callable[[Contact], bool] = lambda contact: False
    ) -> None:
        """Serve one inbound stream; returns when it has ended.

        Args:
            hidden_from: contacts that shall not learn that this device is where the stream arrived. They are
                refused as strangers are.
        """
        self._count += 1
        number = self._count
        if len(self._strangers) >= limits.STRANGER_STREAMS:
            # The oldest goes, not the newest: a contact speaks at once, an idle stranger does not.
            oldest = next(iter(self._strangers))
            self._strangers.pop(oldest).close()
        self._strangers[number] = stream
        try:
            admitted = await self._first_request(stream, hidden_from)
        except asyncio.CancelledError:
            stream.close()
            raise
        finally:
            self._strangers.pop(number, None)
        if admitted is None:
            stream.close()
        elif isinstance(admitted, bytes):
            assert self._guests is not None  # noqa: S101 - who took it
            await self._guests.serve(stream, admitted)
        else:
            await self._admit(*admitted)

    async def _first_request(
        self, stream: SignalStream, hidden_from: Callable[[Contact], bool]
    ) -> tuple[SignalStream, Authenticated] | bytes | None:
        """A contact's request, or the first line of a guest, or nothing."""
        try:
            async with asyncio.timeout(limits.FIRST_BYTE_SECONDS):
                line = await stream.receive_line()
                if line is None:
                    return None
                await self._ready.wait()
                if self._guests is not None and self._guests.takes(line):
                    return line
                try:
                    if not is_veiled(line):
                        return stream, await self._authenticate(line, hidden_from)
                    request = await self._authenticate(self._authenticator.unveil(line), hidden_from)
                    far_key = request.contact.public_key
                    return VeiledStream(stream, self._authenticator.unveil, far_key), request
                except RemoteError as error:
                    _log.debug("%s: %s", stream.description, error.message)
                    await stream.send_line(FAILURE_LINE)
        except RemoteError:
            pass  # an endless line: nothing is owed
        except (TimeoutError, P4Error) as error:
            _log.debug("%s: gone before its first line (%s)", stream.description, type(error).__name__)
        return None

    async def _authenticate(self, line: bytes, hidden_from: Callable[[Contact], bool]) -> Authenticated:
        received = self._authenticator.open(line)
        if isinstance(received, UnsignedFailure) or not isinstance(received.message, Offer | Ping | Cancel):
            raise RemoteError("The first line is not a request.", code="not-a-request")
        if hidden_from(received.contact):
            raise RemoteError("This contact shall not find this device here.", code="hidden")
        await self._authenticator.admit(received)
        return received

    def close(self) -> None:
        """End every stream that has not proved anything."""
        for stream in self._strangers.values():
            stream.close()
        self._strangers.clear()
