"""Comparison codes (spec/verification.md)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from vectors.generate.common import ALICE, BOB, Person, Vector

THIRD = Person(bytes(range(64, 96)))


def vectors() -> Iterator[Vector]:
    yield _code("code_ok", "two keys", ALICE, BOB)
    yield _code("code_swapped", "the same, from the other side", BOB, ALICE)
    yield _code("code_other", "another key", ALICE, THIRD)


def _code(name: str, comment: str, ours: Person, theirs: Person) -> Vector:
    keys = sorted((ours.public_key, theirs.public_key))
    digest = hashlib.scrypt(
        b"".join(keys), salt=b"P4 comparison code 1\0", n=32768, r=8, p=1, maxmem=2**26, dklen=9
    )
    bits = f"{int.from_bytes(digest, 'big'):072b}"
    indices = [int(bits[first : first + 11], 2) for first in range(0, 66, 11)]
    given = {"ours_b64": ours.public_key_b64, "theirs_b64": theirs.public_key_b64}
    return Vector("verification", name, comment, "code", given, "verification", value={"indices": indices})
