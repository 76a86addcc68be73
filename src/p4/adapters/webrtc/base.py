"""What the links of both libraries share: channels by label, ordered events, back-pressure, one end.

Both libraries follow the browsers' interface, so that here a channel is anything that looks like the
browsers' ``RTCDataChannel``. All of this runs on the event loop's thread: wrtc posts its callbacks to
the loop that the handlers were registered on, and aiortc is asyncio throughout.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from typing import Protocol

from p4.core import limits
from p4.errors import LinkError
from p4.ports import ChannelOpened, Link, LinkClosed, LinkEvent, LinkMessage

__all__ = ["BUFFER_BYTES", "CHANNELS", "CLOSED_BY_PEER", "PATH_LOST", "ChannelLink", "DataChannel"]

BUFFER_BYTES = 16 * 1024 * 1024
"""Most bytes queued on one channel: libwebrtc's own limit, kept for aiortc too, which has none."""

CHANNELS = 64
"""Most channels on a link; further ones that a peer opens are ignored and closed."""

CLOSED_BY_PEER = "The other side closed the link."
PATH_LOST = "The direct path to the other side was lost."


class DataChannel(Protocol):
    """The part of a browser's ``RTCDataChannel`` that links need."""

    @property
    def label(self) -> str:
        """The name it was created with."""

    @property
    def readyState(self) -> str:  # noqa: N802 - the browsers' name
        """``connecting``, ``open``, ``closing`` or ``closed``."""

    @property
    def bufferedAmount(self) -> int:  # noqa: N802 - the browsers' name
        """Bytes queued."""

    def close(self) -> None:
        """Close this channel alone."""


class ChannelLink(Link):
    """A link whose channels are kept by label. Subclasses bring the library.

    A channel is never closed on its own in P4: when one closes, the link is over.
    """

    def __init__(self, sink: Callable[[LinkEvent], None]) -> None:
        self._sink = sink
        self._over = False
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._channels: dict[str, DataChannel] = {}
        self._announced: set[str] = set()
        self._draining: dict[str, list[asyncio.Future[None]]] = {}

    # --- what the library does ------------------------------------------------------------------------

    @abstractmethod
    def _hand_over(self, channel: DataChannel, data: str | bytes) -> None:
        """Give one message to the library. Raises LinkError, never anything of the library."""

    @abstractmethod
    def _attach(self, channel: DataChannel) -> None:
        """Register the handlers of a channel, which call the methods below, and set its low-water mark."""

    @abstractmethod
    def _create(self, label: str) -> DataChannel:
        """A new reliable, ordered channel of the library."""

    @abstractmethod
    def _shut(self) -> None:
        """Close the library's connection without waiting. Called once."""

    # --- what its handlers call -----------------------------------------------------------------------

    def _adopt(self, channel: DataChannel) -> None:
        """Keep a new channel; an incoming one may be open already."""
        if self._over or channel.label in self._channels or len(self._channels) >= CHANNELS:
            channel.close()
            return
        self._channels[channel.label] = channel
        self._attach(channel)
        if channel.readyState == "open":
            self._on_open(channel.label)

    def _on_open(self, label: str) -> None:
        if label not in self._announced:
            self._announced.add(label)
            self._raise(ChannelOpened(label))

    def _on_message(self, label: str, data: str | bytes) -> None:
        self._on_open(label)
        self._raise(LinkMessage(label, data))

    def _on_low(self, label: str) -> None:
        for waiter in self._draining.pop(label, ()):
            if not waiter.done():
                waiter.set_result(None)

    def _end(self, reason: str) -> None:
        """The link is over by itself. The first reason counts."""
        if not self._over:
            self._raise(LinkClosed(reason))
            self._finish()

    def _raise(self, event: LinkEvent) -> None:
        if self._over:
            return
        try:
            self._sink(event)
        except Exception as error:  # noqa: BLE001 - a fault of the node must not unwind into the library's loop
            self._loop.call_exception_handler(
                {"message": f"the sink of a link failed on {type(event).__name__}", "exception": error}
            )

    def _finish(self) -> None:
        self._over = True
        if not self._ended.done():
            self._ended.set_result(None)
        for label in list(self._draining):
            self._on_low(label)

    # --- the port -------------------------------------------------------------------------------------

    def open_channel(self, label: str) -> None:
        """See `p4.ports.Link.open_channel`. Nothing happens if the link is over or has the channel."""
        if not self._over and label not in self._channels:
            self._adopt(self._create(label))

    def send(self, label: str, data: str | bytes) -> None:
        """See `p4.ports.Link.send`. Text that UTF-8 cannot carry is refused with code ``not-text``."""
        channel = self._channels.get(label)
        if self._over or channel is None or channel.readyState != "open":
            raise LinkError(f"The channel {label!r} is not open. The message was not sent.", code="not-open")
        try:
            size = len(data.encode()) if isinstance(data, str) else len(data)
        except UnicodeEncodeError:
            raise LinkError(
                "The text contains half of a surrogate pair, which UTF-8 cannot carry. It was not sent.",
                code="not-text",
            ) from None
        if size > limits.LINK_MESSAGE_BYTES:
            raise LinkError(
                f"The message has {size} bytes; one message carries at most {limits.LINK_MESSAGE_BYTES}. "
                "It was not sent.",
                code="too-large",
            )
        if channel.bufferedAmount + size > BUFFER_BYTES:
            raise LinkError(
                f"{channel.bufferedAmount} bytes already wait to be sent. Try again when some have gone.",
                code="buffer-full",
            )
        self._hand_over(channel, data)

    def buffered(self, label: str) -> int:
        """See `p4.ports.Link.buffered`. 0 for a channel that does not exist or a link that is over."""
        channel = self._channels.get(label)
        return 0 if channel is None or self._over else channel.bufferedAmount

    async def drained(self, label: str) -> None:
        """See `p4.ports.Link.drained`."""
        while self.buffered(label) > limits.LINK_LOW_WATER_BYTES:
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._draining.setdefault(label, []).append(waiter)
            await waiter

    def close(self) -> None:
        """See `p4.ports.Link.close`."""
        if not self._shut_already:
            self._shut_already = True
            self._finish()
            self._shut()

    _shut_already = False
