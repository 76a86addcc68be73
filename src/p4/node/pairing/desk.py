"""Pairing as a whole, for one node: its invites, its places, and what is done with an invite of another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from p4.core import limits
from p4.core.address import RendezvousAddress, Transport
from p4.core.invite import Invite
from p4.core.pairing.link import PairingLink, is_link
from p4.core.pairing.secrets import PairingSecret
from p4.errors import InviteError, PairingError
from p4.node.background import BackgroundTasks
from p4.node.dialler import Dialler
from p4.node.events import NodeEvent, Paired
from p4.node.pairing.door import FrontDoor
from p4.node.pairing.invites import Invites
from p4.node.pairing.parts import english_words
from p4.node.pairing.registry import Registry
from p4.node.pairing.visiting import Meeting, Visit
from p4.node.peer import Peer
from p4.ports import Rendezvous, SignalStream
from p4.ports.pairing import MeetingKind, MeetingPlaces

__all__ = ["PairingDesk"]

_AROUND = "\ufeff \t\r\n\v\f\u00a0"
"""What is pasted or read from files along with an invite."""


class PairingDesk:
    """Everything of a running node that has to do with pairing.

    Args:
        rendezvous: those of the node; one that is direct makes its own port a place.
        add_version_1: `BaseNode.add_contact`.
        go_on: takes over the stream of a new contact that came to us.
        dialler: goes on with the stream on which we met a host.
        emit: tells the application.
        background: where what nobody waits for runs.
    """

    def __init__(
        self,
        registry: Registry,
        rendezvous: Sequence[Rendezvous],
        *,
        add_version_1: Callable[[Invite, str], Peer],
        go_on: Callable[[SignalStream], Awaitable[None]],
        dialler: Dialler,
        emit: Callable[[NodeEvent], None],
        background: BackgroundTasks,
    ) -> None:
        self._registry = registry
        self._add_version_1 = add_version_1
        self._dialler = dialler
        self._emit = emit
        direct = [r for r in rendezvous if r.transport is Transport.DIRECT][:1]
        own = partial(_own_address, registry, is_ours=rendezvous[0].transport is Transport.DIRECT)
        self._doors = [FrontDoor(dialler, own) for dialler in direct]
        self._places: list[MeetingPlaces] = [*registry.parts.places, *self._doors]
        self.invites = Invites(registry, self._places, go_on, emit, background)

    def takes(self, line: bytes) -> bool:
        """Whether a first line that came to our signaling port is a guest's."""
        return any(door.takes(line) for door in self._doors)

    async def serve(self, stream: SignalStream, line: bytes) -> None:
        """Take over a stream that began with such a line."""
        await self._doors[0].serve(stream, line)

    async def pair(self, text: str, name: str, patience: float) -> Peer:
        """See `BaseNode.pair`."""
        text = text.strip(_AROUND)
        if text.startswith("{"):
            return self._add_version_1(Invite.parse(text), name)
        address: RendezvousAddress | None = None
        if is_link(text):
            link = self._read_link(text)
            secret, address = PairingSecret.of_link(link.secret, link.host_key), link.address
            kinds = {MeetingKind.LAN, MeetingKind.DIRECT if address else MeetingKind.ONION}
        else:
            words = english_words().parse(text)
            if self.invites.owns(" ".join(words)):
                raise _own()
            secret = await self._registry.parts.secret_of_words(words)
            local = len(words) == limits.PAIRING_LOCAL_WORDS
            kinds = {MeetingKind.LAN} if local else {MeetingKind.LAN, MeetingKind.ONION}
        places = [places for places in self._places if places.kind in kinds]
        if not places:
            raise PairingError(
                "This node cannot go where the invite leads. Start it with Tor, or with the local network "
                "switched on.",
                code="no-place",
            )
        meeting = await Visit(self._registry, secret, places, address, name, patience).pair()
        self._paired(meeting)
        return meeting.peer

    async def close(self) -> None:
        """Close every place."""
        self._dialler.close()
        await self.invites.close()

    def _paired(self, meeting: Meeting) -> None:
        peer = meeting.peer
        self._emit(Paired(peer.peer_id, peer.contact.label, ""))
        self._dialler.keep(meeting.addresses, meeting.stream)
        peer.wake()

    def _read_link(self, text: str) -> PairingLink:
        link = PairingLink.parse(text)
        if link.host_key == self._registry.identity.public_key:
            raise _own()
        if link.expires_at * 1000 <= self._registry.clock.wall_ms():
            raise InviteError(
                "This link has expired. Ask for a new one. (If it has just been made, the clock of one of "
                "the two devices is wrong.)",
                code="expired",
            )
        return link


def _own() -> InviteError:
    return InviteError("This is an invite of this device itself. Use it on the other one.", code="own-invite")


def _own_address(registry: Registry, *, is_ours: bool) -> RendezvousAddress | None:
    return registry.own_invite().rendezvous if is_ours else None
