"""The ports: what the node needs from the world, as Protocols.

Adapters implement them (`p4.adapters`), fakes for tests implement them (`p4.testing`), and only
`p4.assemble` knows which is used. Everything here runs on one asyncio event loop and, unless a method
says otherwise, is called on that loop's thread only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from p4.core.address import RendezvousAddress, Transport
from p4.core.ice import IceSettings
from p4.core.identity import PeerId
from p4.core.replay import ReplayWindow

__all__ = [
    "ChannelOpened",
    "Clock",
    "Entropy",
    "InboxMessage",
    "Link",
    "LinkBackend",
    "LinkClosed",
    "LinkEvent",
    "LinkMessage",
    "OutboxMessage",
    "PeerRecord",
    "Rendezvous",
    "RendezvousPhase",
    "RendezvousStatus",
    "SignalStream",
    "Store",
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

    async def offer(self, label: str) -> str:
        """Create the first data channel (reliable, ordered, announced in-band) and give our offer.

        Returns:
            SDP with all candidates gathered (or the cap on gathering reached).

        Raises:
            LinkError: code ``gathering-failed``.
        """

    async def answer(self, offer_sdp: str) -> str:
        """Take the peer's offer and give our answer, candidates included.

        Raises:
            LinkError: code ``bad-sdp`` (the library refused it) or ``gathering-failed``.
        """

    async def accept_answer(self, answer_sdp: str) -> None:
        """Take the peer's answer to our offer; connecting starts.

        Raises:
            LinkError: code ``bad-sdp``.
        """

    def open_channel(self, label: str) -> None:
        """Create a further reliable ordered channel. Never towards a v1 peer (spec/signaling.md)."""

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

    async def close(self) -> None:
        """Wait (briefly) for links still closing in the background."""


# --- store: what survives -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PeerRecord:
    """What is remembered about a contact between runs, beside its key and address."""

    protocol: int = 0
    """Highest protocol seen: 0 unknown, 1 or 2."""
    out_epoch: bytes = b""
    """16 random bytes naming our outbox towards the contact; chosen when first used."""
    out_next: int = 1
    """Number of the next message we accept for the contact."""
    in_epoch: bytes = b""
    """The peer's outbox epoch that ``in_next`` counts in; empty before the first."""
    in_next: int = 1
    """Number of the next message we expect."""
    last_seen_ms: int = 0
    """Wall clock of the last moment a link was up, Unix milliseconds; 0 for never."""
    out_offered: int = 1
    """Only numbers below this can ever have been sent from this disk (spec/link.md, Restored backups)."""
    out_retired: tuple[bytes, ...] = ()
    """Earlier names of our outbox, the latest last; at most ``limits.RETIRED_EPOCHS``."""
    in_retired: tuple[tuple[bytes, int], ...] = ()
    """Earlier ``in_epoch`` and ``in_next``, the latest last; as many."""


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """An accepted message that the peer has not confirmed."""

    number: int
    text: str
    accepted_ms: int


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """A received message that the application has not confirmed."""

    peer_id: PeerId
    epoch: bytes
    number: int
    text: str
    received_ms: int


class Store(Protocol):
    """Durable memory. Each method returns when its effect is on disk (or raises StateError)."""

    async def open(self) -> None:
        """Open or create. Raises StateError or CorruptFileError."""

    async def close(self) -> None:
        """Finish what is queued, then close."""

    async def load_peers(self) -> dict[PeerId, PeerRecord]:
        """Every record there is."""

    async def save_peer(self, peer_id: PeerId, record: PeerRecord) -> None:
        """Write ``protocol`` and ``last_seen_ms``; numbers and epochs only change through the outbox
        and inbox methods."""

    async def forget_peer(self, peer_id: PeerId) -> None:
        """Remove everything about a contact: record, outbox, inbox, replay window."""

    async def load_replay(self, peer_id: PeerId) -> ReplayWindow:
        """The window of accepted envelopes of this sender; an empty one if there is none."""

    async def save_replay(self, peer_id: PeerId, window: ReplayWindow) -> None:
        """Replace it. The node acts on an envelope only after this returned."""

    async def append_outbox(
        self, peer_id: PeerId, text: str, *, now_ms: int, new_epoch: bytes, offered: bool = False
    ) -> int:
        """Accept a message: give it the next number and keep it until acknowledged.

        Args:
            new_epoch: 16 random bytes, used if the contact has no outbox epoch yet.
            offered: it may be sent as soon as this returned; else `offer_outbox` comes first.

        Returns:
            Its number, counting from 1 without holes within the epoch.

        Raises:
            StateError: code ``outbox-full`` (``limits.OUTBOX_MESSAGES``) or the disk's error.
        """

    async def read_outbox(self, peer_id: PeerId, *, after: int, limit: int) -> list[OutboxMessage]:
        """Unacknowledged messages with a number above ``after``, in order."""

    async def acknowledge_outbox(self, peer_id: PeerId, *, through: int) -> None:
        """The peer has everything up to and including ``through``; forget it."""

    async def offer_outbox(self, peer_id: PeerId) -> None:
        """Everything in the outbox may be sent once this returned: raise ``out_offered`` to ``out_next``."""

    async def renew_outbox(self, peer_id: PeerId, *, new_epoch: bytes, known_as: bytes = b"") -> PeerRecord:
        """Name the outbox anew and number what waits in it from 1, in the same order, none of it offered.

        Args:
            known_as: what the contact called our outbox; retired together with our own old name.
        """

    async def accept_inbox(
        self, peer_id: PeerId, *, epoch: bytes, messages: Iterable[tuple[int, str]], now_ms: int
    ) -> list[InboxMessage]:
        """Keep received messages, each exactly once, in one transaction with ``in_epoch``/``in_next``.

        A number below ``in_next`` of its epoch, present or retired, is dropped as a duplicate. Another is
        accepted and moves ``in_next``; it makes its epoch the present one and retires the one before.

        Returns:
            Those that are new. The node acknowledges only after this returned.
        """

    async def skip_inbox(self, peer_id: PeerId, *, epoch: bytes, to: int) -> None:
        """Expect ``to`` next in an epoch, present or retired, if less was expected: the rest is lost."""

    async def read_inbox(self) -> list[InboxMessage]:
        """Everything kept and not yet confirmed by the application, oldest first."""

    async def consume_inbox(self, message: InboxMessage) -> None:
        """The application has it; forget its text (never its number)."""
