"""The contacts of a running node."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress

from p4.core import limits
from p4.core.contacts import Contact, ContactBook
from p4.core.identity import PeerId
from p4.core.invite import Invite
from p4.core.session.frames import ByeReason
from p4.errors import ContactError, LocalError, P4Error, StateError
from p4.node.background import all_of
from p4.node.context import PeerContext
from p4.node.peer import Peer
from p4.ports import PeerRecord

__all__ = ["Roster"]


class Roster:
    """Who our contacts are: the book on disk, and a `Peer` for each of them.

    Book and peers change in one moment: whoever looks finds them in agreement.
    """

    def __init__(self) -> None:
        self._book = ContactBook()
        self._peers: dict[PeerId, Peer] = {}
        self._records: dict[PeerId, PeerRecord] = {}
        self._removals: dict[PeerId, asyncio.Task[Contact]] = {}
        self._context: PeerContext | None = None
        self._save: Callable[[ContactBook], None] | None = None

    async def load(
        self, book: ContactBook, context: PeerContext, save: Callable[[ContactBook], None]
    ) -> None:
        """Make a peer of every contact, with what the store knows about it.

        Args:
            save: writes the book to disk before it returns.
        """
        records = await context.store.load_peers()
        streams = await context.store.load_streams()
        self._context, self._save, self._records, self._book = context, save, records, book
        context.gate.load({peer_id: record.gate for peer_id, record in records.items()})
        for contact in book.contacts:
            peer = self._make_peer(contact)
            if contact.peer_id in streams and not peer.blocked:
                peer.load_streams(streams[contact.peer_id])

    def __iter__(self) -> Iterator[Peer]:
        return iter([self._peers[contact.peer_id] for contact in self._book.contacts])

    @property
    def contacts(self) -> tuple[Contact, ...]:
        """All of them, as they are in the book."""
        return self._book.contacts

    def latest_first(self) -> list[Peer]:
        """All contacts that are not blocked, those whose link was up last first."""
        served = (peer for peer in self if not peer.blocked)
        return sorted(served, key=lambda peer: peer.last_seen_ms, reverse=True)

    def find(self, reference: str) -> Peer:
        """The contact with this id, unique beginning of an id, or name. Raises ContactError."""
        return self._peers[self._book.find(reference).peer_id]

    def get(self, peer_id: PeerId) -> Peer | None:
        """The contact with this id, unless it is blocked or being removed: then nobody answers it."""
        peer = self._peers.get(peer_id)
        return None if peer_id in self._removals or peer is None or peer.blocked else peer

    def add(self, invite: Invite, name: str, me: PeerId, *, speaks: int = 0) -> Peer:
        """See `BaseNode.add_contact`.

        Args:
            speaks: the protocol that a new contact is known to speak: 0 unknown, or 2.
        """
        self._refuse_while_removing(invite.peer_id)
        book = self._book.add(invite, name, me=me)
        if self._book.known(invite) is None:
            self._need_context.authenticator.meet_anew(invite.peer_id)
        self._write(book)
        contact = book.known(invite)
        assert contact is not None  # noqa: S101 - added above
        peer = self._peers.get(contact.peer_id)
        if peer is None:
            self._records.setdefault(contact.peer_id, PeerRecord(protocol=speaks))
            peer = self._make_peer(contact)
        else:
            peer.contact = contact
        self._need_context.gate.contacts_changed()
        return peer

    def rename(self, reference: str, name: str) -> Contact:
        """See `BaseNode.rename_contact`."""
        peer_id = self._book.find(reference).peer_id
        self._write(self._book.rename(peer_id, name))
        contact = self._peers[peer_id].contact = self._book.find(peer_id)
        return contact

    def replace(self, contact: Contact) -> Contact:
        """A contact is from now on what this says, on disk when this returns. Raises StateError."""
        self._write(self._book.with_contact(contact))
        self._peers[contact.peer_id].contact = contact
        return contact

    async def set_blocked(self, reference: str, *, blocked: bool) -> Contact:
        """See `p4.node.lifecycle.Lifecycle.block`."""
        contact = self._book.find(reference)
        self._refuse_while_removing(contact.peer_id)
        if contact.trust.blocked is blocked:
            return contact
        work = self._renew(contact, contact.with_blocked(blocked))
        change = asyncio.create_task(work, name=f"block {contact.label}")
        self._removals[contact.peer_id] = change
        return await asyncio.shield(change)

    async def remove(self, reference: str, taken_back: Callable[[Peer], None]) -> Contact:
        """See `BaseNode.remove_contact`.

        Args:
            taken_back: told of a contact whose removal failed, and which is served again.
        """
        contact = self._book.find(reference)
        self._refuse_while_removing(contact.peer_id)
        removal = asyncio.create_task(self._remove(contact, taken_back), name=f"remove {contact.label}")
        self._removals[contact.peer_id] = removal
        return await asyncio.shield(removal)

    async def close(self) -> None:
        """End every contact's links; says goodbye on those that are up."""
        if self._removals:
            await asyncio.wait(self._removals.values(), timeout=limits.CLOSE_SECONDS)
        if self._context:
            self._context.gate.close()
        peers = list(self._peers.values())
        farewell = limits.GOODBYE_SECONDS if any(peer.connected for peer in peers) else 0
        await all_of(asyncio.sleep(farewell), *(peer.close(ByeReason.SHUTDOWN) for peer in peers))

    # -- inside ----------------------------------------------------------------------------------------

    async def _remove(self, contact: Contact, taken_back: Callable[[Peer], None]) -> Contact:
        context, peer_id = self._need_context, contact.peer_id
        try:
            await self._peers[peer_id].close(ByeReason.REMOVED)
            # The book comes last: in no book but still on disk, it could come back with old numbers.
            await context.store.forget_peer(peer_id)
            self._records.pop(peer_id, None)
            self._write(self._book.remove(peer_id))
        except P4Error:
            # Serve it again, as the disk knows it.
            self._records = await context.store.load_peers()
            peer = self._make_peer(self._book.find(peer_id))
            if peer.may_hold_messages:
                context.services.inbox.add(peer.relation)
            taken_back(peer)
            raise
        else:
            del self._peers[peer_id]
            context.authenticator.forget(peer_id)
            with suppress(StateError):  # it is done again when the contact is added
                context.authenticator.meet_anew(peer_id)
            return contact
        finally:
            del self._removals[peer_id]
            context.gate.contacts_changed()

    async def renew(self, peer_id: PeerId) -> None:
        """Make everything of a contact anew from what is on disk, under the names that both use now."""
        if peer_id in self._removals or peer_id not in self._peers:
            return
        renewal = asyncio.create_task(self._renew(self._peers[peer_id].contact), name=f"renew {peer_id}")
        self._removals[peer_id] = renewal
        await asyncio.shield(renewal)
        self._peers[peer_id].wake()

    async def _renew(self, contact: Contact, changed: Contact | None = None) -> Contact:
        context, peer_id = self._need_context, contact.peer_id
        try:
            contact = contact if changed is None else self.replace(changed)
            # Made anew rather than put to sleep: nothing of its links, streams and calls can be left over.
            await self._peers[peer_id].close(ByeReason.SHUTDOWN)
            self._records = await context.store.load_peers()
            peer = self._make_peer(contact)
            if not peer.blocked:
                if records := (await context.store.load_streams()).get(peer_id):
                    peer.load_streams(records)
                if peer.may_hold_messages:
                    context.services.inbox.add(peer.relation)
            return contact
        finally:
            del self._removals[peer_id]
            context.gate.contacts_changed()

    def _make_peer(self, contact: Contact) -> Peer:
        # There may be a record although it was in no book (an older book was put back): its numbers go on.
        record = self._records.get(contact.peer_id, PeerRecord())
        peer = self._peers[contact.peer_id] = Peer(contact, record, self._need_context)
        if peer.blocked:
            self._need_context.introductions.unwatch(contact.peer_id)
        return peer

    def _refuse_while_removing(self, peer_id: PeerId) -> None:
        if peer_id in self._removals:
            raise ContactError(
                f"{peer_id} is being removed or blocked at this moment. Nothing was changed; try again "
                "after that.",
                code="being-removed",
            )

    def _write(self, book: ContactBook) -> None:
        if self._save is None:
            raise LocalError("The node is not running. Nothing was changed.", code="not-running")
        self._save(book)
        self._book = book

    @property
    def _need_context(self) -> PeerContext:
        if self._context is None:
            raise LocalError("The node is not running.", code="not-running")
        return self._context
