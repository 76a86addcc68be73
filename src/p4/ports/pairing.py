"""The port of meeting places: where two devices that do not know each other yet pair (spec/pairing.md).

Whoever knows the secret of an invite can compute its places, for each kind another 32-byte seed; nobody else
can tell that they exist, or that two of them belong together. What happens in a place, the exchange, is the
node's: a place gives streams and knows nothing of invites, secrets or contacts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from p4.core.address import RendezvousAddress
    from p4.ports import SignalStream

__all__ = ["HostedPlace", "MeetingKind", "MeetingPlaces"]


class MeetingKind(StrEnum):
    """The kinds of places. The name is part of the derivation of a place's seed (spec/pairing.md)."""

    ONION = "onion"
    """A temporary onion service. The seed is its Ed25519 private key (RFC 8032: the 32 bytes before they are
    hashed); its virtual port is ``limits.ONION_PORT``."""
    LAN = "lan"
    """A TCP port on the local network, found by multicast DNS under a name that only the seed gives
    (spec/pairing.md, Places)."""
    DIRECT = "direct"
    """The signaling port of a node in direct mode. The link names its address, since no seed could."""


class HostedPlace(Protocol):
    """A place that we hold open."""

    @property
    def address(self) -> RendezvousAddress | None:
        """What visitors must know beside the seed; None where the seed is enough."""

    async def wait_open(self) -> None:
        """Return when visitors can come in: an onion's descriptor is uploaded, a name is announced.

        Never raises; a place that cannot be opened at present goes on trying until it is closed, and this
        waits. May be called by several, and again.
        """

    async def close(self) -> None:
        """Take it down: no visitor is accepted any more. Takes at most 1 s; may be called again.

        Streams that were accepted go on: their ends belong to whoever accepted them.
        """


class MeetingPlaces(Protocol):
    """All places of one kind: opens ours, goes to those of others."""

    @property
    def kind(self) -> MeetingKind:
        """Which kind of place these are."""

    async def host(self, seed: bytes, accept: Callable[[SignalStream], Awaitable[None]]) -> HostedPlace:
        """Begin to open the place of a seed; being open takes longer (`HostedPlace.wait_open`).

        May be called before the rendezvous is ready, and for several seeds at a time. What makes places go
        away, a restart of Tor or a change of network, is repaired until `HostedPlace.close`.

        Args:
            seed: 32 secret bytes; not to be logged.
            accept: awaited in a task of its own for each visitor; owns the stream and closes it. At most
                ``limits.MEETING_VISITORS`` visitors of a place at a time: the oldest is closed for a new one.

        Raises:
            P4Error: this machine cannot host places of this kind at all; nothing was begun.
        """

    async def visit(
        self, seed: bytes, *, address: RendezvousAddress | None = None, timeout: float
    ) -> SignalStream:
        """Go to the place of a seed. Cancelling gives it up and leaves nothing.

        Where there may be several places of one seed (anybody on a local network can repeat a name), a
        further call goes to one that was not visited before, if there is one.

        Args:
            address: what the link says beside the seed. Kinds that need none ignore it.
            timeout: seconds until it is given up. A place that is not there yet may come to be within
                them, so an implementation keeps looking.

        Raises:
            RendezvousError: not found or not reached; ``code`` says why.
        """

    async def close(self) -> None:
        """Close every hosted place and give up every visit. Takes at most 1.5 s."""
