"""Where one contact may be found besides the address of its invite."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Sequence

from p4.core import limits
from p4.core.address import RendezvousAddress
from p4.core.identity import PeerId
from p4.core.policy import Policy
from p4.core.reach import KnownReach, recognised
from p4.core.signaling import Announcement

__all__ = ["Whereabouts"]


class Whereabouts:
    """What the contact announced, and what the local network told. All of it are hints.

    Args:
        known: what it announced in earlier runs.
        save: writes what it announces, for later runs.
    """

    def __init__(self, known: str, save: Callable[[str], Awaitable[None]]) -> None:
        self._known = KnownReach.from_text(known)
        self._save = save
        self._nearby: tuple[RendezvousAddress, ...] = ()

    @property
    def introducers(self) -> tuple[PeerId, ...]:
        """Contacts of ours that would introduce us to it, as it announced last."""
        return self._known.introducers

    async def announced(self, announcement: Announcement, contacts: Sequence[PeerId]) -> None:
        """The contact said where it is; on disk when this returns.

        Args:
            contacts: those of ours that it may name.

        Raises:
            StateError: not written.
        """
        reach = announcement.reach
        if reach is None:
            return
        known = KnownReach(reach.endpoints, tuple(recognised(reach, announcement.nonce, contacts)))
        if known != self._known:
            self._known = known
            await self._save(known.to_text())

    def seen_nearby(self, addresses: tuple[RendezvousAddress, ...]) -> bool:
        """The local network tells where it is, or (empty) that it has gone.

        Returns:
            Whether there is somewhere new to look.
        """
        news = bool(set(addresses) - set(self._nearby))
        self._nearby = addresses
        return news

    def endpoints(self, policy: Policy, *, announced: bool = True) -> tuple[RendezvousAddress, ...]:
        """Addresses to try, the nearest first; none if the contact shall not learn ours.

        Args:
            announced: False for those only that the local network told.
        """
        if policy is Policy.RELAY_ONLY:
            return ()
        known = dict.fromkeys((*self._nearby, *(self._known.endpoints if announced else ())))
        wanted = (e for e in known if policy is not Policy.LAN_ONLY or _is_local(e))
        return tuple(wanted)[: limits.ENDPOINT_DIALS]


def _is_local(endpoint: RendezvousAddress) -> bool:
    try:
        return ipaddress.ip_address(endpoint.host).is_private
    except ValueError:
        return False
