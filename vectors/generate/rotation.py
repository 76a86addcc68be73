"""Statements by which a device takes a new key (spec/rotation.md)."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator

from vectors.generate.common import ALICE, BOB, NOW_MS, Person, Vector, b64
from vectors.generate.frames import bad, good, lengths

LABEL = b"P4 key rotation 1\0"
THIRD = Person(bytes(range(64, 96)))
SMALL_ORDER = bytes(32)


def fields(old: bytes, new: bytes, made_ms: int = NOW_MS) -> bytes:
    return struct.pack(">32s32sQ", old, new, made_ms)


def signed(content: bytes, old: Person, new: Person, label: bytes = LABEL) -> bytes:
    signatures = (base64.b64decode(signer.sign(label + content)) for signer in (old, new))
    return content + b"".join(signatures)


def vectors() -> Iterator[Vector]:
    content = fields(ALICE.public_key, BOB.public_key)
    statement = signed(content, ALICE, BOB)
    value = {
        "old_key_b64": ALICE.public_key_b64,
        "new_key_b64": BOB.public_key_b64,
        "made_ms": NOW_MS,
    }
    yield _statement("statement_ok", "signed by the old key and the new one", statement, value=value)
    latest = fields(ALICE.public_key, BOB.public_key, 2**53 - 1)
    yield _statement(
        "statement_ok_latest",
        "the largest time",
        signed(latest, ALICE, BOB),
        value={**value, "made_ms": 2**53 - 1},
    )
    yield _statement("statement_short", "one byte too few", statement[:-1], "bad-length")
    yield _statement("statement_long", "one byte too many", statement + b"\0", "bad-length")
    yield _statement("statement_empty", "nothing", b"", "bad-length")
    same = signed(fields(ALICE.public_key, ALICE.public_key), ALICE, ALICE)
    yield _statement("statement_same_key", "the new key is the old one", same, "bad-key")
    weak = signed(fields(ALICE.public_key, SMALL_ORDER), ALICE, BOB)
    yield _statement("statement_weak_key", "anybody can sign for the new key", weak, "bad-key")
    weak = signed(fields(SMALL_ORDER, BOB.public_key), ALICE, BOB)
    yield _statement("statement_weak_old_key", "anybody can sign for the old key", weak, "bad-key")
    late = signed(fields(ALICE.public_key, BOB.public_key, 2**53), ALICE, BOB)
    yield _statement("statement_time", "the time is out of range", late, "bad-time")
    for name, comment, forged in (
        ("by_old_only", "the old key signed twice", signed(content, ALICE, ALICE)),
        ("by_new_only", "the new key signed twice", signed(content, BOB, BOB)),
        ("swapped", "the signatures are in the other order", signed(content, BOB, ALICE)),
        ("other_label", "signed for another purpose", signed(content, ALICE, BOB, b"P4 key rotation 2\0")),
        ("no_label", "signed without the label", signed(content, ALICE, BOB, b"")),
        ("other_time", "the time was changed afterwards", latest + statement[72:]),
        (
            "other_new_key",
            "the new key was changed afterwards",
            fields(ALICE.public_key, THIRD.public_key) + statement[72:],
        ),
        (
            "other_old_key",
            "the old key was changed afterwards",
            fields(THIRD.public_key, BOB.public_key) + statement[72:],
        ),
    ):
        yield _statement(f"statement_{name}", comment, forged, "bad-signature")

    yield good("rotate_ok", "a statement", b"\x17" + statement, "ROTATE", statement=statement)
    yield from lengths("rotate", b"\x17" + statement)
    for outcome, meaning in enumerate(("taken", "conflict", "refused")):
        data = b"\x18" + BOB.public_key + bytes((outcome,))
        key = BOB.public_key
        yield good(
            f"rotated_ok_{meaning}", "what became of it", data, "ROTATED", new_key=key, outcome=outcome
        )
    yield bad("rotated_outcome", "no such outcome", b"\x18" + BOB.public_key + b"\x03", "bad-number")
    yield from lengths("rotated", b"\x18" + BOB.public_key + b"\x00")


def _statement(
    name: str, comment: str, data: bytes, code: str = "ok", value: dict[str, object] | None = None
) -> Vector:
    return Vector(
        "rotation", name, comment, "statement", {"statement_b64": b64(data)}, "rotation", code, value
    )
