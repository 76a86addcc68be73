"""What a worker does with many contacts."""

from __future__ import annotations

import asyncio
import json
import secrets
import time

import p4
from bench.session.place import SERVICE, Place
from p4.adapters.store.sqlite import SqliteStore
from p4.adapters.store.state_dir import StateDirectory
from p4.core.address import RendezvousAddress, Transport
from p4.core.contacts import ContactBook
from p4.core.identity import Identity
from p4.core.invite import Invite
from p4.ports import PeerRecord

REFUSING = RendezvousAddress(Transport.DIRECT, "127.0.0.1", 1)
"""Nobody listens there."""


def _absent() -> Invite:
    return Invite(Identity(secrets.token_bytes(32)).public_key, REFUSING)


async def prepare_contacts(place: Place, count: int) -> None:
    """Write a state with contacts that were seen once and cannot be reached. No node may run on it."""
    state = StateDirectory(place.directory)
    state.prepare()
    with state.lock():
        state.create_identity(secrets.token_bytes(32))
        book, problems = ContactBook.parse(json.dumps([_absent().to_object() for _ in range(count)]).encode())
        if problems:
            raise ValueError(problems[0])
        state.save_contacts(book)
        store = SqliteStore(state.database_path)
        await store.open()
        seen = PeerRecord(protocol=2, last_seen_ms=int(time.time() * 1000))
        await asyncio.gather(*(store.save_peer(contact.peer_id, seen) for contact in book.contacts))
        await store.close()


async def add_absent(place: Place) -> None:
    """Know a contact that cannot be reached."""
    place.running.add_contact(_absent())


async def start_crowd(place: Place, count: int, invite: str) -> list[str]:
    """Start more nodes, each with the same one contact; their invites."""
    for number in range(count):
        node = p4.Node(place.directory / str(number), place.options())
        await node.start()
        place.crowd.append(node)
        await node.add_contact(Invite.parse(invite)).grant(SERVICE)
    return [node.invite().to_text() for node in place.crowd]


async def all_connected(place: Place) -> None:
    """Wait for a link with every contact."""
    for peer in place.running.peers():
        await peer.wait_connected()


ACTIONS = (prepare_contacts, add_absent, start_crowd, all_connected)
