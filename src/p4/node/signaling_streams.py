"""The signaling streams of one contact, and keeping one of them warm (spec/signaling.md, "Warm streams")."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from p4.core import limits
from p4.core.address import RendezvousAddress, Transport
from p4.core.contacts import Contact
from p4.core.signaling import Announcement, Ping, Pong
from p4.errors import P4Error, SignalingError
from p4.node.authentication import Authenticated, Authenticator
from p4.node.conversation import Conversation
from p4.node.introduced_stream import IntroducedStream
from p4.node.veiled_stream import VeiledStream
from p4.node.ways import MoreWays, Way, opened
from p4.ports import SignalStream

__all__ = ["SignalingStreams"]

_log = logging.getLogger(__name__)


class SignalingStreams:
    """Every open conversation with one contact.

    Args:
        dial: opens a new stream to the address of the contact's invite; raises RendezvousError.
        dial_endpoint: the same to another address of the contact.
        endpoints: other addresses to try.
        introducers: common contacts to ask, by name, each with what opens a stream over it.
        announce: what our pings say about us.
        sealed: whether requests to the contact are sealed now.
        on_request: called with each request of the contact.
        on_ended: called with each conversation that the far end has ended.
        on_announced: called with what the contact announces in reply to a ping.
        on_warm_lost: a warm stream ended by the far end's doing: a sign of its death.
    """

    def __init__(
        self,
        contact: Callable[[], Contact],
        authenticator: Authenticator,
        *,
        dial: Callable[[bool], Awaitable[SignalStream]],
        dial_endpoint: Callable[[RendezvousAddress], Awaitable[SignalStream]],
        endpoints: Callable[[], Sequence[RendezvousAddress]],
        introducers: Callable[[], Sequence[tuple[str, Callable[[], Awaitable[SignalStream]]]]],
        announce: Callable[[], Announcement],
        sealed: Callable[[], bool],
        on_request: Callable[[Conversation, Authenticated], None],
        on_ended: Callable[[Conversation], None],
        on_announced: Callable[[Announcement], None],
        on_warm_lost: Callable[[], None],
    ) -> None:
        self._contact = contact
        self._authenticator = authenticator
        self._dial = dial
        self._dial_endpoint = dial_endpoint
        self._endpoints = endpoints
        self._introducers = introducers
        self._announce = announce
        self._sealed = sealed
        self._on_request = on_request
        self._on_ended = on_ended
        self._on_announced = on_announced
        self._on_warm_lost = on_warm_lost
        self._conversations: list[Conversation] = []
        self._surest: set[Conversation] = set()
        """Those to or from the address of an invite, which stays the same wherever the contact goes."""
        self._introduced: set[Conversation] = set()
        """Those that a common contact passes on: on links, though not on ours to the contact."""
        self._news = asyncio.Event()
        self._doubted_at = float("-inf")
        self.untold = False
        """Whether what we announce has changed since the contact was told it over an open stream."""
        self._keeper: asyncio.Task[None] | None = None
        self._teller: asyncio.Task[None] | None = None
        self._pinger: asyncio.Task[None] | None = None

    @property
    def warm(self) -> Conversation | None:
        """The newest stream that both sides keep open."""
        return next((c for c in reversed(self._conversations) if c.warm and not c.ended), None)

    def ways(self, *, fresh: bool) -> list[Way]:
        """All ways to ask the contact now, each with its head start (spec/signaling.md, Dial policy).

        Args:
            fresh: forget what is cached about the address of the invite first.
        """
        open_now = [c for c in reversed(self._conversations) if c.stays and not c.ended]
        ways = [
            Way(
                "an open stream" if conversation in self._introduced or conversation.warm else "the link",
                partial(opened, conversation),
                patience=limits.WARM_REPLY_SECONDS,
                opens=False,
            )
            for conversation in open_now[: limits.CONTACT_STREAMS]
        ]
        ways += [Way(str(e), partial(self._open_endpoint, e)) for e in self._endpoints()]
        head_start = limits.ROUNDABOUT_SECONDS if ways else 0.0
        via_after = limits.INTRODUCTION_HEAD_START_SECONDS if ways else 0.0
        ways += [
            Way(f"via {name}", partial(self._open_introduced, ask), via_after, limits.WARM_REPLY_SECONDS)
            for name, ask in self._introducers()
        ]
        if self._invite_is_near():
            head_start = 0.0
        elif any(conversation in self._surest for conversation in open_now) and not self._in_doubt:
            head_start = limits.WARM_HEAD_START_SECONDS
        return [*ways, Way("the invite's address", partial(self.open, fresh=fresh), head_start)]

    def more_ways(self, *, fresh: bool) -> MoreWays:
        """Ways that become known from now on."""
        self._news.clear()
        return MoreWays(lambda: self.ways(fresh=fresh), self._news)

    def look_again(self) -> None:
        """There may be another way to the contact."""
        self._news.set()

    async def open(self, *, fresh: bool) -> Conversation:
        """A new conversation over a new stream to the address of the invite. Raises RendezvousError."""
        conversation = self._add(await self._dial(fresh), dialled=True)
        self._surest.add(conversation)
        return conversation

    async def _open_endpoint(self, endpoint: RendezvousAddress) -> Conversation:
        return self._add(self._veiled(await self._dial_endpoint(endpoint)), dialled=True)

    async def _open_introduced(self, ask: Callable[[], Awaitable[SignalStream]]) -> Conversation:
        return self._add(self._veiled(await ask()), dialled=True, in_band=True)

    def _veiled(self, stream: SignalStream) -> VeiledStream:
        return VeiledStream(stream, self._authenticator.unveil, self._contact().public_key)

    def doubt(self) -> None:
        """Our network changed: open streams may be dead without a word."""
        self._doubted_at = asyncio.get_running_loop().time()

    @property
    def _in_doubt(self) -> bool:
        return asyncio.get_running_loop().time() < self._doubted_at + limits.WARM_REPLY_SECONDS

    def _invite_is_near(self) -> bool:
        """Whether dialling the address of the invite costs no more than any other."""
        return self._contact().rendezvous.transport is Transport.DIRECT

    def carry(self, stream: SignalStream) -> None:
        """The link in service carries signaling, too."""
        self._add(stream, dialled=True, in_band=True)
        if self.untold:  # it changed behind our last offer or answer
            self._teller = asyncio.create_task(self.announce())

    def accept(self, stream: SignalStream) -> Conversation:
        """Take over an inbound stream whose far end is the contact."""
        inbound = [c for c in self._conversations if not c.dialled]
        if len(inbound) >= limits.CONTACT_STREAMS:
            inbound[0].close()
        introduced = _is_introduced(stream)
        conversation = self._add(stream, dialled=False, in_band=introduced)
        if not introduced and not isinstance(stream, VeiledStream):
            self._surest.add(conversation)
        return conversation

    async def pong(self, conversation: Conversation, request: Authenticated, *, warm: bool) -> None:
        """Reply to a ping. The stream then stays open if both sides may keep it warm."""
        ours = self._announce() if request.sealed else None
        await conversation.send(Pong(request.message.session_id, ours), sealed=request.sealed)
        if conversation.in_band:
            return
        if warm:
            conversation.warm = True
        else:
            conversation.close()

    def keep_warm(self, first_delay: float) -> None:
        """See to it, from now on, that one stream stays open while the link is up."""
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep_warm(first_delay))

    def end_introduced(self) -> None:
        """A link is proven: common contacts need not pass anything on any more."""
        for conversation in [c for c in self._conversations if c in self._introduced]:
            conversation.close()

    def rest(self) -> None:
        """The link is down: leave opening streams to the dialling."""
        if self._keeper:
            self._keeper.cancel()
            self._keeper = None

    async def announce(self) -> None:
        """Tell the contact over an open stream what we announce now; see ``untold`` if there is none."""
        self.untold = True
        while self.untold and (open_now := [c for c in self._conversations if c.stays and not c.ended]):
            self.untold = False
            if not self._sealed():
                return
            try:
                await self._ping(open_now[-1])
            except P4Error as error:  # that stream is closed now; another one may have come meanwhile
                _log.debug("no news for %s: %s", self._contact().label, error.message)
                self.untold = True

    def close(self) -> None:
        """End everything."""
        for task in (self._keeper, self._teller, self._pinger):
            if task:
                task.cancel()
        for conversation in list(self._conversations):
            conversation.close()

    # -- inside ---------------------------------------------------------------------------------------

    def _add(self, stream: SignalStream, *, dialled: bool, in_band: bool = False) -> Conversation:
        conversation = Conversation(
            stream,
            self._contact(),
            self._authenticator,
            on_request=self._on_request,
            on_end=self._ended,
            dialled=dialled,
            in_band=in_band,
        )
        conversation.quick = in_band or isinstance(stream, VeiledStream) or self._invite_is_near()
        self._conversations.append(conversation)
        if _is_introduced(stream):
            self._introduced.add(conversation)
        if self._pinger is None or self._pinger.done():
            self._pinger = asyncio.create_task(self._ping_idle())
        return conversation

    def _ended(self, conversation: Conversation, by_peer: bool) -> None:
        if conversation in self._conversations:
            self._conversations.remove(conversation)
        self._surest.discard(conversation)
        self._introduced.discard(conversation)
        if by_peer:
            self._on_ended(conversation)
        if conversation.warm and by_peer:
            self._on_warm_lost()

    async def _keep_warm(self, delay: float) -> None:
        first, longest = limits.WARM_REDIAL_SECONDS
        while True:
            await asyncio.sleep(delay)
            delay = first
            if any(c.warm and not c.ended for c in self._surest):
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
        sealed = self._sealed()
        request = Ping(self._authenticator.new_session_id(), self._announce() if sealed else None)
        try:
            reply = await conversation.request(request, limits.REPLY_SECONDS, sealed=sealed)
        except BaseException:
            # Also if cancelled: nobody else would ever close a stream that has not become warm.
            conversation.close()
            raise
        if not isinstance(reply, Pong):
            conversation.close()
            raise SignalingError("The reply to a ping is not a pong.", code="bad-reply")
        if reply.p4 is not None:
            self._on_announced(reply.p4)


def _is_introduced(stream: SignalStream) -> bool:
    carrier = stream.carrier if isinstance(stream, VeiledStream) else stream
    return isinstance(carrier, IntroducedStream)
