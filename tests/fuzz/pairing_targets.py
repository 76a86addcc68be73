"""The parsers of pairing, for those who fuzz them: links, words, cards, lines, the file of invites."""

from __future__ import annotations

from tests.fuzz.target import Target
from vectors.generate.common import ALICE, BOB
from vectors.generate.invite import onion

from p4.core.address import RendezvousAddress, Transport
from p4.core.canonical import parse_object
from p4.core.gate import gate_public_key
from p4.core.identity import Identity
from p4.core.invite import Invite
from p4.core.pairing.card import Card, CardGate
from p4.core.pairing.exchange import GuestExchange, HostExchange, read_hello
from p4.core.pairing.link import PairingLink
from p4.core.pairing.open_invite import InviteKind, OpenInvite, parse_invites, serialise_invites
from p4.core.pairing.secrets import PairingSecret
from p4.errors import InputError, InviteError, PairingError, SignalingError
from p4.node.pairing.parts import english_words


def pairing_link(data: bytes) -> None:
    read = PairingLink.parse(data.decode("utf-8", "surrogateescape"))
    assert PairingLink.parse(read.to_text().upper()) == read


def pairing_words(data: bytes) -> None:
    words = english_words().parse(data.decode("utf-8", "surrogateescape"))
    assert english_words().parse(" ".join(words)) == words


def pairing_card(data: bytes) -> None:
    read = Card.parse(data)
    assert Card.parse(read.to_bytes()) == read


def pairing_invites(data: bytes) -> None:
    read = parse_invites(data)
    assert parse_invites(serialise_invites(read)) == read


def pairing_guest() -> GuestExchange:
    return GuestExchange(PAIRING, Identity(BOB.seed), card_of(BOB.public_key), lambda n: bytes(range(n)))


def pairing_host(hello: bytes) -> HostExchange:
    card, first = card_of(ALICE.public_key), read_hello(hello)
    return HostExchange(PAIRING, Identity(ALICE.seed), card, first, lambda n: bytes([7]) * n)


def pairing_for_guest(data: bytes) -> None:
    """As line 2; what has none of its keys, as line 4."""
    parse_object(data, SignalingError)  # or it would be refused below, at the cost of half a PAKE
    guest = pairing_guest()
    guest.take_pake(data if b"pake" in data else PAIRING_LINES[1])
    if b"pake" not in data:
        # Nobody but the host can have proved itself, and the seed is all that it said.
        assert guest.take_proof(data) == card_of(ALICE.public_key)


def pairing_for_host(data: bytes) -> None:
    """As line 1, 3 or 5, by its keys."""
    parse_object(data, SignalingError)
    host = pairing_host(data if b"pake" in data else PAIRING_LINES[0])
    proof = data if b"pake" not in data and b"done" not in data else PAIRING_LINES[2]
    if b"pake" not in data:
        assert host.take_proof(proof) == card_of(BOB.public_key)
    if b"done" in data:
        host.take_done(data)


PAIRING = PairingSecret.of_link(bytes(16), ALICE.public_key)
ENDPOINT = RendezvousAddress(Transport.DIRECT, "192.0.2.1", 4433)
LINKS = [PairingLink(bytes(16), ALICE.public_key, 1_800_000_000, at).to_text() for at in (None, ENDPOINT)]
OPEN_INVITE = OpenInvite("0" * 16, InviteKind.LINK, LINKS[0], 1, 2, "phone", claimed_by=BOB.public_key)


def card_of(key: bytes) -> Card:
    gate = CardGate(gate_public_key(bytes(32)), RendezvousAddress(Transport.ONION, onion(key), 80))
    return Card(Invite(key, ENDPOINT), "küche", gate, ("warm", "grease-0"))


def pairing_lines() -> tuple[bytes, ...]:
    guest = pairing_guest()
    host = pairing_host(hello := guest.hello())
    guest.take_pake(pake := host.answer())
    host.take_proof(proof := guest.proof())
    guest.take_proof(answer := host.proof())
    return hello, pake, proof, answer, guest.done()


PAIRING_LINES = pairing_lines()

PAIRING_TARGETS = {
    "pairing_link": Target(pairing_link, (InviteError,), tuple(link.encode() for link in LINKS)),
    "pairing_words": Target(
        pairing_words, (InviteError,), (b"tiger wolf", b"LEGA-winn, thank year wave zoo zoo abandon")
    ),
    "pairing_card": Target(pairing_card, (SignalingError,), (card_of(ALICE.public_key).to_bytes(),)),
    "pairing_invites": Target(pairing_invites, (InputError,), (serialise_invites([OPEN_INVITE]),)),
    "pairing_for_guest": Target(pairing_for_guest, (SignalingError, PairingError), PAIRING_LINES[1::2], 100),
    "pairing_for_host": Target(pairing_for_host, (SignalingError, PairingError), PAIRING_LINES[::2], 100),
}
