"""Somebody who goes to places of pairing on the simulated network and says what a test wants."""

from __future__ import annotations

from p4.core.identity import Identity
from p4.core.invite import Invite
from p4.core.pairing.card import Card
from p4.core.pairing.exchange import GuestExchange
from p4.core.pairing.link import PairingLink, is_link
from p4.core.pairing.secrets import PairingSecret
from p4.ports import SignalStream
from p4.ports.pairing import MeetingKind
from p4.testing import SimulatedNetwork, simulated_identity

__all__ = ["Visitor", "secret_of"]


def secret_of(text: str) -> PairingSecret:
    """What the two sides of an invite derive everything from."""
    if is_link(text):
        link = PairingLink.parse(text)
        return PairingSecret.of_link(link.secret, link.host_key)
    return PairingSecret.of_words(text.split())


class Visitor:
    """Anybody on the network, who may know everything or nothing.

    Args:
        name: of its host.
        secret: leads it to the places.
    """

    def __init__(self, network: SimulatedNetwork, name: str, secret: PairingSecret) -> None:
        self.host = network.host(name)
        self.identity: Identity = simulated_identity(name)
        self.secret = secret
        self.card = Card(Invite(self.identity.public_key, self.host.address()), name, None, ("streams",))
        self._places = {places.kind: places for places in self.host.pairing().places}

    async def enter(self, kind: MeetingKind = MeetingKind.ONION) -> SignalStream:
        """A stream to the host."""
        return await self._places[kind].visit(self.secret.place_seed(kind), timeout=30)

    def exchange(self, secret: PairingSecret | None = None) -> GuestExchange:
        """A guest's side, honest but for the secret."""
        return GuestExchange(secret or self.secret, self.identity, self.card, self.host.entropy.token)

    async def try_once(self, secret: PairingSecret, kind: MeetingKind = MeetingKind.ONION) -> bytes:
        """Go through lines 1 to 3 with this secret; what the host said last."""
        stream = await self.enter(kind)
        exchange = self.exchange(secret)
        try:
            await stream.send_line(exchange.hello())
            answer = await stream.receive_line() or b""
            if b"refused" in answer or not answer:
                return answer
            exchange.take_pake(answer)
            await stream.send_line(exchange.proof())
            return await stream.receive_line() or b""
        finally:
            stream.close()
