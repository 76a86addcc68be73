"""The rights that contacts get with a tunnel, and lose with it."""

from __future__ import annotations

from collections.abc import Iterable

from p4.core.session.grants import covers
from p4.node.node import BaseNode
from p4.node.peer import Peer

__all__ = ["give", "may_use", "take_back"]


def may_use(peer: Peer, service: str) -> bool:
    """Whether a contact has the right to use a service here."""
    return any(covers(grant, service) for grant in peer.grants)


async def give(peers: Iterable[Peer], service: str) -> None:
    """Let contacts use a service, where they may not yet.

    Raises:
        StateError: the disk refused; those before have it. InputError: ``too-many``.
    """
    for peer in peers:
        if not may_use(peer, service):
            await peer.grant(service)


async def take_back(node: BaseNode, contacts: Iterable[str], service: str) -> None:
    """Undo `give` for these ids; contacts that were removed meanwhile have no rights. Raises StateError."""
    wanted = set(contacts)
    for peer in node.peers():
        if peer.peer_id in wanted:
            await peer.revoke(service)
