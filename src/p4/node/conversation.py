"""One signaling stream with one contact: requests and replies in both directions (spec/signaling.md)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from p4.core import limits
from p4.core.contacts import Contact
from p4.core.signaling import (
    FAILURE_LINE,
    PROTOCOL_2,
    Answer,
    Busy,
    Cancel,
    Candidates,
    Offer,
    Ping,
    Pong,
    SignalingMessage,
    UnsignedFailure,
)
from p4.errors import P4Error, RemoteError, RendezvousError, SignalingError
from p4.node.authentication import Authenticated, Authenticator
from p4.ports import SignalStream

__all__ = ["Conversation", "Reply", "Request"]

Request = Offer | Ping | Cancel | Candidates
Reply = Answer | Pong | Busy

_log = logging.getLogger(__name__)


class Conversation:
    """Reads a stream to its end, pairs replies with our requests, hands requests on.

    Args:
        stream: an open stream; owned from now on.
        contact: its far end. For a stream that we dialled this is who we expect: nothing it sends is
            believed without the contact's signature.
        on_request: called with each authenticated request, in order; also with copies of an offer that came
            over another stream before.
        on_end: called once when the stream has ended, with True if it was the far end's doing.
    """

    def __init__(
        self,
        stream: SignalStream,
        contact: Contact,
        authenticator: Authenticator,
        *,
        on_request: Callable[[Conversation, Authenticated], None],
        on_end: Callable[[Conversation, bool], None],
        dialled: bool,
        in_band: bool = False,
    ) -> None:
        self.contact = contact
        self.dialled = dialled
        self.in_band = in_band
        """It is the link in service: always open for requests, and over with the link."""
        self.quick = in_band
        """Replies take milliseconds here, not a way through Tor."""
        self.replied_ms = 0
        """When the far end sealed its latest reply, Unix milliseconds by its own clock."""
        self.warm = False
        """Both sides keep the stream open for later requests."""
        self._stream = stream
        self._authenticator = authenticator
        self._on_request = on_request
        self._on_end = on_end
        self._waiting: dict[str, tuple[asyncio.Future[Reply], bool]] = {}
        """Replies by session id, and whether their request was sealed."""
        self._write_lock = asyncio.Lock()
        self._closed_here = False
        self._ended = False
        self._task = asyncio.create_task(self._read(), name=f"conversation {stream.description}")

    @property
    def ended(self) -> bool:
        """Whether nothing more can be sent."""
        return self._ended or self._closed_here

    @property
    def stays(self) -> bool:
        """Whether it is kept open beyond the present request."""
        return self.warm or self.in_band

    async def request(self, message: Offer | Ping, timeout: float, *, sealed: bool) -> Reply:
        """Send a request and wait for its reply.

        Raises:
            RendezvousError: ``stream-broken`` or ``no-reply``.
            SignalingError: ``refused``: the far end gave the unsigned failure line. ``not-sealed``: the
                contact let others read a reply that only we should.
        """
        return await self.request_line(
            message.session_id, self.seal(message, sealed=sealed), timeout, sealed=sealed
        )

    async def request_line(self, session_id: str, line: bytes, timeout: float, *, sealed: bool) -> Reply:
        """Send a request that is sealed already, perhaps over several streams, and wait for its reply.

        Raises:
            RendezvousError, SignalingError: as `request`.
        """
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[session_id] = future, sealed
        try:
            async with asyncio.timeout(timeout):
                await self._write(line)
                return await future
        except TimeoutError:
            raise RendezvousError(
                f"The contact's node did not reply within {timeout:.0f} s.", code="no-reply"
            ) from None
        finally:
            self._waiting.pop(session_id, None)
            if future.done() and not future.cancelled():
                future.exception()  # seen, also if this task was cancelled in the same turn

    def seal(self, message: SignalingMessage, *, sealed: bool) -> bytes:
        """The signed line of a message to the contact; each time another.

        Args:
            sealed: only the contact can read it; a version 1 contact could not.

        Raises:
            ValueError: the message does not fit into a line.
        """
        key = self.contact.public_key if sealed else None
        return self._authenticator.seal(self.contact.peer_id, message, encrypt_to=key)

    async def send(self, message: SignalingMessage, *, sealed: bool) -> None:
        """Send a message that expects nothing back: a reply, a cancel, candidates.

        Raises:
            RendezvousError: ``stream-broken``, also if the far end reads nothing for long.
            ValueError: the message does not fit into a line.
        """
        await self._write(self.seal(message, sealed=sealed))

    async def _write(self, line: bytes) -> None:
        if self.ended:
            raise RendezvousError("The signaling stream has ended.", code="stream-broken")
        try:
            async with asyncio.timeout(limits.WARM_REPLY_SECONDS), self._write_lock:
                await self._stream.send_line(line)
        except TimeoutError:
            # Without this a far end that asks and never reads would pile up our replies for ever.
            self.close()
            raise RendezvousError("The signaling stream takes no more lines.", code="stream-broken") from None

    async def fail(self) -> None:
        """Give the constant failure line and end."""
        try:
            async with asyncio.timeout(limits.FIRST_BYTE_SECONDS), self._write_lock:
                await self._stream.send_line(FAILURE_LINE)
        except (TimeoutError, P4Error):
            pass  # the far end is gone; there is nobody to tell
        self.close()

    def close(self) -> None:
        """End the stream at once."""
        if not self._closed_here:
            self._closed_here = True
            self._task.cancel()
            self._end()  # not left to the task: it may not have begun

    async def wait_closed(self) -> None:
        """Wait until the reading task is over."""
        await asyncio.gather(self._task, return_exceptions=True)

    # -- reading ------------------------------------------------------------------------------------

    async def _read(self) -> None:
        try:
            while (line := await self._next_line()) is not None:
                await self._take(line)
        except P4Error as error:
            _log.debug("%s: %s", self._stream.description, error.message)
        finally:
            self._end()

    async def _next_line(self) -> bytes | None:
        patience = limits.WARM_SILENCE_SECONDS if not self.dialled else None
        try:
            async with asyncio.timeout(patience):
                return await self._stream.receive_line()
        except TimeoutError:
            return None

    async def _take(self, line: bytes) -> None:
        try:
            received = self._authenticator.open(line, self.contact)
            if isinstance(received, UnsignedFailure):
                # Anyone on the way may have sent it: a hint that ends our open requests, nothing else.
                refusal = SignalingError("The contact's node refused the request.", code="refused")
                for future, _ in self._waiting.values():
                    _settle(future, refusal)
                self.close()
                return
            message = received.message
            if isinstance(message, Answer | Pong | Busy):
                if message.session_id in self._waiting:
                    future, sealed = self._waiting[message.session_id]
                    self.replied_ms = received.verified.timestamp_ms
                    refusal = SignalingError("The contact's reply is not sealed.", code="not-sealed")
                    open_to_all = not received.sealed and (sealed or received.protocol >= PROTOCOL_2)
                    _settle(future, refusal if open_to_all else message)
                return
            if not isinstance(message, Candidates):  # which count only for a negotiation in progress
                await self._authenticator.admit(received)
        except RemoteError as error:
            _log.debug("%s: %s", self._stream.description, error.message)
            await self.fail()
            return
        self._on_request(self, received)

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        self._stream.close()
        for future, _ in self._waiting.values():
            _settle(future, RendezvousError("The signaling stream ended.", code="stream-broken"))
        self._on_end(self, not self._closed_here)


def _settle(future: asyncio.Future[Reply], outcome: Reply | P4Error) -> None:
    if future.done():
        return
    if isinstance(outcome, P4Error):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
