"""Pairing (spec/pairing.md): links, words and what is derived from them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from mnemonic import Mnemonic
from vectors.generate.common import ALICE, Vector
from vectors.generate.lan import hkdf

EXPIRES = 1_800_000_000
SECRET = bytes(range(100, 116))
WORDS = "abandon zoo legal winner thank year wave sausage"
LOCAL_WORDS = "tiger maple"
LIST = Mnemonic("english").wordlist
KINDS = ("onion", "lan", "direct")


# --- links -------------------------------------------------------------------------------------------------


def body(kind: int = 0, address: bytes = b"", version: int = 1, key: bytes = ALICE.public_key) -> bytes:
    return bytes([version, kind]) + EXPIRES.to_bytes(4, "big") + SECRET + key + address


def link_of(content: bytes, checksum: bytes | None = None) -> str:
    end = hashlib.sha256(b"P4 link 1\0" + content).digest()[:4] if checksum is None else checksum
    return "p4:" + base64.b32encode(content + end).decode().rstrip("=").lower()


LINK = link_of(body())
PORT = (4433).to_bytes(2, "big")
IPV4 = bytes([192, 0, 2, 7]) + PORT
IPV6 = bytes.fromhex("20010db8") + bytes(11) + b"\x07" + PORT
NAME = bytes([12]) + b"home.example" + PORT


def _link(name: str, comment: str, text: str, code: str = "ok", address: str | None = None) -> Vector:
    value = {
        "secret_hex": SECRET.hex(),
        "host_key_b64": ALICE.public_key_b64,
        "expires_at": EXPIRES,
        "address": address and {"host": address, "port": 4433},
    }
    return Vector("pairing", f"link_{name}", comment, "link", {"text": text}, "link", code, value)


def _links() -> Iterator[Vector]:
    half = len(LINK) // 2
    yield _link("plain", "no address", LINK)
    yield _link("upper", "the form of a QR code is the same link", LINK.upper())
    yield _link("wrapped", "white space is dropped", f"  {LINK[:half]}\n {LINK[half:]}\r\n")
    yield _link("ipv4", "an IPv4 address", link_of(body(4, IPV4)), address="192.0.2.7")
    yield _link("ipv6", "an IPv6 address", link_of(body(6, IPV6)), address="2001:db8::7")
    yield _link("name", "a host name", link_of(body(1, NAME)), address="home.example")
    wrong = "q" if LINK[40] != "q" else "r"
    for name, comment, text, code in (
        ("too_long", "more than 1024 characters", LINK + " " * 1024, "too-large"),
        ("no_prefix", "something else", LINK[3:], "not-a-link"),
        ("digit", "a digit that base32 does not have", LINK[:20] + "0" + LINK[21:], "bad-character"),
        ("padded", "padding is not written", LINK + "=", "bad-character"),
        ("odd_length", "a length that base32 does not have", "p4:" + "a" * 9, "bad-link"),
        ("empty", "nothing behind the beginning", "p4:", "bad-link"),
        ("mistyped", "one letter is another", LINK[:40] + wrong + LINK[41:], "mistyped"),
        ("cut", "the end is missing", LINK[:-8], "bad-link"),
        ("version_2", "another version", link_of(body(version=2)), "wrong-version"),
        ("short", "a right checksum over too little", link_of(body()[:20]), "bad-link"),
        ("long", "bytes too many", link_of(body() + b"\0"), "bad-link"),
        ("kind_2", "an unknown kind of address", link_of(body(2, IPV4)), "bad-link"),
        ("address_cut", "an address that is too short", link_of(body(4, IPV4[1:])), "bad-link"),
        ("weak_key", "a key that proves nothing", link_of(body(key=bytes([1]) + bytes(31))), "bad-key"),
        ("port_0", "a port that cannot be", link_of(body(4, IPV4[:4] + b"\0\0")), "bad-port"),
        (
            "bad_name",
            "a host name that is none",
            link_of(body(1, bytes([4]) + b"a..b" + PORT)),
            "bad-address",
        ),
    ):
        yield _link(name, comment, text, code)
    last = "abcdefghijklmnopqrstuvwxyz234567".index(LINK[-1])
    bits = LINK[:-1] + "abcdefghijklmnopqrstuvwxyz234567"[last | 1]
    yield _link("unused_bits", "bits that mean nothing are set", bits, "bad-link")


# --- words and derivations ---------------------------------------------------------------------------------


def _words() -> Iterator[Vector]:
    def vector(name: str, comment: str, text: str, code: str = "ok", words: str = WORDS) -> Vector:
        value = {"words": words.split()}
        return Vector("pairing", f"words_{name}", comment, "words", {"text": text}, "words", code, value)

    yield vector("whole", "eight words", WORDS)
    yield vector("case", "case means nothing", WORDS.title())
    short = " ".join(word[:4] for word in WORDS.split())
    yield vector("short", "four letters name a word", short)
    yield vector("separators", "commas, hyphens and lines separate", WORDS.replace(" ", ",-\n"))
    yield vector("local", "two words", "tiger, map-le".replace("map-le", "mapl"), words=LOCAL_WORDS)
    yield vector(
        "three_letters",
        "three letters name only words of three",
        short.replace("saus", "sau"),
        "unknown-word",
    )
    yield vector(
        "wrong_end", "a right beginning and a wrong end", WORDS.replace("legal", "legall"), "unknown-word"
    )
    yield vector("seven", "a word is missing", WORDS.removesuffix(" sausage"), "word-count")
    yield vector("none", "no word at all", " , ", "word-count")


@dataclass(frozen=True)
class Secret:
    place: bytes
    proof: bytes
    host_key: bytes = b""

    @property
    def tag(self) -> bytes:
        return hkdf(self.place, b"", b"P4 pairing tag 1\0", 16)

    @property
    def password(self) -> bytes:
        return hkdf(self.proof, b"", b"P4 pairing password 1\0", 32)


def secret_of(text: str) -> Secret:
    if text.startswith("p4:"):
        return Secret(SECRET, SECRET, ALICE.public_key)
    words = text.split()
    if len(words) == 2:
        shelf = hashlib.sha256(text.encode()).digest()[0] & 15
        return Secret(b"P4 pairing shelf 1\0" + bytes([shelf]), text.encode())
    leading = " ".join(words[:5]).encode()
    place = hashlib.scrypt(leading, salt=b"P4 pairing words 1\0", n=65536, r=8, p=1, maxmem=2**27, dklen=32)
    return Secret(place, place + " ".join(words[5:]).encode())


def _derived() -> Iterator[Vector]:
    for name, text in (("link", LINK), ("words", WORDS), ("local_words", LOCAL_WORDS)):
        secret = secret_of(text)
        seeds = {
            kind: hkdf(secret.place, b"", b"P4 pairing place 1\0" + kind.encode(), 32).hex() for kind in KINDS
        }
        value = {"tag_hex": secret.tag.hex(), "password_hex": secret.password.hex(), "place_seeds_hex": seeds}
        comment = "what everything begins with"
        yield Vector("pairing", f"derive_{name}", comment, "derive", {"text": text}, "derive", value=value)


def vectors() -> Iterator[Vector]:
    yield from _links()
    yield from _words()
    yield from _derived()
