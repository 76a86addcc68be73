"""What a node tells its application. Each is a fact that has happened; none needs an answer.

Messages, streams, calls and datagrams are not among them: see `Node.messages` and its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

from p4.core.identity import PeerId
from p4.ports import RendezvousStatus

__all__ = ["InviteEnded", "LinkDown", "LinkUp", "NodeEvent", "NodeWarning", "Paired", "RendezvousChanged"]


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
class Paired:
    """A device has become a contact, on both sides, by pairing (spec/pairing.md)."""

    peer_id: PeerId
    name: str
    """What it is called here."""
    invite_id: str
    """Which of our invites it used; empty if we used one of its."""


@dataclass(frozen=True, slots=True)
class InviteEnded:
    """An invite of ours can no longer be used, and nobody is paired by it."""

    invite_id: str
    code: str
    """As of `p4.errors.PairingError`: ``expired``, ``cancelled``, ``unconfirmed`` or ``ended`` (a guess)."""
    text: str
    """The same in sentences for a person."""


@dataclass(frozen=True, slots=True)
class NodeWarning:
    """Something a person should know: a lowered protocol, a failing rendezvous, a full or restored disk."""

    text: str


NodeEvent = RendezvousChanged | LinkUp | LinkDown | Paired | InviteEnded | NodeWarning
