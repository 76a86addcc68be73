"""What a route asks for in its parameters; each name is a type annotation.

@router.get("/contacts/{contact}")
async def read(contact: NamedContact, access: Access) -> ContactModel: …

Each costs some 20 us: the routes that are used most take the request, and ask `context_of` and `access_of`.
"""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Path
from starlette.requests import HTTPConnection

from p4.daemon.access.authority import Authority, refused
from p4.daemon.context import DaemonContext
from p4.daemon.event_feed import EventFeed
from p4.daemon.hosted_apps import HostedApps
from p4.errors import ContactError
from p4.node.node import BaseNode
from p4.node.peer import Peer

__all__ = [
    "Access",
    "Apps",
    "ContactReference",
    "Context",
    "DaemonNode",
    "Feed",
    "NamedContact",
    "Owner",
    "access_of",
    "context_of",
    "find_contact",
]


# Coroutine functions throughout: FastAPI runs others in threads, where the node must not be touched, and a
# thread costs more than all the rest of a request.


def context_of(connection: HTTPConnection) -> DaemonContext:
    """Everything that routes share."""
    return cast("DaemonContext", connection.app.state.daemon)


def access_of(connection: HTTPConnection) -> Authority:
    """Who asks."""
    # Put there by the access control in front of the application, without which nothing gets here.
    return cast("Authority", connection.scope["p4.authority"])


async def _context(connection: HTTPConnection) -> DaemonContext:
    return context_of(connection)


async def _access(connection: HTTPConnection) -> Authority:
    return access_of(connection)


Context = Annotated[DaemonContext, Depends(_context)]
"""Everything that routes share."""

Access = Annotated[Authority, Depends(_access)]
"""Who asks: ``access.require_owner()``, ``access.require(service=…, contact=…)``."""


async def _owner(access: Access) -> Authority:
    access.require_owner()
    return access


async def _node(context: Context) -> BaseNode:
    return context.node


async def _apps(context: Context) -> HostedApps:
    return context.apps


async def _feed(context: Context) -> EventFeed:
    return context.feed


Owner = Annotated[Authority, Depends(_owner)]
"""Who asks, refused unless it is the owner."""

DaemonNode = Annotated[BaseNode, Depends(_node)]
"""The running node."""

Apps = Annotated[HostedApps, Depends(_apps)]
"""The apps of the daemon."""

Feed = Annotated[EventFeed, Depends(_feed)]
"""Where events are published."""


def find_contact(node: BaseNode, access: Authority, reference: str) -> Peer:
    """The contact that a request names, if whoever asks may use it.

    An app that is limited to some contacts gets one answer for all others, known here or not.

    Raises:
        ContactError: ``unknown``, ``ambiguous``. AccessError: ``not-granted``.
    """
    try:
        peer = node.peer(reference)
    except ContactError:
        if access.contacts is not None:
            raise refused() from None
        raise
    access.require(contact=peer)
    return peer


ContactReference = Annotated[
    str, Path(description="Name, id, or a unique beginning of the id", max_length=256)
]
"""The path's ``{contact}`` as it is."""


async def _named_contact(contact: ContactReference, connection: HTTPConnection) -> Peer:
    # By itself and not through others: each dependency of a dependency costs a sending program 30 us.
    return find_contact(context_of(connection).node, access_of(connection), contact)


NamedContact = Annotated[Peer, Depends(_named_contact)]
"""The contact of the path's ``{contact}``."""
