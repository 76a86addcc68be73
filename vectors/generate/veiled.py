"""Veiled lines (spec/signaling.md), with HPKE as written out for sealed payloads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vectors.generate.common import ALICE, BOB, CAROL, Vector, b64, canonical, text
from vectors.generate.sealed import PING, sealed_bytes

INFO = b"P4 veiled line 1\0"
LINE = '{"a":"line of any kind"}'


def veiled_bytes(plain: bytes, info: bytes = INFO) -> bytes:
    return sealed_bytes(plain, info)


def line(hidden: bytes, *, space: str = " ", more: str = "") -> str:
    return f'{{"veiled":{space}"{b64(hidden)}"{more}}}'


def vectors() -> Iterator[Vector]:
    good = veiled_bytes(LINE.encode())
    yield _open("ok", "a line", line(good), value=LINE)
    yield _open("ok_no_space", "white space is of no account", line(good, space=""), value=LINE)
    yield _open("ok_unknown_key", "unknown keys are ignored", line(good, more=',"later":1'), value=LINE)
    yield _open("ok_empty", "an empty line is for its reader to refuse", line(veiled_bytes(b"")), value="")
    encoded = b64(good)
    for name, comment, content in (
        ("number", "a number", '{"veiled":7}'),
        ("null", "null", '{"veiled":null}'),
        ("not_base64", "not base64", f'{{"veiled":"!{encoded[1:]}"}}'),
        ("white_space", "white space before the base64", f'{{"veiled":" {encoded}"}}'),
        ("no_padding", "padding is missing", '{"veiled":"' + b64(bytes(49)).rstrip("=") + '"}'),
        ("trailing_bits", "unused bits are set", '{"veiled":"' + b64(bytes(49))[:-3] + 'B=="}'),
    ):
        yield _open(f"form_{name}", comment, content, "bad-veil")
    for name, comment, content in (("twice", "the key twice", line(good, more=f',"veiled":"{encoded}"')),):
        yield _open(f"form_{name}", comment, content, "duplicate-key")
    yield _open("form_cut", "no JSON", line(good)[:-1], "not-json")
    for name, comment, hidden in (
        ("empty", "nothing", b""),
        ("short", "no room for key and tag", good[:47]),
        ("tag_changed", "the last bit is another", good[:-1] + bytes([good[-1] ^ 1])),
        ("text_changed", "a bit of the ciphertext is another", good[:40] + bytes([good[40] ^ 1]) + good[41:]),
        ("key_changed", "a bit of the encapsulated key is another", bytes([good[0] ^ 1]) + good[1:]),
        ("cut", "the last byte is missing", good[:-1]),
        ("longer", "a byte more", good + b"\0"),
        ("key_of_small_order", "the encapsulated key is zero", bytes(32) + good[32:]),
        ("for_another", "for Carol", sealed_bytes(LINE.encode(), INFO, CAROL)),
        ("sealed", "a sealed payload: of another label", sealed_bytes(canonical(PING))),
        ("names_sender", "info names somebody", veiled_bytes(LINE.encode(), INFO + ALICE.peer_id.encode())),
        ("no_info", "no info", veiled_bytes(LINE.encode(), b"")),
    ):
        yield _open(f"not_opened_{name}", comment, line(hidden), "not-opened")
    yield _open("nested", "a veiled line inside", line(veiled_bytes(line(good).encode())), "nested")


def _open(name: str, comment: str, content: str, code: str = "ok", value: Any = None) -> Vector:
    given = {"line": text(content), "recipient_seed_b64": b64(BOB.seed)}
    shown = None if value is None else {"line": value}
    return Vector("veiled", name, comment, "open", given, "veiled", code, shown)
