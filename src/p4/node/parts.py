"""What a node is made of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from p4.core.contacts import ContactBook
from p4.core.identity import Identity
from p4.core.own_keys import OwnKeys
from p4.node.pairing.parts import PairingParts
from p4.node.presence import Presence
from p4.ports import Clock, Entropy, LinkBackend, Rendezvous, Store
from p4.ports.gate import GatedRendezvous
from p4.ports.lane import StreamLanes
from p4.ports.punch import PortGuesser

__all__ = ["NodeParts"]


@dataclass(frozen=True, slots=True)
class NodeParts:
    """Everything a node is made of.

    Args:
        identity: who it is.
        contacts: whom it knows at the start.
        save_contacts: writes the book to disk before it returns.
        store: durable memory, not yet open.
        rendezvous: the first is started and named in invites; the others only dial.
        presence: where else it can be reached; by default nowhere.
        stream_lanes: makes lanes over TCP (spec/lanes.md).
        pairing: where devices meet it that do not know it yet; by default only at its own direct address.
        gated: the first rendezvous once more, if it can admit contacts only (spec/gate.md).
        port_guesser: finds ways through NATs that ICE alone does not pass (spec/punch.md).
        keys: its keys of today and before, if there may be others than that of ``identity``.
        save_keys: writes them to disk before it returns.
        load_backend: imports the library that makes links, which takes a while; called once.
    """

    identity: Identity
    contacts: ContactBook
    save_contacts: Callable[[ContactBook], None]
    store: Store
    rendezvous: Sequence[Rendezvous]
    load_backend: Callable[[], Awaitable[LinkBackend]]
    clock: Clock
    entropy: Entropy
    presence: Presence = field(default_factory=Presence)
    stream_lanes: StreamLanes | None = None
    port_guesser: PortGuesser | None = None
    gated: GatedRendezvous | None = None
    pairing: PairingParts = field(default_factory=PairingParts)
    keys: OwnKeys | None = None
    save_keys: Callable[[OwnKeys], None] = lambda _: None
