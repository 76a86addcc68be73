"""The store port: what survives the end of the process (see `p4.ports`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from p4.core.identity import PeerId
from p4.core.replay import ReplayWindow
from p4.core.session.messages.stored import InboxMessage, Operation
from p4.core.session.streams.record import StreamRecord

__all__ = ["PeerRecord", "Spool", "Store", "StreamRecord"]


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
    out_first: int = 1
    """Oldest number not confirmed; ``out_next`` if none. What waited there may have been dropped since."""
    out_waiting: int = 0
    """Messages in the outbox."""
    in_waiting: int = 0
    """Messages that the application has not taken."""
    in_waiting_bytes: int = 0
    """Bytes of their bodies."""
    grants: tuple[str, ...] = ("chat", "ping")
    """Services that the contact may use (spec/session.md, Services and grants)."""
    reach: str = ""
    """What the contact announced about where else it can be reached: the node's JSON, or empty."""
    policy: str = "direct"
    """Which paths to the contact may be used: ``direct``, ``relay-only`` or ``lan-only``."""
    gate: str = field(default="", repr=False)
    """Keys and address of the gates between us (`p4.core.gate.GateRecord`); empty before there are any."""


class Spool(Protocol):
    """Bytes of one stream that the contact has not confirmed: a stretch from ``start`` to ``end``.

    What `append` took survives the end of the process. It survives a power failure after `sync`; a spool that
    lost its end then is shorter, never wrong.
    """

    @property
    def start(self) -> int:
        """Offset of the oldest byte that is still here; at most what was given to `discard`."""

    @property
    def end(self) -> int:
        """Offset after the newest byte."""

    async def append(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes at ``end``. Raises StateError: nothing was added."""

    async def read(self, offset: int, size: int) -> bytes:
        """At least one and at most ``size`` bytes from ``offset``, which lies within. Raises StateError."""

    async def discard(self, through: int) -> None:
        """Bytes below ``through`` are not needed any more. Raises StateError."""

    async def sync(self) -> None:
        """Return when everything is safe from a power failure. Raises StateError."""

    def close(self) -> None:
        """Keep it for the next start."""

    async def remove(self) -> None:
        """Delete it. Raises StateError."""


class Store(Protocol):
    """Durable memory. Each method returns when its effect is on disk (or raises StateError)."""

    async def open(self) -> None:
        """Open or create. Raises StateError or CorruptFileError."""

    async def close(self) -> None:
        """Finish what is queued, then close."""

    async def load_peers(self) -> dict[PeerId, PeerRecord]:
        """Every record there is."""

    async def save_peer(self, peer_id: PeerId, record: PeerRecord) -> None:
        """Write ``protocol`` and ``last_seen_ms``; the rest only changes through other methods."""

    async def save_grants(self, peer_id: PeerId, grants: tuple[str, ...]) -> None:
        """Write which services the contact may use."""

    async def save_reach(self, peer_id: PeerId, text: str) -> None:
        """Write what the contact announced about where else it can be reached."""

    async def save_policy(self, peer_id: PeerId, policy: str) -> None:
        """Write which paths to the contact may be used."""

    async def save_gate(self, peer_id: PeerId, text: str) -> None:
        """Write the keys and the address of the gates between us; they hold a secret."""

    async def forget_peer(self, peer_id: PeerId) -> None:
        """Remove everything about a contact: record, grants, messages, streams, replay window."""

    async def load_replay(self, peer_id: PeerId) -> ReplayWindow:
        """The window of accepted envelopes of this sender; an empty one if there is none."""

    async def save_replay(self, peer_id: PeerId, window: ReplayWindow) -> None:
        """Replace it. The node acts on an envelope only after this returned."""

    async def perform(self, peer_id: PeerId, operation: Operation) -> Any:
        """Do something to a contact's messages (`p4.core.session.messages.stored`), wholly or not at all.

        Operations are performed in the order of the calls, also if calls overlap; many share one
        transaction. An operation of a caller that is cancelled is performed all the same.

        Returns:
            What the operation says of itself.

        Raises:
            StateError: code ``outbox-full``, or the disk's error.
        """

    async def outbox_bytes(self, peer_id: PeerId) -> int:
        """Bytes of the bodies of all messages that wait for a contact."""

    async def read_inbox(
        self, peer_id: PeerId, service: str, *, after: int, limit: int, most_bytes: int
    ) -> list[InboxMessage]:
        """Messages for a service that were not taken, in order.

        Args:
            after: a position; 0 for all.
            limit: most messages.
            most_bytes: of bodies; the message that exceeds it is left out, unless it is the first.
        """

    async def load_streams(self) -> dict[PeerId, list[StreamRecord]]:
        """Every open stream, by contact, oldest first."""

    async def save_stream(self, peer_id: PeerId, record: StreamRecord) -> None:
        """Write the record of a stream, new or known by its id."""

    async def forget_stream(self, peer_id: PeerId, stream_id: int) -> None:
        """Remove the record of a stream; its spool is not the store's."""

    def spool(self, peer_id: PeerId, stream_id: int) -> Spool:
        """The bytes of a stream, opened or made. Raises StateError."""
