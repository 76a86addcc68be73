"""Who asks, and what that lets them do (spec/daemon-api/README.md, "Who may ask")."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from p4.core.identity import PeerId
from p4.core.session.grants import covers
from p4.daemon.access.ending import Ending
from p4.errors import AccessError

if TYPE_CHECKING:
    from p4.node.peer import Peer

__all__ = ["Authority", "AuthorityKind", "refused"]


class AuthorityKind(StrEnum):
    """How the daemon knows who asks."""

    OWNER = "owner"
    """The unix socket, which only this user can open, or the owner token of ``endpoint.json``."""
    WEB = "web"
    """A browser that was logged in by the owner: may what the owner may."""
    APP = "app"
    """An app by its token: may use the services and contacts that the token names."""


@dataclass(frozen=True, slots=True)
class Authority:
    """Who makes one request.

    Args:
        name: of the app, for the log and for a person; empty for the owner.
        services: those that an app may use, each covering all below it; None for all.
        contacts: those that an app may use; None for all.
        ended: set when it is over: the token was revoked, the browser logged out. What lasts long ends then.
    """

    kind: AuthorityKind
    name: str = ""
    services: tuple[str, ...] | None = None
    contacts: frozenset[PeerId] | None = None
    ended: Ending = field(default_factory=Ending, compare=False)

    @property
    def is_owner(self) -> bool:
        """Whether the owner of the daemon asks, in person or through the web page."""
        return self.kind is not AuthorityKind.APP

    def require_owner(self) -> None:
        """Refuse apps. Raises AccessError ``owner-only``."""
        if not self.is_owner:
            raise AccessError(
                "Only the owner of this device may do that, not an app by its token. Nothing was done.",
                code="owner-only",
            )

    def may_use(self, service: str) -> bool:
        """Whether a service is among those of the token."""
        return self.services is None or any(covers(grant, service) for grant in self.services)

    def may_reach(self, contact: Peer | PeerId) -> bool:
        """Whether a contact is among those of the token."""
        peer_id = contact if isinstance(contact, str) else contact.peer_id
        return self.contacts is None or peer_id in self.contacts

    def require(self, *, service: str | None = None, contact: Peer | PeerId | None = None) -> None:
        """Refuse what the token does not name. Raises AccessError ``not-granted``, the same for both."""
        if (service is not None and not self.may_use(service)) or (
            contact is not None and not self.may_reach(contact)
        ):
            raise refused()


def refused() -> AccessError:
    """The one answer to everything that a token does not name: it does not tell what exists."""
    return AccessError(
        "The token does not allow this service or contact. Nothing was done. The owner of this device can "
        "make one that does: p4 token new --help",
        code="not-granted",
    )
