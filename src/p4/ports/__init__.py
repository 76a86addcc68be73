"""The ports: what the node needs from the world, as Protocols.

Adapters implement them (`p4.adapters`), fakes for tests implement them (`p4.testing`), and only
`p4.assemble` knows which is used. Everything here runs on one asyncio event loop and, unless a method
says otherwise, is called on that loop's thread only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from p4.core.address import RendezvousAddress, Transport
from p4.core.ice import IceSettings
from p4.ports.path import LinkPath, PathKind
from p4.ports.store import PeerRecord, Spool, Store, StreamRecord

__all__ = [
    "ChannelOpened",
    "Clock",
    "Entropy",
    "Link",
    "LinkBackend",
    "LinkClosed",
    "LinkEvent",
    "LinkMessage",
    "LinkPath",
    "PathKind",
    "PeerRecord",
    "Rendezvous",
    "RendezvousPhase",
    "RendezvousStatus",
    "SignalStream",
    "Spool",
    "Store",
    "StreamRecord",
]


# --- time and randomness ------------------------------------------------------------------------------


class Clock(Protocol):
    """Where time comes from. Tests use a virtual one."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back. The same scale as ``loop.time()``."""

    def wall_ms(self) -> int:
        """Unix time in milliseconds; may jump."""


class Entropy(Protocol):
    """Where randomness comes from. Tests use a seeded one."""

    def token(self, length: int) -> bytes:
        """``length`` unpredictable bytes, fit for nonces and keys."""

    def uniform(self, low: float, high: float) -> float:
        """A number between ``low`` and ``high``, for jitter."""


# --- rendezvous: carries signed envelopes --------------------------------------------------------------


class SignalStream(Protocol):
    """One byte stream that carries lines of signaling (spec/signaling.md)."""

    @property
    def description(self) -> str:
        """For the log: which way and to whom, without secrets."""

    async def receive_line(self) -> bytes | None:
        r"""The next line without its ``\n``, or None when the other side has ended the stream.

        At most ``limits.SIGNALING_LINE_BYTES`` are read ahead. A last line without ``\n`` is not a line.

        Raises:
            SignalingError: code ``line-too-long``; the stream is then unusable.
            RendezvousError: code ``stream-broken``.
        """

    async def send_line(self, line: bytes) -> None:
        r"""Write one line (given without ``\n``) and wait until the transport took it.

        Raises:
            RendezvousError: code ``stream-broken``.
        """

    def close(self) -> None:
        """End both directions at once. Never waits, may be called again."""


class RendezvousPhase(StrEnum):
    """How far the local end of a rendezvous is."""

    STOPPED = "stopped"
    STARTING = "starting"
    """Its machinery comes up (Tor bootstraps). Dialling is already allowed."""
    PUBLISHING = "publishing"
    """We can dial; our own address is not yet known to the world."""
    READY = "ready"
    """Others can reach us."""
    FAILED = "failed"
    """It does not work now; the supervisor is trying again."""


@dataclass(frozen=True, slots=True)
class RendezvousStatus:
    """A moment in the life of a rendezvous, for the user and for the reconnect logic."""

    phase: RendezvousPhase
    progress: int
    """Per cent of the start-up that is done, 0 to 100."""
    text: str
    """One sentence for a person."""
    address: RendezvousAddress | None = None
    """Our own address, as soon as it is known (before it is reachable)."""
    checked_at: float | None = field(default=None, compare=False)
    """When it was last tried out that others can reach us, and it worked (monotonic seconds); None for never.
    Only `Rendezvous.status` always has the latest: a check that changes nothing else is not observed."""


class Rendezvous(Protocol):
    """A way to be reached by, and to reach, peers for signaling. Onion is one, direct TCP another."""

    @property
    def transport(self) -> Transport:
        """Which kind of address it dials and gives."""

    @property
    def status(self) -> RendezvousStatus:
        """The latest status."""

    async def start(
        self,
        accept: Callable[[SignalStream], Awaitable[None]],
        observe: Callable[[RendezvousStatus], None],
    ) -> RendezvousAddress:
        """Come up far enough to know our own address and to dial; the rest goes on in the background.

        Args:
            accept: awaited in a task of its own for each inbound stream; owns the stream and closes it.
                The adapter calls it for every connection; the caps on connections are the node's.
            observe: called on the loop whenever the status changes.

        Raises:
            TorError, StateError, InputError: it cannot start, with the reason.
        """

    async def dial(self, address: RendezvousAddress, *, timeout: float, fresh: bool = False) -> SignalStream:
        """Open a stream to a peer's signaling address.

        An adapter for which something stale can hold up a dial joins further attempts itself, so that
        the peer's restart costs moments and not time-outs.

        Args:
            address: an address of this rendezvous' transport.
            timeout: seconds until the attempt is abandoned, whatever the layers below believe.
            fresh: forget what is cached about the address first (a stale onion descriptor). Set it
                after a failed attempt.

        Raises:
            RendezvousError: not reached; ``code`` says why.
        """

    async def network_changed(self, *, connected: bool = True) -> None:
        """This machine's address or route changed, or it woke up: be reachable, and able to dial, again soon.

        Args:
            connected: False while the machine has no address: then nothing can be reached, and a later call
                will say that it has one again.

        Returns at once or when that was begun; streams may end. May be called often. Raises nothing.
        """

    async def close(self) -> None:
        """Stop; nothing of it is left running. Takes at most 1.5 s."""


# --- links: one live generation of a direct path -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ChannelOpened:
    """A data channel can be used now, whichever side created it."""

    label: str


@dataclass(frozen=True, slots=True)
class LinkMessage:
    """One message arrived on a data channel: str if it was sent as text, bytes if as binary."""

    label: str
    data: str | bytes


@dataclass(frozen=True, slots=True)
class LinkClosed:
    """The link is over; no event follows. Not raised for our own ``close()``."""

    reason: str


LinkEvent = ChannelOpened | LinkMessage | LinkClosed


class Link(Protocol):
    """One generation of a direct path: negotiated once, used, closed, never repaired.

    Life: ``offer()`` then ``accept_answer()``, or ``answer()``; then events; then ``close()``. Events
    arrive through the sink given to `LinkBackend.create`, on the loop's thread, in order.
    """

    async def offer(
        self,
        label: str,
        found: Callable[[str], None] | None = None,
        *,
        awaited: frozenset[str] = frozenset(),
    ) -> str:
        """Create the first data channel (reliable, ordered, announced in-band) and give our offer.

        Args:
            awaited: addresses that this machine has got just now: the offer waits up to
                ``limits.NEW_ADDRESS_SECONDS`` until the library knows one of them.
            found: called with each candidate (the value of an SDP attribute, RFC 8839) that is found after
                this has returned, and with the empty string when no more are expected. None: all candidates
                shall be in the description.

        Returns:
            SDP with the candidates gathered until then: all (or those found up to the cap on gathering)
                without ``found``, else those of ``limits.TRICKLE_SECONDS``.

        Raises:
            LinkError: code ``gathering-failed``.
        """

    async def answer(self, offer_sdp: str, found: Callable[[str], None] | None = None) -> str:
        """Take the peer's offer and give our answer, candidates included as in `offer`.

        Raises:
            LinkError: code ``bad-sdp`` (the library refused it) or ``gathering-failed``.
        """

    async def accept_answer(self, answer_sdp: str) -> None:
        """Take the peer's answer to our offer; connecting starts.

        Raises:
            LinkError: code ``bad-sdp``.
        """

    @property
    def gathered(self) -> bool:
        """Whether every server that was asked for candidates has answered or failed."""

    def stranded(self, addresses: frozenset[str]) -> bool:
        """Whether the address of this machine that it goes over is gone, and so its path.

        Args:
            addresses: those that the machine has now.
        """

    async def add_candidate(self, candidate: str) -> None:
        """Take a further candidate of the peer, after its description. One that is unusable is ignored."""

    def open_channel(self, label: str, *, ordered: bool = True, reliable: bool = True) -> None:
        """Create a further channel. Never towards a v1 peer (spec/signaling.md).

        The kind holds in both directions; the other side learns it in-band (DCEP, RFC 8832).

        Args:
            ordered: messages arrive in the order sent; else a late one holds up none and may be overtaken.
            reliable: each arrives while the link lives; else it is sent once, and arrives once or never.

        Raises:
            LinkError: the link has no connection (yet).
        """

    def send(self, label: str, data: str | bytes) -> None:
        """Queue one message on an open channel. Never blocks; look at ``buffered`` first.

        Raises:
            LinkError: code ``not-open`` (no such open channel), ``too-large`` (over 64 KiB, the most
                that every library takes), ``not-text`` (half of a surrogate pair) or ``buffer-full``.
                The message was not queued.
        """

    def buffered(self, label: str) -> int:
        """Bytes queued on the channel and not yet handed to the network."""

    async def drained(self, label: str) -> None:
        """Wait until ``buffered`` is at most ``limits.LINK_LOW_WATER_BYTES``, or the link is over."""

    async def path(self) -> LinkPath | None:
        """Which way it goes at the moment; None before it is connected and after it is over.

        Meant for people, a few times a minute: libraries gather statistics for it.
        """

    def close(self) -> None:
        """End it at once. Never waits (the library may take long in the background), may be called again.

        No event is raised after it."""


class LinkBackend(Protocol):
    """Makes links: one per library."""

    @property
    def name(self) -> str:
        """``wrtc``, ``aiortc`` or, in tests, ``simulated``."""

    def create(self, ice: IceSettings, sink: Callable[[LinkEvent], None]) -> Link:
        """A new link that has not begun. Credentials of TURN servers are derived anew here."""

    def network_changed(self) -> None:
        """The addresses of this machine are other ones; whatever is remembered of them is void."""

    async def close(self) -> None:
        """Wait (briefly) for links still closing in the background."""
