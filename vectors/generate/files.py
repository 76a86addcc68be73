"""Frames of copied files (spec/files.md)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from vectors.generate.common import Vector, raw, shown


def frame(number: int, body: bytes) -> bytes:
    return struct.pack(">BI", number, len(body)) + body


def entry(
    path: str, *, kind: int = 0, mode: int = 0o644, size: int = 0, mtime: int = 1, target: str = ""
) -> bytes:
    return (
        struct.pack(">BHQq", kind, mode, size, mtime)
        + struct.pack(">H", len(path.encode()))
        + path.encode()
        + struct.pack(">H", len(target.encode()))
        + target.encode()
    )


def fields(
    path: str, *, kind: int = 0, mode: int = 0o644, size: int = 0, mtime: int = 1, target: str = ""
) -> dict[str, Any]:
    return {
        "kind": kind,
        "mode": mode,
        "size": size,
        "mtime_ns": mtime,
        "path": path.split("/"),
        "target": target.split("/") if target else [],
    }


def good(name: str, comment: str, data: bytes, kind: str, zeros: int = 0, /, **values: Any) -> Vector:
    value = {"frame": kind, **{key: shown(given, zeros) for key, given in values.items()}}
    return Vector("files", name, comment, "decode", {"bytes": raw(data, zeros)}, "files", value=value)


def bad(name: str, comment: str, data: bytes) -> Vector:
    return Vector("files", name, comment, "decode", {"bytes": raw(data)}, "files", code="protocol")


def vectors() -> Iterator[Vector]:
    yield from _entries()
    yield from _answers()
    yield from _content()


def _entries() -> Iterator[Vector]:
    for name, given in {
        "file": {"path": "Photos/Åre/ski.jpg", "size": 7, "mtime": 1_700_000_000_123_456_789},
        "before_1970": {"path": "old", "mtime": -1},
        "folder": {"path": "Photos", "kind": 1, "mode": 0o755},
        "link": {"path": "a/b", "kind": 2, "target": "../c"},
        "link_only_up": {"path": "a/b/c", "kind": 2, "target": "../.."},
        "longest_name": {"path": "é" * 127 + "x"},
        "odd_names": {"path": "CON/a:b/ \\/…"},
    }.items():
        data = frame(0x04, entry(**given))  # type: ignore[arg-type]
        yield good(f"entry_ok_{name}", "an entry", data, "ENTRY", entry=fields(**given))  # type: ignore[arg-type]
    for name, path in {
        "empty": "",
        "absolute": "/etc/passwd",
        "up": "a/../../b",
        "dot": "a/./b",
        "double": "a//b",
        "trailing": "a/",
        "nul": "a\0b",
        "long_name": "x" * 256,
        "too_deep": "/".join("x" * 129),
    }.items():
        yield bad(f"entry_path_{name}", "no path", frame(0x04, entry(path)))
    yield bad("entry_path_not_utf8", "no text", frame(0x04, entry("abc").replace(b"abc", b"a\xffc")))
    yield bad("entry_kind", "kind 3", frame(0x04, entry("a", kind=3)))
    yield bad("entry_setuid", "a mode beyond 0o777", frame(0x04, entry("a", mode=0o4755)))
    yield bad("entry_folder_size", "a folder with a size", frame(0x04, entry("a", kind=1, size=1)))
    yield bad("entry_file_target", "a file with a target", frame(0x04, entry("a", target="b")))
    yield bad("entry_link_no_target", "a link without one", frame(0x04, entry("a/b", kind=2)))
    yield bad("entry_link_absolute", "an absolute target", frame(0x04, entry("a/b", kind=2, target="/etc")))
    yield bad("entry_link_up_later", "up behind a name", frame(0x04, entry("a/b", kind=2, target="c/..")))
    yield bad("entry_size_2_53", "a size out of its range", frame(0x04, entry("a", size=2**53)))
    yield bad("entry_long", "one byte more", frame(0x04, entry("a") + b"\0"))
    yield bad("entry_cut", "one byte less", frame(0x04, entry("a")[:-1]))


def _answers() -> Iterator[Vector]:
    yield good("listed_ok", "three entries", frame(0x05, struct.pack(">I", 3)), "LISTED", number=3)
    verdicts = [[0, 0, 5], [1, 1, 0], [2, 2, 0]]
    body = b"".join(struct.pack(">IBQ", *verdict) for verdict in verdicts)
    yield good("verdict_ok", "one of each", frame(0x06, body), "VERDICT", verdicts=verdicts)
    yield bad("verdict_3", "no verdict", frame(0x06, struct.pack(">IBQ", 0, 3, 0)))
    yield bad("verdict_none", "none at all", frame(0x06, b""))
    yield bad("verdict_cut", "half of one", frame(0x06, body[:-1]))
    digest = bytes(range(32))
    yield good("sum_ok", "a hash", frame(0x07, b"\0\0\0\1" + digest), "SUM", number=1, digest=digest)
    yield bad("sum_short", "31 bytes", frame(0x07, b"\0\0\0\1" + digest[:-1]))
    yield good("go_ok", "empty", frame(0x08, b""), "GO")
    yield bad("go_long", "with a body", frame(0x08, b"\0"))
    yield good("stored_ok", "two files", frame(0x20, b"\0\0\0\1\0\0\0\2"), "STORED", numbers=[1, 2])
    yield bad("stored_none", "none at all", frame(0x20, b""))
    yield good("named_ok", "another name", frame(0x21, b"\0\0\0\1a (2)"), "NAMED", number=1, name="a (2)")
    yield bad("named_path", "not one name", frame(0x21, b"\0\0\0\1a/b"))
    failed = b"\0\0\0\1" + b"\x08bad-name" + "für".encode()
    yield good(
        "failed_ok", "not stored", frame(0x22, failed), "FAILED", number=1, code="bad-name", text="für"
    )
    yield bad("failed_code", "no code", frame(0x22, b"\0\0\0\1\x03A b" + b"text"))
    yield bad("failed_no_code", "an empty code", frame(0x22, b"\0\0\0\1\0"))
    yield good("again_ok", "from 0", frame(0x23, b"\0\0\0\1"), "AGAIN", number=1)
    yield good("complete_ok", "empty", frame(0x24, b""), "COMPLETE")
    yield good(
        "error_ok", "the end", frame(0x2F, b"\x09disk-fullFull."), "ERROR", code="disk-full", text="Full."
    )
    yield bad("error_text_long", "1025 bytes", frame(0x2F, b"\x09disk-full" + b"x" * 1025))
    yield bad("unknown_0a", "no frame", frame(0x0A, b""))
    yield bad("unknown_30", "no frame", frame(0x30, b""))


def _content() -> Iterator[Vector]:
    begun = struct.pack(">IQ", 1, 5) + entry("a", size=7)
    yield good(
        "file_ok", "from 5 on", frame(0x10, begun), "FILE", number=1, position=5, entry=fields("a", size=7)
    )
    yield bad("file_position", "beyond its end", frame(0x10, struct.pack(">IQ", 1, 8) + entry("a", size=7)))
    yield bad("file_folder", "a folder", frame(0x10, struct.pack(">IQ", 1, 0) + entry("a", kind=1)))
    yield good("data_ok", "three bytes", frame(0x11, b"abc"), "DATA", data=b"abc")
    largest = struct.pack(">BI", 0x11, 262144)
    yield good("data_ok_largest", "262144 bytes", largest, "DATA", 262144, data=b"")
    yield bad("data_empty", "none", frame(0x11, b""))
    yield bad("data_long", "a length of 262145 bytes", struct.pack(">BI", 0x11, 262145))
    yield good("hole_ok", "64 MiB", frame(0x12, struct.pack(">Q", 67108864)), "HOLE", length=67108864)
    yield bad("hole_zero", "nothing", frame(0x12, bytes(8)))
    yield bad("hole_long", "more than 64 MiB", frame(0x12, struct.pack(">Q", 67108865)))
    yield good("end_ok", "a hash", frame(0x13, bytes(32)), "END", digest=bytes(32))
    yield good("broken_ok", "it changed", frame(0x14, b"\x07changed"), "BROKEN", code="changed", text="")
    yield good("times_ok", "a folder", frame(0x15, entry("a", kind=1)), "TIMES", entry=fields("a", kind=1))
    yield good("finish_ok", "empty", frame(0x16, b""), "FINISH")
    yield good("omitted_ok", "a link", frame(0x09, b"\x08bad-linkIt"), "OMITTED", code="bad-link", text="It")
    yield good("offer_ok", "JSON", frame(0x02, b'{"version":1}'), "OFFER", content={"version": 1})
    yield bad("offer_array", "no object", frame(0x02, b"[]"))
    yield bad("offer_twice", "a key twice", frame(0x02, b'{"a":1,"a":2}'))
