"""Nodes on the simulated network, and contacts and strangers whose every line the test decides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.sim.simulated_node import SimulatedNode, book_for, identity_of

from p4.core import envelope, limits
from p4.core.envelope import parse
from p4.core.ice import IceSettings
from p4.core.identity import PeerId
from p4.core.sdp import sdp_fingerprint
from p4.core.sealing import is_sealed, open_payload, seal_payload
from p4.core.session.binding import Binding, LinkProof
from p4.core.session.frames import Bind, encode
from p4.core.signaling import (
    WARM,
    Announcement,
    Answer,
    Busy,
    Cancel,
    Offer,
    Ping,
    SignalingMessage,
    parse_payload,
)
from p4.node.inbox import Message
from p4.ports import LinkEvent, SignalStream
from p4.testing import Conditions, SimulatedNetwork

__all__ = [
    "ANNOUNCEMENT",
    "HIGHER",
    "LOWER",
    "QUICK",
    "Puppet",
    "id_of",
    "linked",
    "received",
    "start",
    "until",
]

QUICK = Conditions(
    latency=(0.01, 0.01),
    dial=(0.05, 0.05),
    publish=(0.0, 0.0),
    link_latency=(0.005, 0.005),
    link_gathering=(0.001, 0.001),
    link_setup=(0.02, 0.02),
    dead_dial_hangs=0.0,
)
ANNOUNCEMENT = Announcement.ours(frozenset({WARM}), "00" * 8, "11" * 16)


def id_of(name: str) -> PeerId:
    return identity_of(name).peer_id


NAMES = "alice", "bob", "carol", "mallory"
LOWER, HIGHER = sorted(("alice", "bob"), key=id_of)


async def start(network: SimulatedNetwork, name: str, *contacts: str) -> SimulatedNode:
    node = SimulatedNode(network.host(name), book_for(network, name, list(contacts)))
    await network.host(name).run(node.start())
    return node


async def linked(network: SimulatedNetwork) -> tuple[SimulatedNode, SimulatedNode]:
    """Two nodes with a link: the one with the lower id first."""
    lower, higher = await asyncio.gather(start(network, LOWER, HIGHER), start(network, HIGHER, LOWER))
    async with asyncio.timeout(30):
        await lower.peers()[0].wait_connected()
        await higher.peers()[0].wait_connected()
    return lower, higher


async def until(condition: Callable[[], bool], *, seconds: float = 30.0) -> float:
    """Wait (virtual time) until something is so; gives the seconds it took."""
    began = asyncio.get_running_loop().time()
    while not condition():
        assert asyncio.get_running_loop().time() < began + seconds, "it never came to be"
        await asyncio.sleep(0.01)
    return asyncio.get_running_loop().time() - began


async def received(
    node: SimulatedNode, count: int, *, service: str = "chat", seconds: float = 60.0
) -> list[object]:
    """Wait for so many messages, say that they are done, and give their values."""
    messages = node.messages(service)
    found: list[Message] = []
    async with asyncio.timeout(seconds):
        while len(found) < count:
            found.append(await anext(messages))
        await asyncio.gather(*(message.done() for message in found))
    return [message.value for message in found]


class Puppet:
    """A device whose lines the test chooses. A contact of the node if the node has it in its book."""

    def __init__(self, network: SimulatedNetwork, name: str) -> None:
        self.network = network
        self.name = name
        self.host = network.host(name)
        self.identity = identity_of(name)
        self.rendezvous = self.host.rendezvous()
        self.inbound: asyncio.Queue[SignalStream] = asyncio.Queue()
        self.link_events: list[LinkEvent] = []
        self.link = self.host.links().create(IceSettings(), self.link_events.append)
        self.sealed: list[bool] = []
        """Whether each signed line that `reply` gave was sealed."""
        self._nonces = 0

    async def start(self) -> Puppet:
        await self.rendezvous.start(self._accept, lambda status: None)
        return self

    async def _accept(self, stream: SignalStream) -> None:
        self.inbound.put_nowait(stream)
        await asyncio.get_running_loop().create_future()

    async def dial(self, name: str) -> SignalStream:
        return await self.rendezvous.dial(self.network.host(name).address(), timeout=20)

    def seal(
        self,
        recipient: str,
        message: SignalingMessage,
        *,
        as_name: str | None = None,
        sealed: bool | None = None,
    ) -> bytes:
        """A fresh signed line; ``as_name`` claims another sender (with a signature that is not its own).

        Unless told otherwise it is sealed where version 2 always seals.
        """
        self._nonces += 1
        payload = message.to_payload()
        if sealed is None:
            sealed = isinstance(message, Busy | Cancel)
            sealed = sealed or (isinstance(message, Answer) and message.p4 is not None)
        if sealed:
            keys = self.identity.public_key, identity_of(recipient).public_key
            payload = seal_payload(payload, sender_key=keys[0], recipient_key=keys[1])
        line = envelope.seal(
            self.identity,
            id_of(recipient),
            payload,
            timestamp_ms=self.host.clock.wall_ms(),
            nonce=self._nonces.to_bytes(limits.NONCE_BYTES, "big"),
        )
        return line if as_name is None else line.replace(id_of(self.name).encode(), id_of(as_name).encode())

    async def offer(self, *, announcement: Announcement | None = ANNOUNCEMENT, sid: str = "o1") -> Offer:
        return Offer(sid, await self.link.offer("chat"), announcement)

    async def reply(self, stream: SignalStream) -> SignalingMessage | bytes | None:
        """The next line: a message if it is signed, else its bytes; None for the end."""
        line = await stream.receive_line()
        if line is None or b"signature_b64" not in line:
            return line
        return self.read(line)

    def read(self, line: bytes) -> SignalingMessage:
        """What a signed line says, also if it is sealed for us."""
        unverified = parse(line)
        payload = unverified.payload
        self.sealed.append(is_sealed(payload))
        if is_sealed(payload):
            sender = next(name for name in NAMES if id_of(name) == unverified.sender)
            key = identity_of(sender).public_key
            payload = open_payload(payload, sender_key=key, recipient=self.identity)
        return parse_payload(payload)

    def bind(self, name: str, offer: Offer, answer: Answer, *, offered: bool = True) -> None:
        """Prove to a node on channel ``p4`` who we are: its contact, by the offer and answer of this link."""
        ends = (id_of(self.name), id_of(name)) if offered else (id_of(name), id_of(self.name))
        assert offer.p4 is not None
        assert answer.p4 is not None
        binding = Binding(
            *ends,
            sdp_fingerprint(offer.sdp),
            sdp_fingerprint(answer.sdp),
            bytes.fromhex(offer.p4.nonce),
            bytes.fromhex(answer.p4.nonce),
            offer.session_id,
        )
        proof = LinkProof.make(self.identity, identity_of(name).public_key, binding)
        self.link.send("p4", encode(Bind(proof.signature)))

    async def ping(self, name: str, sid: str = "p1") -> SignalingMessage | bytes | None:
        """Dial, ping, and give what comes back."""
        stream = await self.dial(name)
        await stream.send_line(self.seal(name, Ping(sid)))
        return await self.reply(stream)
