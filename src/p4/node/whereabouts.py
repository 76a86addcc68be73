"""Where one contact may be found besides the address of its invite."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable

from p4.core import limits
from p4.core.address import RendezvousAddress
from p4.core.policy import Policy
from p4.core.reach import Reach

__all__ = ["Whereabouts"]


class Whereabouts:
    """What the contact announced, and what the local network told. All of it are hints.

    Args:
        reach: what it announced in earlier runs.
        save: writes what it announces, for later runs.
    """

    def __init__(self, reach: str, save: Callable[[str], Awaitable[None]]) -> None:
        self._reach = Reach.from_text(reach)
        self._save = save
        self._nearby: tuple[RendezvousAddress, ...] = ()

    @property
    def reach(self) -> Reach:
        """What the contact announced last."""
        return self._reach

    async def announced(self, reach: Reach | None) -> None:
        """The contact said where it is; on disk when this returns. Raises StateError."""
        if reach is not None and reach != self._reach:
            self._reach = reach
            await self._save(reach.to_text())

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
        known = dict.fromkeys((*self._nearby, *(self._reach.endpoints if announced else ())))
        wanted = (e for e in known if policy is not Policy.LAN_ONLY or _is_local(e))
        return tuple(wanted)[: limits.ENDPOINT_DIALS]


def _is_local(endpoint: RendezvousAddress) -> bool:
    try:
        return ipaddress.ip_address(endpoint.host).is_private
    except ValueError:
        return False
