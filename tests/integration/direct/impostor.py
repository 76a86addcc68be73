"""A contact that speaks lines of the test's making; its links are those of others."""

from __future__ import annotations

import asyncio
import secrets
import time
from pathlib import Path

import p4
from p4.adapters.net.direct import DirectRendezvous
from p4.assemble import open_state
from p4.core import envelope, limits
from p4.core.envelope import parse
from p4.core.identity import Identity
from p4.core.sealing import is_sealed, open_payload, seal_payload
from p4.core.signaling import SignalingMessage, parse_payload
from p4.ports import RendezvousStatus, SignalStream

__all__ = ["Contact", "known_identity"]


class Contact:
    """A contact that speaks lines of the test's making; its links are those of others."""

    def __init__(self) -> None:
        self.identity = Identity(secrets.token_bytes(32))
        self.rendezvous = DirectRendezvous("127.0.0.1", 0)
        self.inbound: asyncio.Queue[SignalStream] = asyncio.Queue()

    async def start(self) -> p4.Invite:
        def ignore(status: RendezvousStatus) -> None:
            pass

        address = await self.rendezvous.start(self._accept, ignore)
        return p4.Invite(self.identity.public_key, address)

    async def _accept(self, stream: SignalStream) -> None:
        self.inbound.put_nowait(stream)
        await asyncio.get_running_loop().create_future()

    def seal(self, recipient: p4.Node, message: SignalingMessage, *, sealed: bool = True) -> bytes:
        """A fresh line for the node, as a version 2 contact would write it."""
        payload = message.to_payload()
        if sealed:
            payload = seal_payload(
                payload,
                sender_key=self.identity.public_key,
                recipient_key=recipient.invite().public_key,
            )
        return envelope.seal(
            self.identity,
            recipient.peer_id,
            payload,
            timestamp_ms=time.time_ns() // 1_000_000,
            nonce=secrets.token_bytes(limits.NONCE_BYTES),
        )

    def read(self, sender: p4.Node, line: bytes) -> SignalingMessage | None:
        """What the line says; None if another node wrote it."""
        unverified = parse(line)
        if unverified.sender != sender.peer_id:
            return None
        payload = unverified.payload
        if is_sealed(payload):
            payload = open_payload(payload, sender_key=sender.invite().public_key, recipient=self.identity)
        return parse_payload(payload)


def known_identity(state: Path) -> Identity:
    """The identity that the node on this state directory will have."""
    directory = open_state(state, lambda text: None)
    directory.prepare()
    return directory.create_identity(secrets.token_bytes(32))
