"""The gate: who is admitted at ours, and at which address contacts are dialled (spec/gate.md)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from p4.core import limits
from p4.core.address import RendezvousAddress
from p4.core.contacts import Contact
from p4.core.gate import KEY_BYTES, GateRecord, gate_public_key
from p4.core.identity import PeerId
from p4.core.session.gate_frames import GATE, Gate, GateFrame, GateKept
from p4.errors import LinkError, RendezvousError
from p4.node.dialler import Dialler
from p4.node.options import NodeOptions
from p4.node.parts import NodeParts
from p4.ports import Entropy, SignalStream, Store
from p4.ports.gate import GatedRendezvous

__all__ = ["ContactRoster", "GateCarrier", "GateKeeper"]

_log = logging.getLogger(__name__)

_SHUT = frozenset({"authorization-missing", "authorization-wrong", "no-descriptor"})
"""Failures of a dial to a gate after which the open address may help: we are not admitted, or no such gate is
published. Everything else an open address would meet, too."""


class GateCarrier(Protocol):
    """The link in service, as far as gates need it."""

    @property
    def capabilities(self) -> frozenset[str]:
        """What the contact announced for this link."""

    def send_whole(self, frame: GateFrame) -> None:
        """Send a frame. Raises LinkError."""


class ContactRoster(Protocol):
    """Our contacts, as far as gates need them."""

    @property
    def contacts(self) -> Sequence[Contact]:
        """All of them, blocked ones included."""

    def get(self, peer_id: PeerId) -> object | None:
        """None for one that is not served: unknown, blocked, or being removed."""


class GateKeeper:
    """Keeps the gate in step with the contacts.

    Args:
        gated: publishes our addresses; None for a node that has no gate: then nothing is exchanged, and
            contacts are dialled at the address of their invite.
        roster: our contacts.
        spawn: runs work in the background; failures are told to the person.
        always_open: version 1 invites are switched on.
    """

    def __init__(
        self,
        gated: GatedRendezvous | None,
        store: Store,
        entropy: Entropy,
        roster: ContactRoster,
        spawn: Callable[[Coroutine[None, None, None]], None],
        *,
        always_open: bool,
    ) -> None:
        self._gated = gated
        self._store = store
        self._entropy = entropy
        self._roster = roster
        self._spawn = spawn
        self._always_open = always_open
        self._records: dict[PeerId, GateRecord] = {}
        self._links: dict[PeerId, GateCarrier] = {}
        self._heard: set[PeerId] = set()
        self._started = False
        self._asked = self._done = 0
        self._applying, self._changing = asyncio.Lock(), asyncio.Lock()
        self._open_needed = False
        self._lingering: asyncio.TimerHandle | None = None

    @classmethod
    def of(
        cls,
        parts: NodeParts,
        store: Store,
        roster: ContactRoster,
        spawn: Callable[[Coroutine[None, None, None]], None],
        options: NodeOptions,
    ) -> GateKeeper:
        """That of a node with these parts."""
        return cls(parts.gated, store, parts.entropy, roster, spawn, always_open=options.v1_invites)

    @property
    def capabilities(self) -> frozenset[str]:
        """What a node with a gate announces."""
        return frozenset() if self._gated is None else frozenset({GATE})

    @property
    def address(self) -> RendezvousAddress | None:
        """Where our gate is, once the rendezvous was started; None for a node without one."""
        return self._gated.gated_address if self._gated is not None else None

    def record(self, peer_id: PeerId) -> GateRecord:
        """What is known of the gates between us and a contact."""
        return self._records.get(peer_id, GateRecord())

    # -- life ------------------------------------------------------------------------------------------------

    def load(self, texts: Mapping[PeerId, str]) -> None:
        """What was kept in earlier runs."""
        self._records = {peer_id: GateRecord.from_text(text) for peer_id, text in texts.items() if text}

    async def start(self) -> None:
        """The rendezvous was started: publish what the contacts need."""
        self._started = True
        await self._apply()

    def close(self) -> None:
        """Nothing of it runs afterwards."""
        self._started = False
        if self._lingering:
            self._lingering.cancel()

    def contacts_changed(self) -> None:
        """A contact came or went, or is blocked or not."""
        known = {contact.peer_id for contact in self._roster.contacts}
        for gone in self._records.keys() - known:
            del self._records[gone]
        if self._started and self._gated is not None:
            self._spawn(self._apply())

    # -- dialling --------------------------------------------------------------------------------------------

    async def dial(self, dialler: Dialler, contact: Contact, *, fresh: bool) -> SignalStream:
        """Open a stream to a contact: at its gate if we can pass it, else at the address of its invite.

        Raises:
            RendezvousError: as `Dialler.dial`.
        """
        record = self.record(contact.peer_id)
        if self._gated is None or not record.passable or record.address is None:
            if self._gated is not None and record.address == contact.rendezvous and record.own_key:
                self._gated.take_key(contact.rendezvous, record.own_key)
            return await dialler.dial(contact.rendezvous, fresh=fresh)
        self._gated.take_key(record.address, record.own_key)
        try:
            return await dialler.dial(record.address, fresh=fresh)
        except RendezvousError as error:
            if error.code not in _SHUT or contact.rendezvous == record.address:
                raise
            _log.debug("%s: its gate is shut for us (%s)", contact.label, error.code)
            return await dialler.dial(contact.rendezvous, fresh=fresh)

    # -- pairing ---------------------------------------------------------------------------------------------

    def draw_key(self) -> bytes:
        """A new private key for the gate of a device that we do not know yet."""
        return self._entropy.token(KEY_BYTES)

    async def paired(
        self, peer_id: PeerId, address: RendezvousAddress, *, own_key: bytes, admitted_key: bytes
    ) -> None:
        """A new contact and we have told each other all of it (spec/pairing.md). Raises StateError.

        Args:
            address: of the contact's gate.
            own_key: the private key whose public half we gave.
            admitted_key: the contact's public key.
        """
        own = self.address
        if own is not None:
            record = GateRecord(own_key, admitted_key, address, own.host)
            if self._full_without(peer_id):
                record = replace(record, admitted_key=b"")  # it comes by the open address
            await self._change(peer_id, lambda _: record)
            await self._apply()

    # -- links -----------------------------------------------------------------------------------------------

    def link_up(self, peer_id: PeerId, link: GateCarrier) -> None:
        """A link of a contact is in service; what opens a session has been sent on it."""
        if self._gated is None:
            return
        self._heard.discard(peer_id)
        if GATE in link.capabilities:
            self._links[peer_id] = link
            self._spawn(self._tell(peer_id, link, self._gated.gated_address))
        elif self.record(peer_id).confirmed:
            # An older program has taken the place of the one that knew.
            self._spawn(self._became(peer_id, GateRecord.unconfirmed))

    def link_down(self, peer_id: PeerId) -> None:
        """It is over."""
        self._links.pop(peer_id, None)

    def handle(self, peer_id: PeerId, frame: GateFrame) -> None:
        """A frame of a contact arrived on its proven link."""
        link = self._links.get(peer_id)
        if link is None or self._gated is None:
            return
        if isinstance(frame, Gate):
            if peer_id not in self._heard:
                self._heard.add(peer_id)
                self._spawn(self._take(peer_id, frame, link))
        elif (own_key := self.record(peer_id).own_key) and gate_public_key(own_key) == frame.key:
            host = self._gated.gated_address.host
            self._spawn(self._became(peer_id, lambda record: replace(record, confirmed=host)))

    # -- inside ----------------------------------------------------------------------------------------------

    async def _tell(self, peer_id: PeerId, link: GateCarrier, address: RendezvousAddress) -> None:
        fresh = self._entropy.token(KEY_BYTES)
        await self._change(peer_id, lambda record: replace(record, own_key=record.own_key or fresh))
        if self._links.get(peer_id) is link and (own_key := self.record(peer_id).own_key):
            with suppress(LinkError):  # the next link brings it again
                link.send_whole(Gate.at(gate_public_key(own_key), address))

    async def _take(self, peer_id: PeerId, frame: Gate, link: GateCarrier) -> None:
        if self._full_without(peer_id):
            return
        await self._became(
            peer_id, lambda record: replace(record, admitted_key=frame.key, address=frame.rendezvous)
        )
        if self._links.get(peer_id) is link:
            with suppress(LinkError):
                link.send_whole(GateKept(frame.key))

    def _full_without(self, peer_id: PeerId) -> bool:
        """Whether those who are admitted beside this contact are as many as fit."""
        others = self._admitted() - {self.record(peer_id).admitted_key}
        full = len(others) >= limits.GATE_KEYS - 1  # one is ours
        if full:
            _log.info("no more than %d contacts fit through the gate", limits.GATE_KEYS - 1)
        return full

    async def _became(self, peer_id: PeerId, change: Callable[[GateRecord], GateRecord]) -> None:
        await self._change(peer_id, change)
        await self._apply()

    async def _change(self, peer_id: PeerId, change: Callable[[GateRecord], GateRecord]) -> None:
        """Change what is kept of a contact; on disk when this returns. Raises StateError."""
        async with self._changing:
            before = self.record(peer_id)
            after = change(before)
            if after != before and self._roster.get(peer_id) is not None:
                await self._store.save_gate(peer_id, after.to_text())
                self._records[peer_id] = after

    async def _apply(self) -> None:
        """Have published what is wanted now; one call serves all that asked before it began."""
        if self._gated is None or not self._started:
            return
        self._asked += 1
        mine = self._asked
        async with self._applying:
            if self._done < mine:
                self._done = self._asked
                await self._gated.admit(self._admitted(), open_too=self._open_too(self._gated))

    def _admitted(self) -> frozenset[bytes]:
        records = ((peer_id, record.admitted_key) for peer_id, record in self._records.items())
        return frozenset(key for peer_id, key in records if key and self._roster.get(peer_id) is not None)

    def _open_too(self, gated: GatedRendezvous) -> bool:
        host = gated.gated_address.host
        served = [
            each.peer_id for each in self._roster.contacts if self._roster.get(each.peer_id) is not None
        ]
        needed = self._always_open or any(self.record(peer_id).needs_open(host) for peer_id in served)
        if needed:
            if self._lingering:
                self._lingering.cancel()
                self._lingering = None
        elif self._open_needed:
            loop = asyncio.get_running_loop()
            self._lingering = loop.call_later(limits.GATE_OPEN_SECONDS, self._linger_no_more)
        self._open_needed = needed
        return needed or self._lingering is not None

    def _linger_no_more(self) -> None:
        self._lingering = None
        self._spawn(self._apply())
