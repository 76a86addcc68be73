"""Port guessing: what is announced, the key and the packets (spec/punch.md)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator

from vectors.generate.common import Vector
from vectors.generate.signaling import SESSION

OFFER_NONCE, ANSWER_NONCE = "01" * 16, "02" * 16
NAMES = ("OPEN", "PROBE", "ANSWER", "CHOSEN", "HARD-KEEP", "EASY-KEEP")
FROM_EASY = {"PROBE", "CHOSEN", "EASY-KEEP"}
EASY = {"kind": "easy", "at": "203.0.113.7:40000"}
HARD = {"kind": "hard", "at": "198.51.100.9"}
OUTSIDE_EASY = {"kind": "easy", "at": "8.8.8.8:40000"}
OUTSIDE_HARD = {"kind": "hard", "at": "9.9.9.9"}


def key(session: str = SESSION, offer: str = OFFER_NONCE, answer: str = ANSWER_NONCE) -> bytes:
    secret = bytes.fromhex(offer) + bytes.fromhex(answer)
    return hmac.new(secret, b"P4 punch 1\0" + session.encode(), hashlib.sha256).digest()


def packet(name: str, secret: bytes) -> bytes:
    kind = bytes([NAMES.index(name) + 1])
    return b"\xf4" + kind + hmac.new(secret, b"P4 punch packet 1\0" + kind, hashlib.sha256).digest()[:16]


def vectors() -> Iterator[Vector]:
    yield _key("key", "the key of an attempt", SESSION)
    yield _key("key_longest_session_id", "64 characters", "~" * 64)
    for name in NAMES:
        yield _read(name.lower().replace("-", "_"), "as its side sends it", packet(name, key()), name)
    probe = packet("PROBE", key())
    yield _read("own_side", "a type of our own side, sent back", probe, None, "easy")
    other = key(offer=ANSWER_NONCE, answer=OFFER_NONCE)
    yield _read("other_key", "nonces the wrong way round", packet("PROBE", other), None, "easy")
    yield _read("other_type", "the tag of another type", probe[:1] + b"\x04" + probe[2:], None, "easy")
    yield _read("unknown_type", "type 7", probe[:1] + b"\x07" + probe[2:], None, "easy")
    yield _read("longer", "one byte more", probe + b"\0", None, "easy")
    yield _read("shorter", "one byte less", probe[:-1], None, "easy")
    yield _read("first_byte", "of something else", b"\xf5" + probe[1:], None, "easy")

    yield _role("role_easy", "we guess", OUTSIDE_EASY, OUTSIDE_HARD, "easy")
    yield _role("role_hard", "we open ports", OUTSIDE_HARD, OUTSIDE_EASY, "hard")
    yield _role("role_private_internet", "documentation addresses on both sides", EASY, HARD, "easy")
    refused: tuple[tuple[str, str, object, object], ...] = (
        ("both_easy", "ICE does that", OUTSIDE_EASY, {"kind": "easy", "at": "9.9.9.9:40000"}),
        ("both_hard", "two of them do not meet", OUTSIDE_HARD, {"kind": "hard", "at": "8.8.8.8"}),
        ("same_address", "behind one NAT", OUTSIDE_EASY, {"kind": "hard", "at": "8.8.8.8"}),
        ("private", "an address of a home network", OUTSIDE_EASY, {"kind": "hard", "at": "192.168.1.1"}),
        ("shared", "an address between a carrier's NATs", OUTSIDE_EASY, {"kind": "hard", "at": "100.64.0.1"}),
        ("loopback", "always refused", EASY, {"kind": "hard", "at": "127.0.0.1"}),
        ("link_local", "always refused", EASY, {"kind": "hard", "at": "169.254.1.1"}),
        ("multicast", "always refused", EASY, {"kind": "hard", "at": "224.0.0.1"}),
        ("reserved", "always refused", EASY, {"kind": "hard", "at": "240.0.0.1"}),
        ("no_port", "the easy side names one", OUTSIDE_HARD, {"kind": "easy", "at": "8.8.8.8"}),
        ("low_port", "below 1024", OUTSIDE_HARD, {"kind": "easy", "at": "8.8.8.8:1023"}),
        ("port_zeros", "another way to write it", OUTSIDE_HARD, {"kind": "easy", "at": "8.8.8.8:04000"}),
        ("a_port", "the hard side names none", OUTSIDE_EASY, {"kind": "hard", "at": "9.9.9.9:40000"}),
        ("ipv6", "IPv4 only", OUTSIDE_EASY, {"kind": "hard", "at": "2620:fe::fe"}),
        ("a_name", "no host name", OUTSIDE_EASY, {"kind": "hard", "at": "example.org"}),
        ("a_kind", "no such kind", OUTSIDE_EASY, {"kind": "medium", "at": "9.9.9.9"}),
        ("a_string", "no object", OUTSIDE_EASY, "hard 9.9.9.9"),
    )
    for name, comment, ours, theirs in refused:
        yield _role(f"no_role_{name}", comment, ours, theirs, None)


def _key(name: str, comment: str, session: str) -> Vector:
    given = {"offer_nonce_hex": OFFER_NONCE, "answer_nonce_hex": ANSWER_NONCE, "session_id": session}
    value = {
        "key_hex": key(session).hex(),
        "packets_hex": {each: packet(each, key(session)).hex() for each in NAMES},
    }
    return Vector("punch", name, comment, "key", given, "punch", "ok", value)


def _read(name: str, comment: str, data: bytes, read: str | None, receiver: str = "") -> Vector:
    receiver = receiver or ("hard" if read in FROM_EASY else "easy")
    given = {"key_hex": key().hex(), "receiver": receiver, "bytes": {"hex": data.hex()}}
    return Vector("punch", name, comment, "packet", given, "punch", "ok", {"packet": read})


def _role(name: str, comment: str, ours: object, theirs: object, role: str | None) -> Vector:
    given = {"ours": ours, "theirs": theirs}
    return Vector("punch", name, comment, "role", given, "punch", "ok", {"role": role})
