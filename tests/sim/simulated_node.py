"""A whole node on the simulated network."""

from __future__ import annotations

import hashlib

from p4.core.contacts import ContactBook
from p4.core.identity import Identity
from p4.core.invite import Invite
from p4.node.node import BaseNode, NodeParts
from p4.node.options import NodeOptions
from p4.ports import LinkBackend
from p4.testing import SimulatedHost, SimulatedNetwork


def identity_of(name: str) -> Identity:
    return Identity(hashlib.sha256(name.encode()).digest())


def invite_of(network: SimulatedNetwork, name: str) -> Invite:
    return Invite(identity_of(name).public_key, network.host(name).address())


class SimulatedNode(BaseNode):
    """The node of a host. Its contacts are kept by the test: they are known from the start."""

    def __init__(
        self, host: SimulatedHost, contacts: ContactBook, options: NodeOptions | None = None
    ) -> None:
        super().__init__(options or NodeOptions())
        self._host = host
        self._contacts = contacts
        self.released = False

    async def _open(self) -> NodeParts:
        return NodeParts(
            identity=identity_of(self._host.place),
            contacts=self._contacts,
            save_contacts=lambda book: None,
            # A slow disk: crashes fall between commit and acknowledgement often enough to matter.
            store=self._host.store(commit_seconds=0.15, return_seconds=0.05),
            rendezvous=[self._host.rendezvous()],
            load_backend=self._load_backend,
            clock=self._host.clock,
            entropy=self._host.entropy,
        )

    async def _load_backend(self) -> LinkBackend:
        return self._host.links()

    async def _release(self) -> None:
        self.released = True


def book_for(network: SimulatedNetwork, name: str, others: list[str]) -> ContactBook:
    book = ContactBook()
    for other in others:
        book = book.add(invite_of(network, other), other, me=identity_of(name).peer_id)
    return book
