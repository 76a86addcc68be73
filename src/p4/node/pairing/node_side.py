"""Pairing as a node shows it: what is mixed into `BaseNode`, and what it stands on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from p4.core import limits
from p4.core.invite import Invite
from p4.core.pairing.card import Card
from p4.core.policy import Policy
from p4.core.signaling import PROTOCOL_2
from p4.errors import ContactError, LocalError
from p4.node.background import BackgroundTasks
from p4.node.context import PeerContext
from p4.node.events import NodeWarning
from p4.node.key_ring import KeyRing
from p4.node.pairing.desk import PairingDesk
from p4.node.pairing.invites import Invites
from p4.node.pairing.registry import DeviceName, Registry
from p4.node.parts import NodeParts
from p4.node.peer import Peer
from p4.node.roster import Roster
from p4.ports import SignalStream

__all__ = ["NodePairing", "PairingApi"]


class NodePairing:
    """The pairing of a node, from its start to its end.

    Args:
        roster: its contacts.
        background: where what nobody waits for runs.
    """

    def __init__(self, roster: Roster, background: BackgroundTasks) -> None:
        self._roster = roster
        self._background = background
        self._desk: PairingDesk | None = None
        self._name: DeviceName | None = None

    async def start(
        self,
        parts: NodeParts,
        context: PeerContext,
        ring: KeyRing,
        accept: Callable[[SignalStream], Awaitable[None]],
        invite: Callable[[], Invite],
        add_contact: Callable[[Invite, str], Peer],
        contacts_changed: Callable[[], None],
    ) -> None:
        """Begin, once our address and our contacts are known.

        Args:
            ring: our keys; the current one is what new contacts learn.
            accept: takes an inbound stream of signaling.
            invite: our address.
            add_contact: `BaseNode.add_contact`, for invites of version 1.
            contacts_changed: told that a contact came or has another address.
        """

        def add(card: Card, name: str) -> Peer:
            # Unlike for add_contact, nothing is dialled yet: the stream of pairing will do.
            for contact in self._roster.contacts:
                if contact.public_key == card.invite.public_key and contact.trust.blocked:
                    raise ContactError(
                        f"{contact.label} wants to pair and is blocked here. Unblock it first.",
                        code="blocked",
                    )
            peer = self._roster.add(card.invite, name, ring.current.peer_id, speaks=PROTOCOL_2)
            contacts_changed()
            return peer

        self._name = DeviceName(parts.pairing)
        registry = Registry(
            ring,
            parts.clock,
            parts.entropy,
            parts.pairing,
            self._name,
            context.gate,
            own_invite=invite,
            add_contact=add,
            find_contact=self._roster.get,
            warn=lambda text: context.emit(NodeWarning(text)),
            capabilities=tuple(sorted(context.announce(Policy.DIRECT).capabilities)),
        )
        self._desk = PairingDesk(
            registry,
            parts.rendezvous,
            add_version_1=add_contact,
            go_on=accept,
            dialler=context.dialler,
            emit=context.emit,
            background=self._background,
        )
        await self._desk.invites.start()

    def contacts_changed(self) -> None:
        """Contacts came or went, are blocked or not, or our key is another one."""
        if self._desk is not None:
            served = {each.peer_id for each in self._roster.contacts if not each.trust.blocked}
            self._desk.invites.contacts_changed(served)

    async def close(self) -> None:
        """Close all places."""
        if self._desk is not None:
            await self._desk.close()

    @property
    def desk(self) -> PairingDesk:
        """Once started. Raises LocalError: ``not-running``."""
        if self._desk is None:
            raise LocalError("The node is not running. Nothing was changed.", code="not-running")
        return self._desk

    @property
    def name(self) -> DeviceName:
        """Once started. Raises LocalError: ``not-running``."""
        if self._name is None:
            raise LocalError("The node is not running, so its name is not known.", code="not-running")
        return self._name

    def takes(self, line: bytes) -> bool:
        """Whether a first line at the signaling port is a guest's."""
        return self._desk is not None and self._desk.takes(line)

    async def serve(self, stream: SignalStream, line: bytes) -> None:
        """Take over a stream that began with such a line."""
        await self.desk.serve(stream, line)


class PairingApi:
    """What a node offers for pairing (spec/pairing.md); `pairing` is set by the node."""

    pairing: NodePairing

    @property
    def name(self) -> str:
        """What this device calls itself towards those it pairs with: at first the machine's name."""
        return str(self.pairing.name)

    def rename(self, name: str) -> None:
        """Call this device otherwise from now on; empty for the machine's name. On disk when this returns.

        Contacts keep the name that they have.

        Raises:
            InputError: ``bad-name``. StateError: not written.
        """
        self.pairing.name.change(name)

    @property
    def invites(self) -> Invites:
        """Our pairing links and codes that wait for a guest. Available once started."""
        return self.pairing.desk.invites

    async def pair(
        self, text: str, name: str = "", *, patience: float = limits.PAIRING_PATIENCE_SECONDS
    ) -> Peer:
        """Become a contact of the device that made an invite, and it ours; on both disks when this returns.

        An invite of version 1 (JSON) works in one direction: it is `BaseNode.add_contact`.

        Args:
            text: a pairing link, the words of a code, or the JSON of an invite.
            name: what the device shall be called here; empty for what it calls itself.
            patience: seconds in which the other device is looked for.

        Raises:
            InviteError, WordError: the text is not usable; nothing was tried.
            PairingError: refused, or the other device was not found.
            ContactError, StateError: the device cannot be stored here.
        """
        return await self.pairing.desk.pair(text, name, patience)
