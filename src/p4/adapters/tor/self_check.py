"""Calling our own onion address: the only proof that others can.

Tor reports that it has published an address, and then nothing more: introduction points die, directories
lose what was uploaded, a machine sleeps. So now and then a stream is opened to our own address, out through
our Tor and in again, with a number that nobody else knows as its first line. It is recognised at our
listener, before the node sees it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable

from p4.errors import P4Error, RendezvousError
from p4.ports import SignalStream

__all__ = ["SelfCheck"]

_GREETING = b"p4-self-check "

_FIRST_LINE_SECONDS = 3.0
"""While a check is under way, a stream that stays silent for so long is somebody else's: who dials speaks."""

_LOOKED_AT_ONCE = 16
"""Streams whose first line is awaited; more go straight to the node, which has bounds for strangers."""

_LATE_SECONDS = 120.0
"""So long a stream of a check that has failed may still arrive: Tor gives up a circuit after about this."""


class SelfCheck:
    """Both ends of the calls to ourselves.

    Args:
        heard: called for each stream that is somebody else's.
    """

    def __init__(self, heard: Callable[[], None] = lambda: None) -> None:
        self._heard = heard
        self._expected: dict[bytes, asyncio.Event] = {}
        """By first line; those of failed checks for a while longer."""
        self._looking = 0

    async def run(self, *dials: Callable[[], Awaitable[SignalStream]]) -> None:
        """Open a stream to ourselves at each of our addresses and return when all have arrived.

        Sets no time-out.

        Raises:
            RendezvousError: it could not be opened, or it broke.
        """
        calls = [asyncio.ensure_future(self._run(dial)) for dial in dials]
        try:
            if calls:
                await asyncio.wait(calls, return_when=asyncio.FIRST_EXCEPTION)
            for call in calls:
                if call.done():
                    call.result()
        finally:
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)

    async def _run(self, dial: Callable[[], Awaitable[SignalStream]]) -> None:
        line = _GREETING + secrets.token_hex(16).encode()
        arrived = self._expected[line] = asyncio.Event()
        try:
            stream = await dial()
            try:
                await stream.send_line(line)
                await _arrival(arrived, stream)
            finally:
                stream.close()
        finally:
            if arrived.is_set():
                del self._expected[line]
            else:
                asyncio.get_running_loop().call_later(_LATE_SECONDS, self._expected.pop, line, None)

    async def admit(self, stream: SignalStream, accept: Callable[[SignalStream], Awaitable[None]]) -> None:
        """Take an inbound stream if it is our own; else give it to ``accept`` as if nobody had looked."""
        if not self._expected or self._looking >= _LOOKED_AT_ONCE:
            self._heard()
            await accept(stream)
            return
        self._looking += 1
        first: bytes | P4Error | None
        try:
            async with asyncio.timeout(_FIRST_LINE_SECONDS):
                first = await stream.receive_line()
        except TimeoutError:
            await self._pass_on(stream, accept)
            return
        except P4Error as error:
            first = error
        except BaseException:
            self._looking -= 1
            raise
        if isinstance(first, bytes) and (arrived := self._expected.get(first)) is not None:
            self._looking -= 1
            arrived.set()
            return
        await self._pass_on(_Begun(stream, first), accept)

    async def _pass_on(self, stream: SignalStream, accept: Callable[[SignalStream], Awaitable[None]]) -> None:
        self._looking -= 1
        self._heard()
        await accept(stream)


async def _arrival(arrived: asyncio.Event, stream: SignalStream) -> None:
    """Wait until it is there. Our listener closes the stream then; its end says the same a moment later."""
    arriving = asyncio.ensure_future(arrived.wait())
    ending = asyncio.ensure_future(stream.receive_line())
    try:
        await asyncio.wait([arriving, ending], return_when=asyncio.FIRST_COMPLETED)
        if not arrived.is_set():
            raise RendezvousError(
                "Our own onion address took a call and lost it again. P4 tries again by itself.",
                code="stream-broken",
            )
    finally:
        for waiting in (arriving, ending):
            waiting.cancel()
        await asyncio.wait([arriving, ending])
        if not ending.cancelled():
            ending.exception()  # whatever ended it: the check is over


class _Begun:
    """A stream whose first line was read already. Implements `p4.ports.SignalStream`."""

    def __init__(self, stream: SignalStream, first: bytes | P4Error | None) -> None:
        self._stream = stream
        self._first: list[bytes | P4Error | None] = [first]

    @property
    def description(self) -> str:
        """See `p4.ports.SignalStream`."""
        return self._stream.description

    async def receive_line(self) -> bytes | None:
        """See `p4.ports.SignalStream`."""
        if not self._first:
            return await self._stream.receive_line()
        first = self._first.pop()
        if isinstance(first, P4Error):
            raise first
        return first

    async def send_line(self, line: bytes) -> None:
        """See `p4.ports.SignalStream`."""
        await self._stream.send_line(line)

    def close(self) -> None:
        """See `p4.ports.SignalStream`."""
        self._stream.close()
