"""How the vectors of pairing are run against our core."""

from __future__ import annotations

from functools import cache
from typing import Any

from vectors.generate.invite import onion

from p4.core.address import RendezvousAddress, Transport
from p4.core.identity import Identity, decode_key, encode_key
from p4.core.invite import Invite
from p4.core.pairing.card import Card
from p4.core.pairing.exchange import GuestExchange, HostExchange, read_hello
from p4.core.pairing.link import PairingLink, is_link
from p4.core.pairing.secrets import PairingSecret
from p4.errors import P4Error
from p4.node.pairing.parts import english_words

Outcome = tuple[str, str, Any]  # layer, code, value


def pairing_link(given: dict[str, Any]) -> Outcome:
    try:
        link = PairingLink.parse(given["text"])
    except P4Error as error:
        return "link", error.code, None
    address = link.address
    value = {
        "secret_hex": link.secret.hex(),
        "host_key_b64": encode_key(link.host_key),
        "expires_at": link.expires_at,
        "address": address and {"host": address.host, "port": address.port},
    }
    again = PairingLink(link.secret, link.host_key, link.expires_at, link.address).to_text()
    assert again == "".join(given["text"].split()).lower()
    return "link", "ok", value


def pairing_words(given: dict[str, Any]) -> Outcome:
    try:
        words = english_words().parse(given["text"])
    except P4Error as error:
        return "words", error.code, None
    return "words", "ok", {"words": list(words)}


@cache
def secret_of(text: str) -> PairingSecret:
    if is_link(text):
        link = PairingLink.parse(text)
        return PairingSecret.of_link(link.secret, link.host_key)
    return PairingSecret.of_words(text.split())


def pairing_derive(given: dict[str, Any]) -> Outcome:
    secret = secret_of(given["text"])
    seeds = {kind: secret.place_seed(kind).hex() for kind in ("onion", "lan", "direct")}
    value = {"tag_hex": secret.tag.hex(), "password_hex": secret.password.hex(), "place_seeds_hex": seeds}
    return "derive", "ok", value


def pairing_exchange(given: dict[str, Any]) -> Outcome:
    run = {"guest": _guest, "host": _host}[given["side"]]
    try:
        sends, card = run(given, [line.encode() for line in given["receives"]])
    except P4Error as error:
        return "exchange", error.code, None
    learnt: dict[str, Any] = {
        "key": encode_key(card.invite.public_key),
        "rendezvous": card.invite.to_object()["rendezvous"],
        "name": card.name,
        "caps": list(card.capabilities),
    }
    if card.gate is not None:
        at = card.gate.address
        gate = {"key": encode_key(card.gate.key), "address": at.host, "port": at.port}
        learnt |= {"gate": gate, "later": 1}
    return "exchange", "ok", {"sends": [line.decode() for line in sends], "card": learnt}


def _guest(given: dict[str, Any], lines: list[bytes]) -> tuple[list[bytes], Card]:
    exchange = GuestExchange(secret_of(given["text"]), *_ours(given))
    sends = [exchange.hello()]
    exchange.take_pake(lines[0])
    sends.append(exchange.proof())
    card = exchange.take_proof(lines[1])
    return [*sends, exchange.done()], card


def _host(given: dict[str, Any], lines: list[bytes]) -> tuple[list[bytes], Card]:
    hello = read_hello(lines[0])
    identity, card, random = _ours(given)
    exchange = HostExchange(secret_of(given["text"]), identity, card, hello, random)
    sends = [exchange.answer()]
    learnt = exchange.take_proof(lines[1])
    sends.append(exchange.proof())
    exchange.take_done(lines[2])
    return sends, learnt


def _ours(given: dict[str, Any]) -> tuple[Identity, Card, Any]:
    identity = Identity(decode_key(given["seed_b64"]))
    address = RendezvousAddress(Transport.ONION, onion(identity.public_key), 80)
    card = Card(Invite(identity.public_key, address), given["name"], None, ("streams", "warm"))
    random = bytes.fromhex(given["random_hex"])
    return identity, card, lambda count: random[:count]
