"""Common contacts: we introduce contacts to each other, and are introduced (spec/introduction.md)."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from p4.core import limits
from p4.core.allowance import Allowance
from p4.core.identity import PeerId
from p4.core.session.introduction_frames import INTRODUCE, CeaseReason, IntroductionFrame
from p4.errors import LinkError, RendezvousError
from p4.node.crossing import Crossing
from p4.node.introduced_stream import IntroducedStream
from p4.node.introduction_link import IntroductionLink, Passage
from p4.ports import SignalStream

__all__ = ["IntroductionCarrier", "Introductions"]


class IntroductionCarrier(Protocol):
    """The link in service, as far as introductions need it."""

    @property
    def capabilities(self) -> frozenset[str]:
        """What the contact announced for this link."""

    def send_whole(self, frame: IntroductionFrame) -> None:
        """Send a frame that never comes in parts, at once. Raises LinkError."""

    def room(self) -> int:
        """Bytes that may be queued now; 0 or less while enough wait."""

    def fail(self, reason: str) -> None:
        """End the link; a new one follows."""


@dataclass(frozen=True, slots=True)
class _Linked:
    """A contact with a link in service that knows introductions."""

    link: IntroductionLink
    allowed: Callable[[str], bool]
    """Whether the contact may use a service here."""
    granted: Callable[[str], bool]
    """Whether it lets us."""

    @property
    def may_ask(self) -> bool:
        return self.allowed(INTRODUCE)

    @property
    def introduces_us(self) -> bool:
        return self.granted(INTRODUCE)


class Introductions:
    """Both sides of it for one node. Works on links in service, of which it is told.

    Args:
        me: our own id, as a contact knows it.
        contacts: all contacts that there are now, those seen last first.
        accept: serves an inbound stream of whoever it is, until it ends.
        spawn: runs that in the background.
        announce: has the contacts told which of them introduce us.
    """

    def __init__(
        self,
        me: Callable[[PeerId], PeerId],
        *,
        contacts: Callable[[], Sequence[PeerId]],
        accept: Callable[[SignalStream], Awaitable[None]],
        spawn: Callable[[Coroutine[None, None, None]], None],
        announce: Callable[[], None],
    ) -> None:
        self._me = me
        self.contacts = contacts
        self._accept = accept
        self._spawn = spawn
        self._announce = announce
        self._linked: dict[PeerId, _Linked] = {}
        self._introducers: set[PeerId] = set()
        """Who granted it to us, as far as is known in this run; also while its link is down."""
        self._lost_at: dict[PeerId, float] = {}
        self._began = _now()
        self._crossings: set[Crossing] = set()
        self._brought: dict[PeerId, set[IntroducedStream]] = {}
        self._begun: dict[PeerId, Allowance] = {}
        self._passed: dict[PeerId, Allowance] = {}
        self._watchers: dict[PeerId, Callable[[PeerId], None]] = {}
        self._waiting: set[asyncio.Future[None]] = set()
        self._news: asyncio.TimerHandle | None = None

    # -- links ---------------------------------------------------------------------------------------------

    def link_up(
        self,
        peer_id: PeerId,
        carrier: IntroductionCarrier,
        *,
        allowed: Callable[[str], bool],
        granted: Callable[[str], bool],
    ) -> None:
        """A link of a contact is in service.

        Args:
            allowed: whether the contact may use a service here.
            granted: whether it lets us, as far as it said on this link.
        """
        if INTRODUCE not in carrier.capabilities:
            return
        link = IntroductionLink(
            partial(_send, carrier),
            room=carrier.room,
            lower=self._me(peer_id) < peer_id,
            introduce=partial(self._introduce, peer_id),
            brought=partial(self._bring, peer_id),
        )
        self._linked[peer_id] = _Linked(link, allowed, granted)

    def link_down(self, peer_id: PeerId) -> None:
        """It is over."""
        if linked := self._linked.pop(peer_id, None):
            self._lost_at[peer_id] = _now()
            linked.link.close()

    def handle(self, peer_id: PeerId, frame: IntroductionFrame) -> None:
        """A frame arrived. Raises FrameError."""
        if linked := self._linked.get(peer_id):
            linked.link.handle(frame)

    def told_grants(self, peer_id: PeerId) -> None:
        """The contact said on its link in service what it lets us use."""
        linked = self._linked.get(peer_id)
        does = linked is not None and linked.introduces_us
        if does != (peer_id in self._introducers):
            (self._introducers.add if does else self._introducers.discard)(peer_id)
            self._tell_contacts()
        if does:
            for waiter in self._waiting:
                if not waiter.done():
                    waiter.set_result(None)
            for watcher in list(self._watchers.values()):
                watcher(peer_id)

    def rights_changed(self, peer_id: PeerId) -> None:
        """The contact may use other services here than before."""
        if (linked := self._linked.get(peer_id)) and not linked.may_ask:
            for crossing in [c for c in self._crossings if peer_id in (c.asker, c.target)]:
                crossing.end(CeaseReason.REFUSED)

    def forget(self, peer_id: PeerId) -> None:
        """The contact was removed."""
        self._introducers.discard(peer_id)
        for memory in (self._lost_at, self._begun, self._passed):
            memory.pop(peer_id, None)

    # -- being introduced ------------------------------------------------------------------------------------

    @property
    def introducers(self) -> list[PeerId]:
        """Contacts that introduce us to theirs, those seen last first."""

        # Asked for every offer, and few among many contacts: so not by looking through all of them.
        def last_seen(peer_id: PeerId) -> float:
            return math.inf if peer_id in self._linked else self._lost_at.get(peer_id, 0.0)

        return sorted(self._introducers, key=last_seen, reverse=True)

    def known(self, peer_ids: Sequence[PeerId]) -> list[PeerId]:
        """Those that can be asked now, or may soon be, the former first."""
        ready = [peer_id for peer_id in peer_ids if self._ready(peer_id)]
        others = [peer_id for peer_id in peer_ids if peer_id not in ready]
        return [*ready, *(peer_id for peer_id in others if _now() < self._expected_until(peer_id))]

    def watch(self, target: PeerId, linked: Callable[[PeerId], None]) -> None:
        """Somebody looks for this contact: it is told of each one that can be asked from now on."""
        self._watchers[target] = linked

    def unwatch(self, target: PeerId) -> None:
        """Not any more."""
        self._watchers.pop(target, None)

    async def open(self, introducer: PeerId, target: PeerId) -> SignalStream:
        """A stream to a contact over a common one; whether it leads there shows when it is used.

        Waits a moment for a link that is expected back.

        Raises:
            RendezvousError: ``no-introduction``: there is no such link.
        """
        give_up = min(_now() + limits.INTRODUCER_SECONDS, self._expected_until(introducer))
        while (linked := self._ready(introducer)) is None:
            await self._news_before(give_up)
        stream = IntroducedStream(linked.link, f"to {target} over {introducer}")
        stream.ask_for(target)
        return stream

    def _ready(self, introducer: PeerId) -> _Linked | None:
        linked = self._linked.get(introducer)
        return linked if linked is not None and linked.introduces_us else None

    def _expected_until(self, introducer: PeerId) -> float:
        if introducer in self._linked and introducer in self._introducers:
            return float("-inf")  # its link is up, and it has taken the right back
        return self._lost_at.get(introducer, self._began) + limits.INTRODUCER_EXPECTED_SECONDS

    async def _news_before(self, deadline: float) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        try:
            async with asyncio.timeout_at(deadline):
                await waiter
        except TimeoutError:
            raise RendezvousError(
                "The common contact is not linked or introduces us no more.", code="no-introduction"
            ) from None
        finally:
            self._waiting.discard(waiter)

    def _bring(self, introducer: PeerId, number: int) -> Passage | CeaseReason:
        linked, brought = self._linked[introducer], self._brought.setdefault(introducer, set())
        if (
            not linked.introduces_us
            or len(brought) >= limits.INTRODUCTION_STREAMS
            or not self._may_begin(introducer)
        ):
            return CeaseReason.REFUSED
        stream = IntroducedStream(linked.link, f"from somebody over {introducer}", number)
        brought.add(stream)
        self._spawn(self._serve(introducer, stream))
        return stream

    async def _serve(self, introducer: PeerId, stream: IntroducedStream) -> None:
        try:
            await self._accept(stream)
        finally:
            stream.close()
            self._brought[introducer].discard(stream)

    # -- introducing -----------------------------------------------------------------------------------------

    def _introduce(self, asker: PeerId, number: int, target: PeerId) -> Passage | CeaseReason:
        mine = self._linked[asker]
        # First of all the right: without it there is one answer, whoever is wanted.
        if not mine.may_ask or not self._may_begin(asker):
            return CeaseReason.REFUSED
        if sum(crossing.asker == asker for crossing in self._crossings) >= limits.INTRODUCTION_STREAMS:
            return CeaseReason.REFUSED
        theirs = self._linked.get(target)
        taken = sum(crossing.target == target for crossing in self._crossings)
        if theirs is None or target == asker or not theirs.may_ask or taken >= limits.INTRODUCTION_STREAMS:
            return CeaseReason.NOT_LINKED
        crossing = Crossing(
            (asker, mine.link, number),
            (target, theirs.link),
            may_pass=self._may_pass,
            over=self._crossings.discard,
        )
        self._crossings.add(crossing)
        return crossing.asking

    def _may_begin(self, peer_id: PeerId) -> bool:
        now = _now()
        allowance = self._begun.get(peer_id)
        if allowance is None:
            allowance = self._begun[peer_id] = Allowance(
                limits.INTRODUCTION_BURST, limits.INTRODUCTIONS_PER_SECOND, now
            )
        return allowance.take(1, now)

    def _may_pass(self, peer_id: PeerId, size: int) -> bool:
        now = _now()
        allowance = self._passed.get(peer_id)
        if allowance is None:
            allowance = self._passed[peer_id] = Allowance(
                limits.INTRODUCTION_BYTES, limits.INTRODUCTION_BYTES_PER_SECOND, now
            )
        return allowance.take(size + limits.INTRODUCTION_LINE_COST, now)

    def _tell_contacts(self) -> None:
        if self._news:
            self._news.cancel()  # links come up one after the other: all of them in one announcement
        self._news = asyncio.get_running_loop().call_later(limits.INTRODUCER_NEWS_SECONDS, self._announce)

    def close(self) -> None:
        """The node ends; links are closed by their owners."""
        if self._news:
            self._news.cancel()
        self._watchers.clear()


def _send(carrier: IntroductionCarrier, frame: IntroductionFrame) -> None:
    try:
        carrier.send_whole(frame)
    except LinkError as error:
        carrier.fail(error.message)


def _now() -> float:
    return asyncio.get_running_loop().time()
