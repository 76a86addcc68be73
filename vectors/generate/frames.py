"""Frames of the link and of the session (spec/link.md, spec/session.md): one frame, one reason to refuse."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from vectors.generate.common import Vector, raw, shown

BODY = 1_048_576
SAFE = 2**53 - 1
DAY_MS = 24 * 3_600_000
EPOCH, OTHER = b"\xa1" * 16, b"\xb2" * 16
SERVICES = {
    "empty": b"",
    "65_bytes": b"s" * 65,
    "upper_case": b"Chat",
    "dot_first": b".chat",
    "dot_last": b"chat.",
    "two_dots": b"chat..x",
    "newline": b"chat\n",
    "not_ascii": "ĉ".encode(),
    "space": b"a b",
}


def u64(*numbers: int) -> bytes:
    return b"".join(struct.pack(">Q", number) for number in numbers)


def short(text: bytes) -> bytes:
    return bytes((len(text),)) + text


def good(name: str, comment: str, data: bytes, frame: str | None, /, **fields: Any) -> Vector:
    """A frame that is read. Without a name it is one that may be ignored."""
    value = (
        None if frame is None else {"frame": frame, **{key: shown(given) for key, given in fields.items()}}
    )
    return Vector("frame", name, comment, "decode", {"bytes": raw(data)}, "frame", value=value)


def bad(name: str, comment: str, data: bytes, code: str, *, zeros: int = 0) -> Vector:
    return Vector("frame", name, comment, "decode", {"bytes": raw(data, zeros)}, "frame", code)


def lengths(name: str, data: bytes) -> Iterator[Vector]:
    """A frame of fixed length, one byte shorter and one longer."""
    yield bad(f"{name}_short", "a byte is missing", data[:-1], "bad-length")
    yield bad(f"{name}_long", "a byte too many", data + b"\0", "bad-length")


def vectors() -> Iterator[Vector]:
    yield bad("empty", "no type", b"", "empty")
    for number in (0x00, 0x0F, 0x19, 0x1F, 0x25, 0x2F, 0x37, 0x3F, 0x40, 0x7F):
        yield bad(f"unknown_{number:02x}", "a type of no document", bytes((number,)), "unknown-type")
    for number in (0x80, 0xFF):
        yield good(f"ignored_{number:02x}", "a type of the future", bytes((number, 1, 2)), None)
    yield from link()
    yield from bundles()
    yield from parts()
    yield from messages()
    yield from marks()
    yield from grants()
    yield from calls()


def link() -> Iterator[Vector]:
    for number, name in ((1, "ping"), (2, "pong")):
        data = bytes((number,)) + b"\x01\x02\x03\x04"
        yield good(f"{name}_ok", "a token", data, name.upper(), token=0x01020304)
        yield from lengths(name, data)
    for reason, meaning in enumerate(("dropped", "shutdown", "removed")):
        yield good(f"bye_ok_{meaning}", "why the link ends", bytes((3, reason)), "BYE", reason=reason)
    yield bad("bye_reason", "no such reason", b"\x03\x03", "bad-reason")
    yield from lengths("bye", b"\x03\x00")
    signature = bytes(range(64))
    yield good("bind_ok", "a signature", b"\x04" + signature, "BIND", signature=signature)
    yield from lengths("bind", b"\x04" + signature)
    yield good("signal_ok", "a line of signaling", b"\x08{}", "SIGNAL", line=b"{}")
    longest = b"\x08" + b" " * 61_440
    yield good("signal_ok_longest", "the longest line", longest, "SIGNAL", line=longest[1:])
    yield bad("signal_empty", "no line", b"\x08", "bad-length")
    yield bad("signal_too_long", "one byte too long", b"\x08", "bad-length", zeros=61_441)


def bundle(*frames: bytes) -> bytes:
    return b"\x05" + b"".join(struct.pack(">H", len(frame)) + frame for frame in frames)


def bundles() -> Iterator[Vector]:
    ping, ack = b"\x01\0\0\0\1", b"\x12" + u64(7)
    yield good("bundle_ok", "two frames", bundle(ping, ack), "BUNDLE", frames=[ping, ack])
    yield good("bundle_ok_one", "one frame", bundle(ping), "BUNDLE", frames=[ping])
    yield good("bundle_ok_ignored", "one of the future", bundle(b"\x80x"), "BUNDLE", frames=[b"\x80x"])
    yield bad("bundle_empty", "no frame", b"\x05", "bad-length")
    yield bad("bundle_empty_frame", "a frame of no bytes", bundle(ping, b""), "bad-length")
    yield bad("bundle_cut_length", "half of a length", bundle(ping) + b"\0", "bad-length")
    yield bad("bundle_cut_frame", "a frame that is longer than the rest", bundle(ping)[:-1], "bad-length")
    alone = {"bind": b"\x04" + bytes(64), "bundle": bundle(ping), "part": b"\x06x", "last": b"\x07x"}
    for name, frame in alone.items():
        yield bad(f"bundle_of_{name}", "a frame that travels alone", bundle(ping, frame), "out-of-turn")


def parts() -> Iterator[Vector]:
    for number, name in ((6, "part"), (7, "last")):
        yield good(f"{name}_ok", "some bytes", bytes((number,)) + b"abc", name.upper(), data=b"abc")
        yield bad(f"{name}_empty", "no byte", bytes((number,)), "bad-length")
    for name, whole, frame in (
        ("message", message(body=b"ab"), fields_of_message(body=b"ab")),
        ("call", call(b"ab"), fields_of_call(argument=b"ab")),
        ("reply", reply(0, b"ab"), {"id": 5, "status": 0, "kind": 0, "result": b"ab"}),
    ):
        value = {"frame": name.upper(), **{key: shown(given) for key, given in frame.items()}}
        pieces = [raw(b"\x06" + whole[:4]), raw(b"\x06" + whole[4:9]), raw(b"\x07" + whole[9:])]
        yield in_parts(f"parts_{name}", "a frame in three parts", pieces, value=value)
    ping = b"\x01\0\0\0\1"
    whole = message(body=b"ab")
    value = {
        "frame": "MESSAGE",
        **{key: shown(given) for key, given in fields_of_message(body=b"ab").items()},
    }
    between = [raw(b"\x06" + whole[:9]), raw(ping), raw(b"\x07" + whole[9:])]
    yield in_parts("parts_ok_between", "a PING between two parts", between, value=value)
    yield in_parts("parts_ok_only_last", "a LAST without a PART", [raw(b"\x07" + whole)], value=value)
    yield in_parts(
        "parts_ping", "a frame that is never long", [raw(b"\x06\1\0\0"), raw(b"\x07\0\1")], "out-of-turn"
    )
    yield in_parts("parts_of_parts", "a part in parts", [raw(b"\x06\x06"), raw(b"\x07x")], "out-of-turn")
    yield in_parts(
        "parts_broken", "a whole that is cut off", [raw(b"\x06\x11"), raw(b"\x07\0")], "bad-length"
    )
    # 16 * 65535 + 4112 = 1 MiB + 4 KiB.
    start, more = raw(b"\x06" + whole[:-2], 65_535 - len(whole) + 2), [raw(b"\x06", 65_535)] * 15
    yield in_parts(
        "parts_longest",
        "1 MiB + 4 KiB, of which a body would be more than 1 MiB",
        [start, *more, raw(b"\x07", 4112)],
        "bad-length",
    )
    yield in_parts(
        "parts_too_long", "a byte more, before it is whole", [start, *more, raw(b"\x06", 4113)], "bad-length"
    )
    rest = BODY - (65_535 - len(whole) + 2) - 15 * 65_535
    longest = {**fields_of_message(), "body": shown(b"", BODY)}
    yield in_parts(
        "parts_ok_longest_body",
        "a body of 1 MiB",
        [start, *more, raw(b"\x07", rest)],
        value={"frame": "MESSAGE", **{k: v if k == "body" else shown(v) for k, v in longest.items()}},
    )


def in_parts(
    name: str, comment: str, pieces: list[dict[str, Any]], code: str = "ok", value: Any = None
) -> Vector:
    return Vector("frame", name, comment, "assemble", {"messages": pieces}, "frame", code, value)


def message(
    number: int = 5,
    kind: int = 0,
    sent: int = 1_700_000_000_000,
    ttl: int = 0,
    service: bytes = b"chat",
    key: bytes = b"",
    body: bytes = b"",
) -> bytes:
    return b"\x11" + u64(number) + bytes((kind,)) + u64(sent, ttl) + short(service) + short(key) + body


def fields_of_message(**changes: Any) -> dict[str, Any]:
    true: dict[str, Any] = {"number": 5, "kind": 0, "sent": 1_700_000_000_000, "ttl": 0, "service": "chat"}
    return {**true, "key": "", "body": b"", **changes}


def messages() -> Iterator[Vector]:
    full: dict[str, Any] = {"number": SAFE, "kind": 1, "sent": SAFE, "ttl": SAFE}
    yield good("message_ok", "bytes", message(body=b"\0\xff"), "MESSAGE", **fields_of_message(body=b"\0\xff"))
    yield good(
        "message_ok_largest",
        "the largest numbers, JSON, a key",
        message(**full, service=b"a-b.c_d.9", key="é".encode(), body=b'"x"'),
        "MESSAGE",
        **fields_of_message(**full, service="a-b.c_d.9", key="é", body=b'"x"'),
    )
    yield good(
        "message_ok_longest_names",
        "a service of 64 bytes and a key of 255",
        message(service=b"s" * 64, key=b"k" * 255),
        "MESSAGE",
        **fields_of_message(service="s" * 64, key="k" * 255),
    )
    impossible: tuple[tuple[str, dict[str, Any]], ...] = (
        ("number_zero", {"number": 0}),
        ("number_2_53", {"number": 2**53}),
        ("sent_2_53", {"sent": 2**53}),
        ("ttl_2_53", {"ttl": 2**53}),
        ("kind", {"kind": 2}),
    )
    for name, changes in impossible:
        yield bad(f"message_{name}", "a number out of its range", message(**changes), "bad-number")
    for name, service in SERVICES.items():
        yield bad(f"message_service_{name}", "no name of a service", message(service=service), "bad-service")
    yield bad("message_key_not_utf8", "a key that is no text", message(key=b"\xff"), "bad-text")
    whole = message(key=b"key")
    yield bad("message_cut_head", "ends in its numbers", whole[:20], "bad-length")
    yield bad("message_cut_no_service", "ends before the service", whole[:26], "bad-length")
    yield bad("message_cut_service", "ends in the service", whole[:29], "bad-length")
    yield bad("message_cut_no_key", "ends before the key", whole[:31], "bad-length")
    yield bad("message_cut_key", "ends in the key", whole[:-1], "bad-length")
    yield bad("message_body_long", "a body of 1 MiB and a byte", message(), "bad-length", zeros=BODY + 1)


def marks() -> Iterator[Vector]:
    """RESUME, ACK, VOID, CONSUMED and REFUSED."""

    def resume(out_first: int = 3, in_next: int = 9) -> bytes:
        return b"\x10" + EPOCH + u64(out_first) + OTHER + u64(in_next)

    for name, out_first, in_next in (("ok", 3, 9), ("ok_smallest", 1, 1), ("ok_largest", 2**53, 2**53)):
        names: dict[str, Any] = {
            "out_epoch": EPOCH,
            "out_first": out_first,
            "in_epoch": OTHER,
            "in_next": in_next,
        }
        yield good(f"resume_{name}", "where messages stand", resume(out_first, in_next), "RESUME", **names)
    for name, data in (
        ("out_first_zero", resume(out_first=0)),
        ("out_first_2_53_1", resume(out_first=2**53 + 1)),
        ("in_next_zero", resume(in_next=0)),
        ("in_next_2_53_1", resume(in_next=2**53 + 1)),
    ):
        yield bad(f"resume_{name}", "a number out of its range", data, "bad-number")
    yield from lengths("resume", resume())

    for name, through in (("ok", 7), ("ok_zero", 0), ("ok_largest", SAFE)):
        yield good(f"ack_{name}", "all up to there", b"\x12" + u64(through), "ACK", through=through)
    yield bad("ack_2_53", "a number out of its range", b"\x12" + u64(2**53), "bad-number")
    yield from lengths("ack", b"\x12" + u64(7))

    for name, first, last in (("ok", 2, 4), ("ok_one", 2, 2), ("ok_largest", 1, SAFE)):
        yield good(
            f"void_{name}", "from, through", b"\x13" + u64(first, last), "VOID", first=first, last=last
        )
    for name, first, last in (("zero", 0, 4), ("backwards", 5, 4), ("2_53", 2, 2**53)):
        yield bad(f"void_{name}", "impossible numbers", b"\x13" + u64(first, last), "bad-number")
    yield from lengths("void", b"\x13" + u64(2, 4))

    consumed = b"\x14" + u64(7)
    yield good("consumed_ok", "of one service", consumed + b"chat", "CONSUMED", through=7, service="chat")
    yield good("consumed_ok_rest", "of all the others", consumed, "CONSUMED", through=7, service="")
    yield bad("consumed_service", "no name of a service", consumed + b"Chat", "bad-service")
    yield bad("consumed_2_53", "a number out of its range", b"\x14" + u64(2**53), "bad-number")
    yield bad("consumed_short", "a byte is missing", consumed[:-1], "bad-length")

    refused = b"\x16" + u64(7) + b"\1"
    yield good("refused_ok", "not granted", refused, "REFUSED", number=7, reason=1)
    for name, data in (("zero", u64(0) + b"\1"), ("2_53", u64(2**53) + b"\1")):
        yield bad(f"refused_{name}", "a number out of its range", b"\x16" + data, "bad-number")
    for reason in (0, 2):
        data = b"\x16" + u64(7) + bytes((reason,))
        yield bad(f"refused_reason_{reason}", "no such reason", data, "bad-number")
    yield from lengths("refused", refused)


def grants() -> Iterator[Vector]:
    def listed(*names: bytes) -> bytes:
        return b"\x15" + b"".join(map(short, names))

    yield good("grants_ok", "two services", listed(b"chat", b"a.b"), "GRANTS", grants=["chat", "a.b"])
    yield good("grants_ok_none", "nothing at all", b"\x15", "GRANTS", grants=[])
    yield good("grants_ok_all", "everything", listed(b"*"), "GRANTS", grants=["*"])
    names = [b"s%d" % number for number in range(257)]
    yield good(
        "grants_ok_256",
        "as many as may be",
        listed(*names[:256]),
        "GRANTS",
        grants=[n.decode() for n in names[:256]],
    )
    yield bad("grants_257", "one too many", listed(*names), "bad-length")
    yield bad("grants_cut", "ends in a name", listed(b"chat")[:-1], "bad-length")
    yield bad("grants_star_inside", "a star is only for all", listed(b"a.*"), "bad-service")
    for name, service in SERVICES.items():
        yield bad(f"grants_service_{name}", "no name of a service", listed(service), "bad-service")


def call(argument: bytes = b"", patience: int = 1000, kind: int = 0, service: bytes = b"ping") -> bytes:
    return b"\x20" + u64(5) + struct.pack(">I", patience) + bytes((kind,)) + short(service) + argument


def fields_of_call(**changes: Any) -> dict[str, Any]:
    return {"id": 5, "patience": 1000, "kind": 0, "service": "ping", "argument": b"", **changes}


def reply(status: int, result: bytes = b"", kind: int = 0) -> bytes:
    return b"\x21" + u64(5) + bytes((status, kind)) + result


def calls() -> Iterator[Vector]:
    yield good("call_ok", "bytes", call(b"\0"), "CALL", **fields_of_call(argument=b"\0"))
    yield good(
        "call_ok_longest", "a day, JSON", call(b"1", DAY_MS, 1), "CALL",
        **fields_of_call(patience=DAY_MS, kind=1, argument=b"1"),
    )  # fmt: skip
    yield good("call_ok_shortest", "a millisecond", call(patience=1), "CALL", **fields_of_call(patience=1))
    yield bad("call_patience_zero", "no time at all", call(patience=0), "bad-number")
    yield bad("call_patience_day", "more than a day", call(patience=DAY_MS + 1), "bad-number")
    yield bad("call_kind", "neither bytes nor JSON", call(kind=2), "bad-number")
    yield bad("call_service", "no name of a service", call(service=b"Ping"), "bad-service")
    yield bad("call_cut_head", "ends in its numbers", call()[:13], "bad-length")
    yield bad("call_cut_service", "ends in the service", call()[:-1], "bad-length")
    yield bad("call_argument_long", "an argument of 1 MiB and a byte", call(), "bad-length", zeros=BODY + 1)

    for status in range(7):
        result = b"{}" if status < 2 else b""
        kind = 1 if status < 2 else 0
        fields: dict[str, Any] = {"id": 5, "status": status, "kind": kind, "result": result}
        yield good(f"reply_ok_{status}", "a status", reply(status, result, kind), "REPLY", **fields)
    yield bad("reply_status", "no such status", reply(7), "bad-number")
    yield bad("reply_kind", "neither bytes nor JSON", reply(0, kind=2), "bad-number")
    for status in range(2, 7):
        yield bad(f"reply_result_{status}", "a result that cannot be", reply(status, b"x"), "bad-length")
    yield bad("reply_short", "a byte is missing", reply(0)[:-1], "bad-length")
    yield bad("reply_long", "a result of 1 MiB and a byte", reply(0), "bad-length", zeros=BODY + 1)

    for number, name in ((0x22, "cancel"), (0x23, "replied")):
        data = bytes((number,)) + u64(5)
        yield good(f"{name}_ok", "an id", data, name.upper(), id=5)
        yield from lengths(name, data)

    datagram = b"\x24" + short(b"pos")
    for name, data in (("", b"\0x"), ("_empty", b""), ("_longest", bytes(1100))):
        yield good(f"datagram_ok{name}", "bytes", datagram + data, "DATAGRAM", service="pos", data=data)
    yield bad("datagram_long", "a byte too many", datagram + bytes(1101), "bad-length")
    yield bad("datagram_service", "no name of a service", b"\x24" + short(b"Pos"), "bad-service")
    yield bad("datagram_cut", "ends in the service", datagram[:-1], "bad-length")
    yield bad("datagram_short", "ends after its type", b"\x24", "bad-length")
