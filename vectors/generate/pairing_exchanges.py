"""Exchanges of pairing, seen from either side (spec/pairing.md, Exchange).

SPAKE2 is the published library; everything around it is written out here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from spake2 import SPAKE2_A, SPAKE2_B
from vectors.generate.common import ALICE, BOB, CAROL, Person, Vector, b64, canonical
from vectors.generate.invite import onion
from vectors.generate.lan import hkdf
from vectors.generate.pairing import LINK, LOCAL_WORDS, WORDS, secret_of


def card(person: Person, name: str, **changes: Any) -> dict[str, Any]:
    address = {"transport": "onion", "address": onion(person.public_key), "port": 80}
    return {
        "key": person.public_key_b64,
        "rendezvous": address,
        "name": name,
        "caps": ["streams", "warm"],
        **changes,
    }


def line(**fields: Any) -> str:
    return json.dumps(fields, separators=(",", ":"))


class Exchange:
    """Both sides at once: alice is the host, bob the guest."""

    def __init__(
        self,
        text: str = LINK,
        *,
        host: Person = ALICE,
        host_card: dict[str, Any] | None = None,
        guest_card: dict[str, Any] | None = None,
        guest_text: str = "",
        signed_by: Person | None = None,
        swapped: bool = False,
    ) -> None:
        secret, guest_secret = secret_of(text), secret_of(guest_text or text)
        names = b"P4 pairing host 1\0" + secret.host_key, b"P4 pairing guest 1\0"
        self.random = {"host": bytes(range(64)), "guest": bytes(range(64, 128))}
        a = SPAKE2_A(secret.password, *names, entropy_f=lambda count: self.random["host"][:count])
        b = SPAKE2_B(guest_secret.password, *names, entropy_f=lambda count: self.random["guest"][:count])
        from_host, from_guest = a.start(), b.start()
        shared = {"host": a.finish(from_guest), "guest": b.finish(from_host)}
        self.t = hashlib.sha256(
            b"P4 pairing transcript 1\0" + secret.tag + from_guest[1:] + from_host[1:]
        ).digest()
        self.shared = shared
        first = line(pairing=1, tag=b64(guest_secret.tag), pake=b64(from_guest[1:]))
        second = line(pairing=1, pake=b64(from_host[1:]))
        known = secret.host_key or bytes(32)
        self.host_card = host_card or card(host, "desk")
        self.guest_card = guest_card or card(BOB, "phone")
        third = self.proof("guest", self.guest_card, signed_by or BOB, b"\1" + self.t + known)
        role = b"\1" if swapped else b"\0"
        fourth = self.proof("host", self.host_card, host, role + self.t + BOB.public_key)
        fifth = line(done=b64(hmac.digest(self.key("guest", "done"), self.t, "sha256")))
        self.lines = [first, second, third, fourth, fifth]

    def key(self, side: str, use: str) -> bytes:
        return hkdf(self.shared[side], self.t, b"P4 pairing " + use.encode() + b" 1\0", 32)

    def proof(self, side: str, content: dict[str, Any], signer: Person, about: bytes) -> str:
        text = canonical(content)
        signed = base64.b64decode(signer.sign(b"P4 pairing card 1\0" + about + text)) + text
        sealed = ChaCha20Poly1305(self.key(side, f"{side} card")).encrypt(bytes(12), signed, self.t)
        proof = hmac.digest(self.key(side, f"{side} proof"), self.t, "sha256")
        return line(proof=b64(proof), card=b64(sealed))


def _guest(
    name: str, comment: str, text: str, exchange: Exchange, received: list[str], code: str = "ok"
) -> Vector:
    sends = exchange.lines[0::2] if code == "ok" else []
    return _exchange("guest", name, comment, text, exchange, received, sends, exchange.host_card, code)


def _host(
    name: str, comment: str, text: str, exchange: Exchange, received: list[str], code: str = "ok"
) -> Vector:
    sends = exchange.lines[1::2] if code == "ok" else []
    return _exchange("host", name, comment, text, exchange, received, sends, exchange.guest_card, code)


def _exchange(
    side: str,
    name: str,
    comment: str,
    text: str,
    exchange: Exchange,
    received: list[str],
    sends: list[str],
    learnt: dict[str, Any],
    code: str,
) -> Vector:
    given = {
        "side": side,
        "text": text,
        "seed_b64": b64((ALICE if side == "host" else BOB).seed),
        "name": "desk" if side == "host" else "phone",
        "random_hex": exchange.random[side].hex(),
        "receives": received,
    }
    value = {"sends": sends, "card": learnt}
    return Vector("pairing", f"{side}_{name}", comment, "exchange", given, "exchange", code, value)


def _changed(text: str, key: str, position: int = 5) -> str:
    fields = json.loads(text)
    data = bytearray(base64.b64decode(fields[key]))
    data[position] ^= 1
    return line(**{**fields, key: b64(bytes(data))})


def vectors() -> Iterator[Vector]:
    for name, text in (("link", LINK), ("words", WORDS), ("local_words", LOCAL_WORDS)):
        whole = Exchange(text)
        yield _guest(name, "a whole exchange", text, whole, whole.lines[1::2])
        yield _host(name, "a whole exchange", text, whole, whole.lines[0::2])
    good = Exchange()
    gate = Exchange(
        guest_card=card(
            BOB,
            "phone",
            gate={"key": b64(bytes(range(1, 33))), "address": onion(CAROL.public_key), "port": 80},
            later=1,
        )
    )
    yield _host("gate", "a gate, and a key that is not known", LINK, gate, gate.lines[0::2])
    first, second, third, fourth, fifth = good.lines
    wrong = Exchange(LOCAL_WORDS, guest_text="tiger wolf")
    carol = Exchange(host=CAROL)
    swapped = Exchange(swapped=True)
    for name, comment, exchange, received, code in (
        ("refused", "the host refuses", good, [line(refused="used")], "used"),
        ("refused_oddly", "a refusal that nobody knows", good, [line(refused="because")], "not-possible"),
        ("version", "the host speaks another version", good, [line(pairing=2, pake="")], "version"),
        (
            "reflected",
            "our own element comes back",
            good,
            [line(pairing=1, pake=json.loads(first)["pake"])],
            "bad-pake",
        ),
        ("reflected_proof", "our own proof comes back", good, [second, third], "wrong"),
        (
            "zero",
            "the element is the neutral one",
            good,
            [line(pairing=1, pake=b64(b"\1" + bytes(31)))],
            "bad-pake",
        ),
        (
            "zero_with_sign",
            "the neutral element, with the bit of a negative x",
            good,
            [line(pairing=1, pake=b64(b"\1" + bytes(30) + b"\x80"))],
            "bad-pake",
        ),
        (
            "zero_not_canonical",
            "the neutral element, with y not below the field's prime",
            good,
            [line(pairing=1, pake=b64((2**255 - 18).to_bytes(32, "little")))],
            "bad-pake",
        ),
        (
            "no_point",
            "the element is no point",
            good,
            [line(pairing=1, pake=b64(b"\2" + bytes(31)))],
            "bad-pake",
        ),
        (
            "short_pake",
            "the element is too short",
            good,
            [line(pairing=1, pake=b64(bytes(31)))],
            "bad-pairing",
        ),
        (
            "proof_changed",
            "the proof is changed on its way",
            good,
            [second, _changed(fourth, "proof")],
            "wrong",
        ),
        (
            "card_changed",
            "the card is changed on its way",
            good,
            [second, _changed(fourth, "card", 80)],
            "bad-card",
        ),
        ("impostor", "somebody who knows the link poses as the host", carol, carol.lines[1::2], "impostor"),
        ("other_role", "the card was signed as a guest's", swapped, swapped.lines[1::2], "bad-card"),
    ):
        yield _guest(name, comment, LINK, exchange, received, code)
    carols = Exchange(signed_by=CAROL)
    long = Exchange(guest_card=card(BOB, "x" * 9000))
    no_caps = Exchange(guest_card={**card(BOB, "phone"), "caps": "all"})
    for name, comment, text, exchange, received, code in (
        ("wrong_words", "one word is another", LOCAL_WORDS, wrong, wrong.lines[0::2], "wrong"),
        (
            "reflected",
            "our own element comes back",
            LINK,
            good,
            [_reflected(first, second), third],
            "bad-pake",
        ),
        ("tag_short", "the tag is too short", LINK, good, [_changed_tag(first)], "bad-pairing"),
        (
            "version",
            "the guest speaks another version",
            LINK,
            good,
            [first.replace(":1,", ":2,", 1)],
            "version",
        ),
        (
            "proof_changed",
            "the proof is changed on its way",
            LINK,
            good,
            [first, _changed(third, "proof")],
            "wrong",
        ),
        (
            "card_changed",
            "the card is changed on its way",
            LINK,
            good,
            [first, _changed(third, "card", 80)],
            "bad-card",
        ),
        ("replayed", "line 3 of another exchange", LINK, good, [first, Exchange(WORDS).lines[2]], "wrong"),
        (
            "stolen_key",
            "the card names a key that did not sign",
            LINK,
            carols,
            carols.lines[0::2],
            "bad-card",
        ),
        ("long_card", "a card of more than 8 KiB", LINK, long, long.lines[0::2], "bad-card"),
        ("bad_caps", "capabilities that are no array", LINK, no_caps, no_caps.lines[0::2], "bad-card"),
        (
            "done_changed",
            "the last line is another's",
            LINK,
            good,
            [first, third, _changed(fifth, "done")],
            "bad-pairing",
        ),
    ):
        yield _host(name, comment, text, exchange, received, code)


def _reflected(first: str, second: str) -> str:
    return line(**{**json.loads(first), "pake": json.loads(second)["pake"]})


def _changed_tag(first: str) -> str:
    return line(**{**json.loads(first), "tag": b64(bytes(15))})
