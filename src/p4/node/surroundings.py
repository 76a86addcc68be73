"""What the network around a node means to its contacts: changes, the local network, our own addresses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from p4.core.address import RendezvousAddress
from p4.core.contacts import Contact
from p4.core.identity import Identity, PeerId
from p4.core.policy import Policy
from p4.node.background import BackgroundTasks
from p4.node.lan import LanContact, LanPresence
from p4.node.listener import Listener
from p4.node.parts import NodeParts
from p4.node.roster import Roster
from p4.ports import LinkBackend
from p4.ports.monitor import NetworkChange

__all__ = ["Surroundings"]


class Surroundings:
    """Joins a node's `Presence` and its contacts, as long as it runs.

    Args:
        background: where Tor is told of changes.
        identity_for: the identity by which a contact knows us.
    """

    def __init__(
        self,
        parts: NodeParts,
        roster: Roster,
        backend: LinkBackend,
        background: BackgroundTasks,
        *,
        identity_for: Callable[[PeerId], Identity],
    ) -> None:
        self._parts = parts
        self._backend = backend
        self._roster = roster
        self._background = background
        self._closed = False
        self._addresses: frozenset[str] = frozenset()
        self._lan: LanPresence | None = None
        if parts.presence.lan is not None:
            self._lan = LanPresence(
                parts.presence.lan,
                parts.identity,
                parts.clock,
                parts.entropy,
                contacts=self._contacts,
                found=self._found,
                gone=lambda peer_id: self._found(peer_id, ()),
                identity_for=identity_for,
            )

    async def start(self, listener: Listener) -> None:
        """Listen and watch; the listener is given each stream that arrives straight at this machine."""
        presence = self._parts.presence
        accept = partial(listener.accept, hidden_from=self._hides_from)
        await presence.start(accept, changed=self._network_changed, announce=self._announce)
        self._addresses = presence.addresses
        if self._lan:
            await self._lan.start(presence.port)

    def contacts_changed(self) -> None:
        """A contact came or went, or may know our addresses now, or not any more."""
        if self._lan:
            self._lan.contacts_changed()

    async def close(self) -> None:
        """Vanish from the networks around."""
        self._closed = True
        if self._lan:
            await self._lan.close()
        await self._parts.presence.close()

    def _contacts(self) -> list[LanContact]:
        return [
            (peer.peer_id, peer.contact.public_key)
            for peer in self._roster.latest_first()
            if peer.policy is not Policy.RELAY_ONLY
        ]

    def _hides_from(self, contact: Contact) -> bool:
        peer = self._roster.get(contact.peer_id)
        return peer is None or peer.policy is Policy.RELAY_ONLY

    def _found(self, peer_id: PeerId, addresses: tuple[RendezvousAddress, ...]) -> None:
        peer = self._roster.get(peer_id)
        if peer is not None and not self._closed:
            peer.seen_nearby(addresses)

    def _network_changed(self, change: NetworkChange) -> None:
        """Tor first, since it takes longest; every contact is called anew."""
        if self._closed:
            return
        # A machine that had no address before may do without: its network is its own.
        connected = bool(change.addresses) or not self._addresses
        for rendezvous in self._parts.rendezvous:
            self._background.spawn(rendezvous.network_changed(connected=connected))
        if self._lan:
            self._lan.network_changed()
        peers = self._roster.latest_first()
        left = {peer.peer_id for peer in peers if peer.leave(change.addresses)}
        self._backend.network_changed()
        if self._parts.port_guesser:
            self._parts.port_guesser.network_changed()
        # What has only lost addresses keeps the paths that went over the others.
        mere_loss = change.addresses < self._addresses and not change.resumed
        self._addresses = change.addresses
        for peer in peers if connected else []:
            if mere_loss and peer.peer_id not in left:
                peer.suspect()
            else:
                peer.path_changed()

    def _announce(self) -> None:
        if not self._closed:
            for peer in self._roster.latest_first():
                peer.announce()
