"""A node without network and disk, for tests of the prompt's grammar and words."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from p4.core.address import RendezvousAddress, Transport
from p4.core.contacts import Contact, ContactBook
from p4.core.identity import Identity, PeerId
from p4.core.invite import Invite
from p4.core.policy import Policy
from p4.errors import InputError
from p4.node.services import require_service
from p4.node.status import PeerStatus
from p4.ports import LinkPath, RendezvousPhase, RendezvousStatus
from p4.ports.mapping import Mapping

__all__ = ["ANNA", "BOB", "ME", "FakeNode", "FakePeer", "FakePresence", "FakeReceipt", "invite_of"]

ME, ANNA, BOB = (Identity(bytes([number]) * 32) for number in (1, 2, 3))


def invite_of(identity: Identity, port: int = 4001) -> Invite:
    """A valid direct invite."""
    return Invite(identity.public_key, RendezvousAddress(Transport.DIRECT, "192.0.2.7", port))


@dataclass
class FakeReceipt:
    """What becomes of a message is decided by the test."""

    number: int
    outcome: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    async def delivered(self) -> None:
        await self.outcome


@dataclass
class FakePeer:
    """A contact whose link is switched by the test."""

    contact: Contact
    connected: bool = False
    sent: list[str] = field(default_factory=list)
    dropped: int = 0
    grants: tuple[str, ...] = ("chat",)
    path: LinkPath | None = None
    queued: int = 0
    last_failure: str = ""
    policy: Policy = Policy.DIRECT

    @property
    def peer_id(self) -> PeerId:
        return self.contact.peer_id

    @property
    def name(self) -> str:
        return self.contact.name

    @property
    def role(self) -> str:
        return "initiator" if ME.peer_id < self.peer_id else "responder"

    @property
    def state(self) -> str:
        return "open" if self.connected else "retry in 3 s"

    async def status(self) -> PeerStatus:
        return PeerStatus(
            peer_id=self.peer_id,
            name=self.name,
            connected=self.connected,
            state=self.state,
            protocol=2,
            policy=self.policy,
            path=self.path if self.connected else None,
            round_trip=0.0123 if self.connected else None,
            sending=2_500_000.0 if self.connected else None,
            receiving=12.0 if self.connected else None,
            queued_messages=len(self.sent),
            queued_bytes=sum(map(len, self.sent)),
            open_streams=0,
            last_seen_ms=0,
            why_not="" if self.connected else "The contact is \x1b[2Joff.",
            next_attempt_ms=None,
        )

    async def send(self, value: object) -> FakeReceipt:
        assert isinstance(value, str)
        if len(value) > 1000:
            raise InputError("The text is too long.", code="too-long")
        self.sent.append(value)
        return FakeReceipt(len(self.sent))

    def drop(self) -> bool:
        was, self.connected = self.connected, False
        self.dropped += was
        return was

    async def grant(self, *services: str) -> None:
        for service in services:
            require_service(service.replace("*", "all"))
        self.grants = tuple(dict.fromkeys((*self.grants, *services)))

    async def revoke(self, *services: str) -> None:
        self.grants = tuple(grant for grant in self.grants if grant not in services)

    async def set_policy(self, policy: Policy | str) -> None:
        if policy not in set(Policy):
            raise InputError("That is no policy.", code="bad-policy")
        self.policy = Policy(policy)


@dataclass
class FakePresence:
    """Surroundings as the test wants them."""

    port: int = 51234
    addresses: frozenset[str] = frozenset({"192.168.1.7", "2001:db8::7"})
    mappings: frozenset[Mapping] = frozenset()
    discoverable: bool = True


class FakeNode:
    """Contacts by the real rules of `ContactBook`, kept in memory."""

    def __init__(self) -> None:
        self.presence = FakePresence()
        self.book = ContactBook()
        self._peers: dict[PeerId, FakePeer] = {}

    @property
    def peer_id(self) -> PeerId:
        return ME.peer_id

    @property
    def status(self) -> RendezvousStatus:
        return RendezvousStatus(RendezvousPhase.READY, 100, "Others can reach this node.", checked_at=0.0)

    def invite(self) -> Invite:
        return invite_of(ME)

    def peers(self) -> list[FakePeer]:
        return [self._of(contact) for contact in self.book.contacts]

    def peer(self, reference: str) -> FakePeer:
        return self._of(self.book.find(reference))

    def add_contact(self, invite: Invite, name: str = "") -> FakePeer:
        self.book = self.book.add(invite, name, me=ME.peer_id)
        return self.peer(invite.peer_id)

    async def remove_contact(self, reference: str) -> Contact:
        contact = self.book.find(reference)
        self.book = self.book.remove(reference)
        return contact

    def rename_contact(self, reference: str, name: str) -> Contact:
        peer_id = self.book.find(reference).peer_id
        self.book = self.book.rename(reference, name)
        return self.book.find(peer_id)

    def _of(self, contact: Contact) -> FakePeer:
        peer = self._peers.setdefault(contact.peer_id, FakePeer(contact))
        peer.contact = contact
        return peer
