"""P4: two devices pair once and talk directly, for years, with no server, account or cloud.

The names below are the public interface; everything else may change. They are loaded when first used, so
that ``import p4`` and small commands stay quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from p4.assemble import Node
    from p4.core.address import RendezvousAddress, Transport
    from p4.core.contacts import Contact
    from p4.core.ice import IceSettings, TurnServer
    from p4.core.identity import Identity, PeerId
    from p4.core.invite import Invite
    from p4.errors import P4Error
    from p4.node.events import (
        LinkDown,
        LinkUp,
        NodeEvent,
        NodeWarning,
        RendezvousChanged,
    )
    from p4.node.options import NodeOptions
    from p4.node.peer import Peer
    from p4.ports import RendezvousPhase, RendezvousStatus

_HOME = {
    "Contact": "p4.core.contacts",
    "IceSettings": "p4.core.ice",
    "Identity": "p4.core.identity",
    "Invite": "p4.core.invite",
    "LinkDown": "p4.node.events",
    "LinkUp": "p4.node.events",
    "Node": "p4.assemble",
    "NodeEvent": "p4.node.events",
    "NodeOptions": "p4.node.options",
    "NodeWarning": "p4.node.events",
    "P4Error": "p4.errors",
    "Peer": "p4.node.peer",
    "PeerId": "p4.core.identity",
    "RendezvousAddress": "p4.core.address",
    "RendezvousChanged": "p4.node.events",
    "RendezvousPhase": "p4.ports",
    "RendezvousStatus": "p4.ports",
    "Transport": "p4.core.address",
    "TurnServer": "p4.core.ice",
}

__all__ = [
    "Contact",
    "IceSettings",
    "Identity",
    "Invite",
    "LinkDown",
    "LinkUp",
    "Node",
    "NodeEvent",
    "NodeOptions",
    "NodeWarning",
    "P4Error",
    "Peer",
    "PeerId",
    "RendezvousAddress",
    "RendezvousChanged",
    "RendezvousPhase",
    "RendezvousStatus",
    "Transport",
    "TurnServer",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'p4' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
