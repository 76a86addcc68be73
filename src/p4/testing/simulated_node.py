"""Whole nodes on the simulated network: for tests of applications, in virtual time.

    def test_notes_arrive() -> None:
        async def scenario(network: SimulatedNetwork) -> None:
            laptop = await start_node(network, "laptop", "phone")
            phone = await start_node(network, "phone", "laptop")
            await phone.peer("laptop").grant("notes")
            await laptop.peer("phone").send({"note": 1}, service="notes")
            message = await anext(phone.messages("notes"))
            …

        simulate(scenario)

docs/api.md has a longer one, with crashes and a lost network.
"""

from __future__ import annotations

import hashlib

from p4.core.contacts import ContactBook
from p4.core.identity import Identity
from p4.core.invite import Invite
from p4.core.own_keys import OwnKeys
from p4.node.node import BaseNode, NodeParts
from p4.node.options import NodeOptions
from p4.node.presence import Presence
from p4.ports import LinkBackend
from p4.testing.network import SimulatedHost, SimulatedNetwork

__all__ = ["SimulatedNode", "simulated_identity", "simulated_invite", "start_node"]


def simulated_identity(name: str) -> Identity:
    """The identity of the simulated device with this name: the same in every run."""
    return Identity(hashlib.sha256(name.encode()).digest())


def simulated_invite(network: SimulatedNetwork, name: str) -> Invite:
    """Its invite."""
    return Invite(simulated_identity(name).public_key, network.host(name).address())


class SimulatedNode(BaseNode):
    """The node of a simulated host; all that differs from `p4.Node` is what it stands on.

    Its contacts and its disk survive a crash of the host; the next incarnation's node has them.

    Args:
        host: the living incarnation.
        contacts: names of other hosts that it knows from the start, called by these names.
    """

    def __init__(
        self,
        network: SimulatedNetwork,
        host: SimulatedHost,
        contacts: tuple[str, ...] = (),
        options: NodeOptions | None = None,
    ) -> None:
        super().__init__(options or NodeOptions())
        self._network = network
        self._host = host
        book = network.contacts.get(host.place, ContactBook())
        known = {contact.peer_id for contact in book.contacts}
        for name in contacts:
            if simulated_identity(name).peer_id not in known:
                invite = simulated_invite(network, name)
                book = book.add(invite, name, me=simulated_identity(host.place).peer_id)
        network.contacts[host.place] = book

    async def _open(self) -> NodeParts:
        presence = self._host.presence()
        return NodeParts(
            identity=simulated_identity(self._host.place),
            keys=self._network.keys.get(self._host.place),
            save_keys=self._save_keys,
            contacts=self._network.contacts[self._host.place],
            save_contacts=self._save_contacts,
            store=self._host.store(),
            rendezvous=[self._host.rendezvous(), *([self._host.direct_dialler()] if presence else [])],
            presence=presence or Presence(),
            load_backend=self._load_backend,
            clock=self._host.clock,
            entropy=self._host.entropy,
            pairing=self._host.pairing(),
        )

    def _save_contacts(self, book: ContactBook) -> None:
        self._network.contacts[self._host.place] = book

    def _save_keys(self, keys: OwnKeys) -> None:
        self._network.keys[self._host.place] = keys

    async def _load_backend(self) -> LinkBackend:
        return self._host.links()

    async def _release(self) -> None:
        """Nothing was acquired."""


async def start_node(
    network: SimulatedNetwork, name: str, *contacts: str, options: NodeOptions | None = None
) -> SimulatedNode:
    """Start the node of the host with this name; it ends with the host.

    To start it again after ``network.host(name).crash()``, call this again: identity, contacts and disk are
    the same.

    Args:
        contacts: names of hosts that it knows; those it knew before need not be named.
    """
    host = network.host(name)
    node = SimulatedNode(network, host, contacts, options)
    await host.run(node.start())
    return node
