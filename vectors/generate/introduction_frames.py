"""Frames of introductions (spec/introduction.md)."""

from __future__ import annotations

from collections.abc import Iterator

from vectors.generate.common import ALICE, Vector, raw, shown
from vectors.generate.frames import bad, good, lengths

STREAM = b"\x00\x00\x00\x09"
LONGEST = 32_768


def vectors() -> Iterator[Vector]:
    encoded = ALICE.peer_id.encode()
    asking = b"\x09" + STREAM + encoded
    yield good("introduce_ok", "whom to reach", asking, "INTRODUCE", stream=9, peer_id=ALICE.peer_id)
    largest = b"\x09" + b"\xff" * 4 + encoded
    yield good(
        "introduce_ok_largest",
        "the last number",
        largest,
        "INTRODUCE",
        stream=2**32 - 1,
        peer_id=ALICE.peer_id,
    )
    yield from lengths("introduce", asking)
    for name, peer_id in {
        "upper_case": encoded[:-1] + b"A",
        "not_hex": encoded[:-1] + b"g",
        "not_ascii": encoded[:-2] + "é".encode(),
        "newline": encoded[:-1] + b"\n",
        "zeros": bytes(24),
    }.items():
        yield bad(f"introduce_id_{name}", "no peer id", b"\x09" + STREAM + peer_id, "bad-id")

    line = b'{"veiled": "AA=="}'
    yield good("convey_ok", "a line", b"\x0a" + STREAM + line, "CONVEY", stream=9, line=line)
    yield good("convey_ok_shortest", "one byte", b"\x0a" + STREAM + b"x", "CONVEY", stream=9, line=b"x")
    longest = {"frame": "CONVEY", "stream": 9, "line": shown(b"", LONGEST)}
    given = {"bytes": raw(b"\x0a" + STREAM, LONGEST)}
    yield Vector("frame", "convey_ok_longest", "the longest line", "decode", given, "frame", value=longest)
    yield bad("convey_long", "one byte too long", b"\x0a" + STREAM, "bad-length", zeros=LONGEST + 1)
    yield bad("convey_empty", "no line", b"\x0a" + STREAM, "bad-length")
    yield bad("convey_cut", "ends in the number", b"\x0a" + STREAM[:-1], "bad-length")

    for reason, meaning in enumerate(("over", "refused", "not_linked")):
        data = b"\x0b" + STREAM + bytes((reason,))
        yield good(f"cease_ok_{meaning}", "why it ends", data, "CEASE", stream=9, reason=reason)
    yield bad("cease_reason", "no such reason", b"\x0b" + STREAM + b"\x03", "bad-number")
    yield from lengths("cease", b"\x0b" + STREAM + b"\x00")
