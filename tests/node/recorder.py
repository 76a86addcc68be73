"""A conversation that only writes down what it is given, in place of a stream with a contact."""

from __future__ import annotations

from typing import cast

from tests.sim.simulated_node import identity_of

from p4.core.address import RendezvousAddress, Transport
from p4.core.contacts import Contact, ContactBook
from p4.core.invite import Invite
from p4.core.signaling import SignalingMessage
from p4.errors import RendezvousError
from p4.node.conversation import Conversation

__all__ = ["Recorder", "contact_of"]


def contact_of(name: str) -> Contact:
    """A contact as a node has it."""
    address = RendezvousAddress(Transport.DIRECT, f"{name}.example", 1)
    book = ContactBook().add(
        Invite(identity_of(name).public_key, address), name, me=identity_of("nobody").peer_id
    )
    return book.contacts[0]


class Recorder:
    """What the far end got, in ``sent``."""

    def __init__(self, *, in_band: bool = False, broken: bool = False) -> None:
        self.contact = contact_of("bob")
        self.in_band = in_band
        self.broken = broken
        self.warm = False
        self.stays = in_band
        self.dialled = False
        self.ended = False
        self.failed = False
        self.sent: list[SignalingMessage] = []

    @property
    def conversation(self) -> Conversation:
        """As the code under test takes it."""
        return cast("Conversation", self)

    async def send(self, message: SignalingMessage, *, sealed: bool) -> None:
        """Written down, unless it is broken."""
        assert sealed
        if self.broken:
            raise RendezvousError("broken", code="stream-broken")
        self.sent.append(message)

    async def fail(self) -> None:
        """The failure line, which ends it."""
        self.failed = True
        self.close()

    def close(self) -> None:
        """Nothing more."""
        self.ended = True
