"""Frames of streams (spec/stream.md)."""

from __future__ import annotations

from collections.abc import Iterator

from vectors.generate.common import Vector, raw, shown
from vectors.generate.frames import SAFE, SERVICES, bad, good, lengths, short, u64


def vectors() -> Iterator[Vector]:
    opening = b"\x30" + u64(9) + short(b"files")
    yield good("open_ok", "with a name", opening + "é".encode(), "OPEN", id=9, service="files", name="é")
    yield good("open_ok_no_name", "without a name", opening, "OPEN", id=9, service="files", name="")
    long_name = "n" * 1024
    yield good(
        "open_ok_longest",
        "1024 bytes",
        opening + long_name.encode(),
        "OPEN",
        id=9,
        service="files",
        name=long_name,
    )
    yield bad("open_name_long", "a name of 1025 bytes", opening + b"n" * 1025, "bad-length")
    yield bad("open_name_not_utf8", "a name that is no text", opening + b"\xff", "bad-text")
    for name, service in SERVICES.items():
        yield bad(
            f"open_service_{name}", "no name of a service", b"\x30" + u64(9) + short(service), "bad-service"
        )
    yield bad("open_cut_id", "ends in the id", opening[:8], "bad-length")
    yield bad("open_cut_no_service", "ends before the service", opening[:9], "bad-length")
    yield bad("open_cut_service", "ends in the service", opening[:-1], "bad-length")

    for name, end, final in (("ok", 7, False), ("ok_final", SAFE, True), ("ok_empty", 0, True)):
        data = b"\x31" + u64(9, end) + bytes((final,))
        yield good(f"written_{name}", "bytes on the disk", data, "WRITTEN", id=9, end=end, final=final)
    yield bad("written_final", "neither 0 nor 1", b"\x31" + u64(9, 7) + b"\2", "bad-number")
    yield bad("written_2_53", "an offset out of its range", b"\x31" + u64(9, 2**53) + b"\0", "bad-number")
    yield from lengths("written", b"\x31" + u64(9, 7) + b"\0")

    for name, through, limit in (("ok", 7, 9), ("ok_none", 7, 7), ("ok_largest", 0, SAFE)):
        data = b"\x32" + u64(9, through, limit)
        yield good(f"credit_{name}", "consumed, allowed", data, "CREDIT", id=9, through=through, limit=limit)
    yield bad("credit_backwards", "less allowed than consumed", b"\x32" + u64(9, 8, 7), "bad-number")
    yield bad("credit_2_53", "an offset out of its range", b"\x32" + u64(9, 7, 2**53), "bad-number")
    yield from lengths("credit", b"\x32" + u64(9, 7, 9))

    for name, offset, content in (("ok", 7, b"\0x"), ("ok_end", SAFE - 2, b"xy")):
        data = b"\x33" + u64(9, offset) + content
        yield good(f"data_{name}", "bytes", data, "DATA", id=9, offset=offset, data=content)
    longest = {"frame": "DATA", "id": 9, "offset": 0, "data": shown(b"", 65_519)}
    given = {"bytes": raw(b"\x33" + u64(9, 0), 65_519)}
    yield Vector("frame", "data_ok_longest", "a whole message", "decode", given, "frame", value=longest)
    yield bad("data_long", "a byte too many", b"\x33" + u64(9, 0), "bad-length", zeros=65_520)
    yield bad("data_empty", "no byte", b"\x33" + u64(9, 7), "bad-length")
    yield bad("data_beyond", "beyond the last offset", b"\x33" + u64(9, SAFE - 1) + b"xy", "bad-length")
    yield bad("data_cut", "ends in the offset", b"\x33" + u64(9, 7)[:-1], "bad-length")

    for reason in range(7):
        data = b"\x34" + u64(9) + bytes((reason,)) + "wörds".encode()
        yield good(f"reset_ok_{reason}", "a reason", data, "RESET", id=9, reason=reason, text="wörds")
    reset = b"\x34" + u64(9) + b"\0"
    yield good(
        "reset_ok_longest", "1024 bytes", reset + b"t" * 1024, "RESET", id=9, reason=0, text="t" * 1024
    )
    yield bad("reset_reason", "no such reason", b"\x34" + u64(9) + b"\7", "bad-number")
    yield bad("reset_text_long", "1025 bytes", reset + b"t" * 1025, "bad-length")
    yield bad("reset_text_not_utf8", "a sentence that is no text", reset + b"\xff", "bad-text")
    yield bad("reset_short", "a byte is missing", reset[:-1], "bad-length")

    for number, name in ((0x35, "done"), (0x36, "gone")):
        data = bytes((number,)) + u64(9)
        yield good(f"{name}_ok", "an id", data, name.upper(), id=9)
        yield from lengths(name, data)
