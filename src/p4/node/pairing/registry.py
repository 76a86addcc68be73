"""Who we are to those we pair with, and how they become contacts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from p4.core import limits
from p4.core.contacts import is_usable_name
from p4.core.gate import gate_public_key
from p4.core.identity import Identity, PeerId
from p4.core.invite import Invite
from p4.core.pairing.card import Card, CardGate
from p4.core.pairing.refusals import pairing_error
from p4.errors import ContactError, InputError
from p4.node.gate import GateKeeper
from p4.node.key_ring import KeyRing
from p4.node.pairing.parts import PairingParts
from p4.node.peer import Peer
from p4.ports import Clock, Entropy

__all__ = ["DeviceName", "Introduction", "Registry"]

_NAMES_TRIED = 99


class DeviceName:
    """What this device calls itself, for those it pairs with."""

    def __init__(self, parts: PairingParts) -> None:
        self._parts = parts
        data = parts.load_name()
        kept = data.decode("utf-8", "replace").strip() if data else ""
        usual = parts.usual_name.strip()[: limits.DEVICE_NAME_CHARACTERS].strip()
        # A file that a person has spoiled, or a strange host name, must not keep a node from starting.
        self._name = next((name for name in (kept, usual) if name and is_usable_name(name)), "")

    def __str__(self) -> str:
        return self._name

    def change(self, name: str) -> None:
        """Choose another; on disk when this returns. An empty one goes back to the usual.

        Raises:
            InputError: ``bad-name``. StateError: not written.
        """
        if name and not is_usable_name(name):
            raise InputError(
                f"{name[:80]!a} cannot be the name of a device: it is too long, looks like an id, or has "
                "characters that cannot be shown. Nothing was changed.",
                code="bad-name",
            )
        self._parts.save_name(name.encode("utf-8"))
        self._name = name or self._parts.usual_name


@dataclass(frozen=True, slots=True)
class Introduction:
    """A card of ours, and what belongs to it and stays here.

    Args:
        gate_key: our private key for the gate of whoever gets the card; empty if we have no gate.
    """

    card: Card
    gate_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Registry:
    """The node, as far as pairing needs it.

    Args:
        ring: our keys.
        own_invite: our address, for cards.
        add_contact: `BaseNode.add_contact` after pairing: also takes the contact's card.
        warn: tells the person something in a sentence.
    """

    ring: KeyRing
    clock: Clock
    entropy: Entropy
    parts: PairingParts
    name: DeviceName
    gate: GateKeeper
    own_invite: Callable[[], Invite]
    add_contact: Callable[[Card, str], Peer]
    find_contact: Callable[[PeerId], Peer | None]
    warn: Callable[[str], None]
    capabilities: tuple[str, ...] = ()

    @property
    def identity(self) -> Identity:
        """Who we are to new contacts."""
        return self.ring.current

    def introduction(self) -> Introduction:
        """What we say about ourselves in one exchange."""
        gate, own_key = None, b""
        if (address := self.gate.address) is not None:
            own_key = self.gate.draw_key()
            gate = CardGate(gate_public_key(own_key), address)
        return Introduction(Card(self.own_invite(), str(self.name), gate, self.capabilities), own_key)

    def require_true(self, ours: Introduction) -> None:
        """Raises PairingError (``rotated``): our key was changed since. Who stored the former one after a
        rotation would never be told of it."""
        if ours.card.invite.public_key != self.identity.public_key:
            raise pairing_error("rotated")

    async def open_gates(self, peer: Peer, card: Card, own_key: bytes) -> None:
        """Admit a new contact at our gate, and pass its own from now on; on disk when this returns.

        Args:
            own_key: of the `Introduction` that the contact has, or will have with our next line.

        Raises:
            StateError: not written.
        """
        if card.gate is not None and own_key:
            admitted = card.gate.key
            await self.gate.paired(peer.peer_id, card.gate.address, own_key=own_key, admitted_key=admitted)

    def admit(self, card: Card, wanted: str) -> Peer:
        """Make the sender of a card our contact, or take over its new address; on disk when this returns.

        A known contact keeps its name. A name that belongs to another key never moves: the new contact is
        called by it with a number behind, and the person is told.

        Args:
            card: verified.
            wanted: the name that our person chose for it; empty for what it calls itself.

        Raises:
            InviteError: ``own-invite``. ContactError: ``changed-key``, ``being-removed`` and others.
            StateError: not written.
        """
        known = self.find_contact(card.invite.peer_id)
        name = wanted or ("" if known is not None and known.name else card.name)
        if not is_usable_name(name):
            name = ""
        try:
            return self.add_contact(card, name)
        except ContactError as error:
            if error.code != "name-taken":
                raise
        peer = self._admit_numbered(card, name)
        self.warn(
            f"You have a contact called {name} already, with another key. The device that has just paired is "
            f"called {peer.contact.label}. If it is the same device, set up anew, remove the old contact; if "
            "you did not expect that, somebody may be posing as it."
        )
        return peer

    def _admit_numbered(self, card: Card, name: str) -> Peer:
        for number in range(2, _NAMES_TRIED):
            behind = f" {number}"
            try:
                return self.add_contact(card, name[: limits.DEVICE_NAME_CHARACTERS - len(behind)] + behind)
            except ContactError as error:
                if error.code != "name-taken":
                    raise
        return self.add_contact(card, "")
