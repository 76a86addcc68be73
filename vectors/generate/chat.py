"""What a JSON value in the service chat says (spec/chat.md)."""

from __future__ import annotations

from collections.abc import Iterator

from vectors.generate.common import Vector

FILE = {"name": "film.mkv", "size": 9007199254740991, "transfer": "00ff"}


def vectors() -> Iterator[Vector]:
    yield _text("string", "what a person says, as every version has it", "hello\n\tyou", "hello\n\tyou")
    yield _text("object", "an object with a text alone", {"text": "hello"}, "hello")
    yield _text("object_more", "members without a meaning are ignored", {"text": "hello", "mood": 1}, "hello")
    yield _file("file", "a text that speaks of a transfer", FILE)
    yield _file("file_empty", "a file of no bytes", FILE | {"size": 0})
    yield _file("file_longest_name", "255 bytes of UTF-8", FILE | {"name": "é" * 127 + "x"})
    for name, comment, file in (
        ("file_long_name", "256 bytes of UTF-8, in fewer characters", FILE | {"name": "é" * 128}),
        ("file_no_name", "an empty name", FILE | {"name": ""}),
        ("file_size_negative", "less than nothing", FILE | {"size": -1}),
        ("file_size_large", "2^53", FILE | {"size": 9007199254740992}),
        ("file_size_true", "true is no number", FILE | {"size": True}),
        ("file_long_transfer", "65 bytes", FILE | {"transfer": "t" * 65}),
        ("file_no_transfer", "which transfer is missing", {"name": "film.mkv", "size": 1}),
        ("file_string", "a file is an object", "film.mkv"),
    ):
        yield _text(name, f"{comment}: only the text counts", {"text": "look", "file": file}, "look")
    for name, comment, value in (
        ("data_number", "a number", 7),
        ("data_null", "nothing", None),
        ("data_list", "a list", ["hello"]),
        ("data_no_text", "an object without a text", {"file": FILE}),
        ("data_text_number", "a text that is none", {"text": 7}),
    ):
        yield _vector(name, f"{comment}: shown as data, never acted on", value, {"kind": "data"})


def _text(name: str, comment: str, value: object, text: str) -> Vector:
    return _vector(name, comment, value, {"kind": "text", "text": text})


def _file(name: str, comment: str, file: dict[str, object]) -> Vector:
    value = {"text": "look", "file": file | {"colour": "red"}}
    return _vector(name, comment, value, {"kind": "file", "text": "look", "file": file})


def _vector(name: str, comment: str, value: object, said: dict[str, object]) -> Vector:
    return Vector("chat", name, comment, "read", {"value": value}, "chat", value=said)
