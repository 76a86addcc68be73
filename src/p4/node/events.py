"""What a node tells its application. Each is a fact that has happened; none needs an answer."""

from __future__ import annotations

from dataclasses import dataclass

from p4.core.identity import PeerId
from p4.ports import RendezvousStatus

__all__ = [
    "LinkDown",
    "LinkUp",
    "NodeEvent",
    "NodeWarning",
    "RendezvousChanged",
    "TextDelivered",
    "TextReceived",
]


@dataclass(frozen=True, slots=True)
class RendezvousChanged:
    """Our own reachability changed."""

    status: RendezvousStatus


@dataclass(frozen=True, slots=True)
class LinkUp:
    """A link to the contact is open and has proved to be the contact's.

    Comes again, without a `LinkDown` before it, when a newer link has taken the place of one that was up:
    the contact may have restarted before it was missed.
    """

    peer_id: PeerId
    protocol: int
    """1 for a v1 node, 2 for ours."""


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The contact has no link any more; the node is already working on a new one."""

    peer_id: PeerId
    reason: str


@dataclass(frozen=True, slots=True)
class TextReceived:
    """A chat text arrived and is on disk; consumed when every handler of the event returned."""

    peer_id: PeerId
    text: str
    received_ms: int


@dataclass(frozen=True, slots=True)
class TextDelivered:
    """Everything up to and including a number is delivered.

    The contact's node has it on disk (protocol 2), or a v1 node's link took it and stayed up. After a
    restored backup the texts that waited are numbered from 1 anew; a `NodeWarning` says so.
    """

    peer_id: PeerId
    number: int


@dataclass(frozen=True, slots=True)
class NodeWarning:
    """Something a person should know: a lowered protocol, a failing rendezvous, a full or restored disk."""

    text: str


NodeEvent = RendezvousChanged | LinkUp | LinkDown | TextReceived | TextDelivered | NodeWarning
