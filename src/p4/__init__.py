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
    from p4.core.session.messages.stored import Quota
    from p4.errors import (
        AlreadyRunningError,
        CallCancelledError,
        CallDeadlineError,
        CallError,
        CallFailed,
        CallRefusedError,
        ContactError,
        CorruptFileError,
        DeliveryError,
        FrameError,
        InputError,
        InviteError,
        LocalError,
        OutcomeUnknownError,
        P4Error,
        PairingError,
        PermissionsError,
        RemoteError,
        StateError,
        StreamError,
        TorError,
        WordError,
    )
    from p4.node.calls import IncomingCall
    from p4.node.datagrams import DatagramSubscription, ReceivedDatagram
    from p4.node.event_stream import EventStream
    from p4.node.events import (
        InviteEnded,
        LinkDown,
        LinkUp,
        NodeEvent,
        NodeWarning,
        Paired,
        RendezvousChanged,
    )
    from p4.node.inbox import Message, MessageStream
    from p4.node.options import NodeOptions
    from p4.node.pairing.invite import PairingInvite
    from p4.node.peer import Peer
    from p4.node.receipts import Receipt, ReceiptState
    from p4.node.status import PeerStatus
    from p4.node.streams import IncomingStreams, Stream
    from p4.ports import LinkPath, PathKind, RendezvousPhase, RendezvousStatus

_HOME = {
    "AlreadyRunningError": "p4.errors",
    "CallCancelledError": "p4.errors",
    "CallDeadlineError": "p4.errors",
    "CallError": "p4.errors",
    "CallFailed": "p4.errors",
    "CallRefusedError": "p4.errors",
    "Contact": "p4.core.contacts",
    "ContactError": "p4.errors",
    "CorruptFileError": "p4.errors",
    "DatagramSubscription": "p4.node.datagrams",
    "DeliveryError": "p4.errors",
    "EventStream": "p4.node.event_stream",
    "FrameError": "p4.errors",
    "IceSettings": "p4.core.ice",
    "Identity": "p4.core.identity",
    "IncomingCall": "p4.node.calls",
    "IncomingStreams": "p4.node.streams",
    "InputError": "p4.errors",
    "Invite": "p4.core.invite",
    "InviteEnded": "p4.node.events",
    "InviteError": "p4.errors",
    "LinkDown": "p4.node.events",
    "LinkPath": "p4.ports",
    "LinkUp": "p4.node.events",
    "LocalError": "p4.errors",
    "Message": "p4.node.inbox",
    "MessageStream": "p4.node.inbox",
    "Node": "p4.assemble",
    "NodeEvent": "p4.node.events",
    "NodeOptions": "p4.node.options",
    "NodeWarning": "p4.node.events",
    "OutcomeUnknownError": "p4.errors",
    "P4Error": "p4.errors",
    "Paired": "p4.node.events",
    "PairingError": "p4.errors",
    "PairingInvite": "p4.node.pairing.invite",
    "PathKind": "p4.ports",
    "Peer": "p4.node.peer",
    "PeerId": "p4.core.identity",
    "PeerStatus": "p4.node.status",
    "PermissionsError": "p4.errors",
    "Quota": "p4.core.session.messages.stored",
    "Receipt": "p4.node.receipts",
    "ReceiptState": "p4.node.receipts",
    "ReceivedDatagram": "p4.node.datagrams",
    "RemoteError": "p4.errors",
    "RendezvousAddress": "p4.core.address",
    "RendezvousChanged": "p4.node.events",
    "RendezvousPhase": "p4.ports",
    "RendezvousStatus": "p4.ports",
    "StateError": "p4.errors",
    "Stream": "p4.node.streams",
    "StreamError": "p4.errors",
    "TorError": "p4.errors",
    "Transport": "p4.core.address",
    "TurnServer": "p4.core.ice",
    "WordError": "p4.errors",
}

__all__ = [
    "AlreadyRunningError",
    "CallCancelledError",
    "CallDeadlineError",
    "CallError",
    "CallFailed",
    "CallRefusedError",
    "Contact",
    "ContactError",
    "CorruptFileError",
    "DatagramSubscription",
    "DeliveryError",
    "EventStream",
    "FrameError",
    "IceSettings",
    "Identity",
    "IncomingCall",
    "IncomingStreams",
    "InputError",
    "Invite",
    "InviteEnded",
    "InviteError",
    "LinkDown",
    "LinkPath",
    "LinkUp",
    "LocalError",
    "Message",
    "MessageStream",
    "Node",
    "NodeEvent",
    "NodeOptions",
    "NodeWarning",
    "OutcomeUnknownError",
    "P4Error",
    "Paired",
    "PairingError",
    "PairingInvite",
    "PathKind",
    "Peer",
    "PeerId",
    "PeerStatus",
    "PermissionsError",
    "Quota",
    "Receipt",
    "ReceiptState",
    "ReceivedDatagram",
    "RemoteError",
    "RendezvousAddress",
    "RendezvousChanged",
    "RendezvousPhase",
    "RendezvousStatus",
    "StateError",
    "Stream",
    "StreamError",
    "TorError",
    "Transport",
    "TurnServer",
    "WordError",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'p4' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
