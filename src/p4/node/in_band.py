"""Signaling over a link in service, as a stream like any other (spec/link.md, Signaling on a link)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from p4.errors import FrameError, LinkError, RendezvousError

__all__ = ["InBandStream"]

_WAITING_LINES = 32
"""Lines that arrived and were not read; the contact is asked one thing at a time, so this is plenty."""


class InBandStream:
    """Lines in frames of a link; implements `p4.ports.SignalStream`.

    Args:
        send: puts a line on the link; raises LinkError or ValueError.
        description: for the log.
        closed: called once when we close it, not when the far end or the link has ended it.
    """

    def __init__(
        self, send: Callable[[bytes], None], description: str, *, closed: Callable[[], None] | None = None
    ) -> None:
        self.description = description
        self._send = send
        self._closed = closed
        self._lines: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._over = False
        self._why: RendezvousError | None = None

    def arrived(self, line: bytes) -> None:
        """A frame arrived. Raises FrameError (``early``) if the far end does not wait for answers."""
        if self._over:
            return
        if len(self._lines) >= _WAITING_LINES:
            raise FrameError("Too much signaling arrived on the link.", code="early")
        self._lines.append(line)
        self._news.set()

    def end(self, why: RendezvousError | None = None) -> None:
        """The far end or the link has ended it.

        Args:
            why: raised to the reader, where there is more to say than that.
        """
        if not self._over:
            self._over, self._why = True, why
            self._news.set()

    async def receive_line(self) -> bytes | None:
        """See `p4.ports.SignalStream.receive_line`."""
        while not self._lines:
            if self._over:
                if self._why:
                    raise self._why
                return None
            self._news.clear()
            await self._news.wait()
        return self._lines.popleft()

    async def send_line(self, line: bytes) -> None:
        """See `p4.ports.SignalStream.send_line`."""
        if self._over:
            raise self._why or RendezvousError("The link has ended.", code="stream-broken")
        try:
            self._send(line)
        except (LinkError, ValueError) as error:  # ValueError: longer than a frame takes
            raise RendezvousError(f"The line was not sent: {error}.", code="stream-broken") from error

    def close(self) -> None:
        """See `p4.ports.SignalStream.close`; also called when the link is over."""
        if not self._over:
            self._over = True
            self._news.set()
            if self._closed:
                self._closed()
