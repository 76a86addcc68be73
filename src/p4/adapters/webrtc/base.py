"""What the links of both libraries share: channels by label, ordered events, back-pressure, one end.

Both libraries follow the browsers' interface, so that here a channel is anything that looks like the
browsers' ``RTCDataChannel``. All of this runs on the event loop's thread: wrtc posts its callbacks to
the loop that the handlers were registered on, and aiortc is asyncio throughout.

Bulk data passes through here once per message, and with wrtc each property of a channel is a call into
C++ that costs a fifth of a whole ``send``. So links keep their own account of what is open and of how much
can be queued at most, and ask the library only when that account no longer decides.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, Protocol

from p4.core import limits
from p4.errors import LinkError
from p4.ports import ChannelOpened, Link, LinkClosed, LinkEvent, LinkMessage

__all__ = [
    "BUFFER_BYTES",
    "CHANNELS",
    "CLOSED_BY_PEER",
    "EARLY_MESSAGES",
    "PATH_LOST",
    "UNCONFIRMED",
    "ChannelLink",
    "DataChannel",
]

BUFFER_BYTES = 16 * 1024 * 1024
"""Most bytes queued on one channel: libwebrtc's own limit, kept for aiortc too, which has none."""

CHANNELS = 64
"""Most channels on a link; further ones that a peer opens are ignored and closed."""

EARLY_MESSAGES = 10_000
"""Most messages kept of a channel that the peer sends on and has not confirmed."""

CLOSED_BY_PEER = "The other side closed the link."
PATH_LOST = "The direct path to the other side was lost."
UNCONFIRMED = "The other side sent too much on a channel that it did not confirm."


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

    def send(self, data: str | bytes, /) -> None:
        """Queue one message. Raises errors of the library."""

    def close(self) -> None:
        """Close this channel alone."""


class _Kept:
    """What a link knows of one of its channels."""

    __slots__ = ("channel", "early", "early_bytes", "give", "most_queued")

    def __init__(self, channel: DataChannel) -> None:
        self.channel = channel
        self.give = channel.send
        self.most_queued = 0
        """No more bytes than this are queued: what was when last asked, and all that was sent since."""
        self.early: list[str | bytes] = []
        """Messages that overtook the confirmation that opens the channel."""
        self.early_bytes = 0


class ChannelLink(Link):
    """A link whose channels are kept by label. Subclasses bring the library.

    A channel is never closed on its own in P4: when one closes, the link is over.
    """

    def __init__(self, sink: Callable[[LinkEvent], None]) -> None:
        self._sink = sink
        self._over = False
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._channels: dict[str, _Kept] = {}
        self._open: dict[str, _Kept] = {}
        """Those whose opening was raised; none once the link is over."""
        self._draining: dict[str, list[asyncio.Future[None]]] = {}

    # --- what the library does ------------------------------------------------------------------------

    _refusals: ClassVar[tuple[type[Exception], ...]]
    """What ``send`` of the library's channels raises."""

    @abstractmethod
    def _refused(self, error: Exception) -> LinkError:
        """What one of ``_refusals`` means to the user."""

    @abstractmethod
    def _attach(self, channel: DataChannel) -> None:
        """Register the handlers of a channel, which call the methods below, and set its low-water mark."""

    @abstractmethod
    def _create(self, label: str, *, ordered: bool, reliable: bool) -> DataChannel:
        """A new channel of the library, which it announces with its kind (DCEP, RFC 8832)."""

    @abstractmethod
    def _shut(self) -> None:
        """Close the library's connection without waiting. Called once."""

    # --- what its handlers call -----------------------------------------------------------------------

    def _adopt(self, channel: DataChannel) -> None:
        """Keep a new channel; an incoming one may be open already."""
        label = channel.label
        if self._over or label in self._channels or len(self._channels) >= CHANNELS:
            channel.close()
            return
        self._channels[label] = _Kept(channel)
        self._attach(channel)
        if channel.readyState == "open":
            self._on_open(label)

    def _on_open(self, label: str) -> None:
        if self._over or label in self._open:
            return
        kept = self._open[label] = self._channels[label]
        self._raise(ChannelOpened(label))
        early, kept.early = kept.early, []
        for data in early:
            self._on_message(label, data)

    def _on_message(self, label: str, data: str | bytes) -> None:
        if label in self._open:
            # What _raise does, without a call: once per message.
            try:
                self._sink(LinkMessage(label, data))
            except Exception as error:  # noqa: BLE001 - as in _raise
                self._report(LinkMessage, error)
        elif not self._over:
            self._on_early_message(self._channels[label], data)

    def _on_early_message(self, kept: _Kept, data: str | bytes) -> None:
        """Take a message that came before its channel was open.

        On an unordered channel messages may overtake the confirmation (RFC 8832, section 6). libwebrtc takes
        the message for the confirmation; aiortc waits, and until then nothing could be sent in reply.
        """
        if kept.channel.readyState == "open":
            self._on_open(kept.channel.label)
            self._on_message(kept.channel.label, data)
            return
        kept.early.append(data)
        kept.early_bytes += len(data)
        if kept.early_bytes > BUFFER_BYTES or len(kept.early) > EARLY_MESSAGES:
            self._end(UNCONFIRMED)

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
        """Tell the node. Only called while the link is not over."""
        try:
            self._sink(event)
        except Exception as error:  # noqa: BLE001 - a fault of the node must not unwind into the library's loop
            self._report(type(event), error)

    def _report(self, event: type[LinkEvent], error: Exception) -> None:
        self._loop.call_exception_handler(
            {"message": f"the sink of a link failed on {event.__name__}", "exception": error}
        )

    def _finish(self) -> None:
        self._over = True
        self._open.clear()
        self._channels.clear()
        if not self._ended.done():
            self._ended.set_result(None)
        for label in list(self._draining):
            self._on_low(label)

    # --- the port -------------------------------------------------------------------------------------

    def open_channel(self, label: str, *, ordered: bool = True, reliable: bool = True) -> None:
        """See `p4.ports.Link.open_channel`. Nothing happens if the link is over or has the channel."""
        if not self._over and label not in self._channels:
            self._adopt(self._create(label, ordered=ordered, reliable=reliable))

    def send(self, label: str, data: str | bytes) -> None:
        """See `p4.ports.Link.send`. Text that UTF-8 cannot carry is refused with code ``not-text``."""
        kept = self._open.get(label)
        if kept is None:
            raise LinkError(f"The channel {label!r} is not open. The message was not sent.", code="not-open")
        size = _text_size(data) if isinstance(data, str) else len(data)
        if size > limits.LINK_MESSAGE_BYTES:
            raise LinkError(
                f"The message has {size} bytes; one message carries at most {limits.LINK_MESSAGE_BYTES}. "
                "It was not sent.",
                code="too-large",
            )
        # Libraries send a byte for an empty message.
        queued = kept.most_queued + (size or 1)
        if queued > BUFFER_BYTES:
            waiting = kept.channel.bufferedAmount
            queued = waiting + (size or 1)
            if queued > BUFFER_BYTES:
                raise LinkError(
                    f"{waiting} bytes already wait to be sent. Try again when some have gone.",
                    code="buffer-full",
                )
        try:
            kept.give(data)
        except self._refusals as error:
            raise self._refused(error) from error
        kept.most_queued = queued

    def buffered(self, label: str) -> int:
        """See `p4.ports.Link.buffered`. 0 for a channel that is not open or a link that is over."""
        kept = self._open.get(label)
        if kept is None:
            return 0
        queued = kept.most_queued = kept.channel.bufferedAmount
        return queued

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


def _text_size(text: str) -> int:
    """Bytes of a text in UTF-8. Raises LinkError (``not-text``)."""
    if text.isascii():
        return len(text)
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise LinkError(
            "The text contains half of a surrogate pair, which UTF-8 cannot carry. It was not sent.",
            code="not-text",
        ) from None
