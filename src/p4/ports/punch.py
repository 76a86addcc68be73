"""The port for direct paths through NATs that ICE alone does not pass (spec/punch.md)."""

from __future__ import annotations

from typing import Protocol

from p4.core.ice import IceSettings
from p4.core.identity import PeerId
from p4.core.punch import NatNote

__all__ = ["Bridge", "PortGuesser"]


class Bridge(Protocol):
    """A local end of a path that is yet to be found; belongs to one negotiation and then to its link.

    Life: ``add_to`` the contact's description, ``start``, ``close``. Close it in any case.
    """

    @property
    def note(self) -> NatNote:
        """What to announce about our side: the key ``nat``."""

    @property
    def alive(self) -> bool:
        """Whether the two sides have met and the bridge still forwards."""

    def add_to(self, sdp: str) -> str:
        """Add the bridge, as a candidate, to the contact's description before the link library gets it.

        Raises:
            LinkError: code ``bad-sdp``: it has no ICE user fragment.
        """

    def start(self, theirs: NatNote, key: bytes) -> bool:
        """Begin to look for the contact. The search ends by itself.

        Args:
            theirs: the contact's note.
            key: see `p4.core.punch.punch_key`.

        Returns:
            Whether there is anything to look for; if not, the bridge is closed: both have the same kind of
                NAT, the address is refused, or there was an attempt with the contact just now.
        """

    async def opened(self) -> None:
        """Wait until the two sides have met.

        Raises:
            LinkError: code ``punch-failed``: they did not, in the time of an attempt; or it was closed.
        """

    def close(self) -> None:
        """End it at once. Never waits, may be called again."""


class PortGuesser(Protocol):
    """Makes bridges."""

    async def prepare(
        self, contact: PeerId, ice: IceSettings, theirs: NatNote | None = None
    ) -> Bridge | None:
        """Find out our own NAT's kind and keep a port open, for an offer or answer that is about to be made.

        Takes a round trip to the quicker of two STUN servers, to both the first time in a network,
        ``limits.PUNCH_STUN_SECONDS`` at most. Begin it early, beside dialling and gathering; it may be
        cancelled at any time.

        Args:
            contact: the other side.
            ice: the servers that may be asked.
            theirs: the contact's note, if it is known. If it is known too that ours does not fit, no server
                is asked.

        Returns:
            None if there is nothing to announce: relays only, fewer than two addresses of STUN servers
                answered, no IPv4, an attempt with the contact just now, or a system that cannot do it.
        """

    def network_changed(self) -> None:
        """The addresses of this machine are other ones; what was found out about its NAT is void."""

    async def close(self) -> None:
        """End every bridge."""
