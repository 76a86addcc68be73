"""Mutations of valid inputs: of bytes, and of the structure inside JSON."""

from __future__ import annotations

import json
import random
from typing import Any

TOKENS = (
    b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\n", b"\r", b"\0", b"\x1b[2J", b"\xff",
    b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"1e999", b"-", b"-0.0", b"NaN",
    b"null", b"true", b"9007199254740992", b"9" * 5000, b"[" * 2000, b'{"a":' * 2000, b"=", b"A" * 70,
    b"m=audio 9 X 1\n", b"v=0\n", b"a=ice-ufrag:", b"a=fingerprint:sha-256 ", b"\xe2\x80\xa8", b"\xc2\x85",
)  # fmt: skip

STRANGE: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 0.5, 2**53 - 1, 2**53, "", "x" * 70, "\x00", "é", "0" * 24, [], {}, [[]],
    [1] * 40, {"v": 2}, "offer", "onion", "direct", 80.0, "80",
)  # fmt: skip

LONGEST = 70_000


def mutated(seed: bytes, choice: random.Random) -> bytes:
    """The seed after a few random changes."""
    data = seed
    if choice.random() < 0.4:
        data = _structure(data, choice)
    for _ in range(choice.choice((0, 1, 1, 2, 3, 8))):
        data = _bytes(data, choice)
    return data[:LONGEST]


def _bytes(data: bytes, choice: random.Random) -> bytes:
    start = choice.randint(0, len(data))
    end = min(len(data), start + choice.choice((0, 1, 1, 2, 5, 50)))
    middle = choice.choice(
        (
            b"",
            choice.randbytes(choice.randint(1, 4)),
            choice.choice(TOKENS),
            data[start:end] * choice.choice((2, 3, 500)),
            bytes((data[start] ^ 1 << choice.randrange(8),)) if start < len(data) else b"",
        )
    )
    return data[:start] + middle + data[end:]


def _structure(data: bytes, choice: random.Random) -> bytes:
    """Replace, remove, add or double a value somewhere inside; what is no JSON stays as it is."""
    try:
        value = json.loads(data)
        places = _containers(value)
    except (ValueError, RecursionError):
        return data
    if not places:
        return data
    place = choice.choice(places)
    strange = choice.choice(STRANGE)
    if isinstance(place, dict):
        name = choice.choice([*place, "p4", "ok", "name"])
        if choice.random() < 0.3:
            place.pop(name, None)
        else:
            place[name] = strange
    else:
        place.insert(choice.randint(0, len(place)), choice.choice([strange, *place]))
    return json.dumps(value, ensure_ascii=choice.random() < 0.5).encode("utf-8", "surrogatepass")


def _containers(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [value, *(inner for child in value.values() for inner in _containers(child))]
    if isinstance(value, list):
        return [value, *(inner for child in value for inner in _containers(child))]
    return []
