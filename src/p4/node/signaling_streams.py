"""The signaling streams of one contact, and keeping one of them warm (spec/signaling.md, "Warm streams")."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from p4.core import limits
from p4.core.contacts import Contact
from p4.core.signaling import Ping, Pong
from p4.errors import P4Error, SignalingError
from p4.node.authentication import Authenticated, Authenticator
from p4.node.conversation import Conversation
from p4.ports import SignalStream

__all__ = ["SignalingStreams"]

_log = logging.getLogger(__name__)


class SignalingStreams:
    """Every open conversation with one contact.

    Args:
        dial: opens a new stream to the contact; raises RendezvousError.
        sealed: whether requests to the contact are sealed now.
        on_request: called with each request of the contact.
        on_ended: called with each conversation that the far end has ended.
        on_warm_lost: a warm stream ended by the far end's doing: a sign of its death.
    """

    def __init__(
        self,
        contact: Callable[[], Contact],
        authenticator: Authenticator,
        *,
        dial: Callable[[bool], Awaitable[SignalStream]],
        sealed: Callable[[], bool],
        on_request: Callable[[Conversation, Authenticated], None],
        on_ended: Callable[[Conversation], None],
        on_warm_lost: Callable[[], None],
    ) -> None:
        self._contact = contact
        self._authenticator = authenticator
        self._dial = dial
        self._sealed = sealed
        self._on_request = on_request
        self._on_ended = on_ended
        self._on_warm_lost = on_warm_lost
        self._conversations: list[Conversation] = []
        self._keeper: asyncio.Task[None] | None = None
        self._pinger: asyncio.Task[None] | None = None

    @property
    def warm(self) -> Conversation | None:
        """The newest stream that both sides keep open."""
        return next((c for c in reversed(self._conversations) if c.warm and not c.ended), None)

    async def open(self, *, fresh: bool) -> Conversation:
        """A new conversation over a new stream. Raises RendezvousError."""
        return self._add(await self._dial(fresh), dialled=True)

    def accept(self, stream: SignalStream) -> Conversation:
        """Take over an inbound stream whose far end is the contact."""
        inbound = [c for c in self._conversations if not c.dialled]
        if len(inbound) >= limits.CONTACT_STREAMS:
            inbound[0].close()
        return self._add(stream, dialled=False)

    async def pong(self, conversation: Conversation, request: Authenticated, *, warm: bool) -> None:
        """Reply to a ping. The stream then stays open if both sides may keep it warm."""
        await conversation.send(Pong(request.message.session_id), sealed=request.sealed)
        if warm:
            conversation.warm = True
        else:
            conversation.close()

    def keep_warm(self, first_delay: float) -> None:
        """See to it, from now on, that one stream stays open while the link is up."""
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep_warm(first_delay))

    def rest(self) -> None:
        """The link is down: leave opening streams to the dialling."""
        if self._keeper:
            self._keeper.cancel()
            self._keeper = None

    def close(self) -> None:
        """End everything."""
        for task in (self._keeper, self._pinger):
            if task:
                task.cancel()
        for conversation in list(self._conversations):
            conversation.close()

    # -- inside ---------------------------------------------------------------------------------------

    def _add(self, stream: SignalStream, *, dialled: bool) -> Conversation:
        conversation = Conversation(
            stream,
            self._contact(),
            self._authenticator,
            on_request=self._on_request,
            on_end=self._ended,
            dialled=dialled,
        )
        self._conversations.append(conversation)
        if self._pinger is None or self._pinger.done():
            self._pinger = asyncio.create_task(self._ping_idle())
        return conversation

    def _ended(self, conversation: Conversation, by_peer: bool) -> None:
        if conversation in self._conversations:
            self._conversations.remove(conversation)
        if by_peer:
            self._on_ended(conversation)
        if conversation.warm and by_peer:
            self._on_warm_lost()

    async def _keep_warm(self, delay: float) -> None:
        first, longest = limits.WARM_REDIAL_SECONDS
        while True:
            await asyncio.sleep(delay)
            delay = first
            if self.warm is not None:
                continue
            try:
                conversation = await self.open(fresh=False)
                await self._ping(conversation)
                conversation.warm = True
            except P4Error as error:
                _log.debug("no warm stream to %s: %s", self._contact().label, error.message)
                first = min(first * 2, longest)
                delay = first
            else:
                first = limits.WARM_REDIAL_SECONDS[0]

    async def _ping_idle(self) -> None:
        while self._conversations:
            await asyncio.sleep(limits.WARM_PING_SECONDS)
            for conversation in [c for c in self._conversations if c.warm and c.dialled and not c.ended]:
                try:
                    await self._ping(conversation)
                except P4Error as error:
                    _log.debug("warm stream to %s is dead: %s", self._contact().label, error.message)
                    self._on_warm_lost()

    async def _ping(self, conversation: Conversation) -> None:
        request = Ping(self._authenticator.new_session_id())
        try:
            reply = await conversation.request(request, limits.REPLY_SECONDS, sealed=self._sealed())
        except BaseException:
            # Also if cancelled: nobody else would ever close a stream that has not become warm.
            conversation.close()
            raise
        if not isinstance(reply, Pong):
            conversation.close()
            raise SignalingError("The reply to a ping is not a pong.", code="bad-reply")
