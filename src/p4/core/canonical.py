"""The JSON of this protocol: a strict reader and the canonical writer (spec/envelope.md, RFC 8785, RFC 7493).

The reader takes only what the canonical form can express, so that everything read can be signed again
with the same bytes by any implementation.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import rfc8785

from p4.core.limits import SAFE_INTEGER
from p4.errors import InputError, RemoteError

__all__ = ["MAX_DEPTH", "canonical_bytes", "parse_object", "parse_value"]

MAX_DEPTH = 32
"""Objects and arrays within each other, the outermost counting as 1."""

ParseError = type[RemoteError] | type[InputError]


class _ProfileError(ValueError):
    """Why a text is outside the profile; never leaves this module."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


def canonical_bytes(value: object) -> bytes:
    """The one byte string that stands for a JSON value: RFC 8785 in UTF-8.

    Args:
        value: None, bool, int, float, str, list, tuple or dict with string keys, nested at will.

    Raises:
        InputError: ``bad-string``, ``bad-number``, ``too-deep`` or ``not-json``: the value has no
            canonical form.
    """
    try:
        _check(value)
        return rfc8785.dumps(value)  # type: ignore[arg-type]  # _check has seen to it
    except _ProfileError as error:
        raise InputError(f"This value cannot be written as JSON: {error.message}", code=error.code) from error


def parse_object(data: bytes, error: ParseError = RemoteError) -> dict[str, object]:
    """Read exactly one JSON object.

    Args:
        data: the bytes, already bounded in size by the caller. White space around the object is allowed.
        error: the class to raise, so that the blame and the layer are the caller's.

    Raises:
        RemoteError: or what ``error`` names, and nothing else, with one of these codes: ``not-utf8``,
            ``not-json``, ``not-object``, ``duplicate-key``, ``bad-number`` (not finite, or beyond
            2^53-1 either way), ``bad-string`` (a lone surrogate), ``too-deep``.
    """
    value = parse_value(data, error)
    if not isinstance(value, dict):
        raise error("The outermost JSON value is not an object.", code="not-object")
    return value


def parse_value(data: bytes, error: ParseError = RemoteError) -> object:
    """As `parse_object`, for any JSON value.

    Raises:
        RemoteError: or what ``error`` names; the codes are those of `parse_object`.
    """
    try:
        # Decoded here because json.loads would guess at UTF-16 and UTF-32.
        value: object = _DECODER.decode(data.decode("utf-8"))
        _check(value)
    except _ProfileError as problem:
        raise error(problem.message, code=problem.code) from problem
    except UnicodeDecodeError as problem:
        raise error("The text is not valid UTF-8.", code="not-utf8") from problem
    except RecursionError as problem:
        raise error(f"The JSON is nested deeper than {MAX_DEPTH} levels.", code="too-deep") from problem
    except json.JSONDecodeError as problem:
        raise error("The text is not valid JSON.", code="not-json") from problem
    except ValueError as problem:
        # Only int() is left, which refuses to read more than some thousand digits.
        raise error("A number is beyond 2^53-1.", code="bad-number") from problem
    return value


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        # Readers differ in which of the two they take: one signature, two meanings.
        raise _ProfileError("An object has the same key twice.", "duplicate-key")
    return value


def _refuse_constant(name: str) -> float:
    raise _ProfileError(f"{name} is not a JSON number.", "bad-number")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)


def _check(value: object) -> None:
    """Refuse what RFC 8785 cannot write. Level by level: the depth of the input is not ours to choose."""
    level: list[object] = [value]
    depth = 0
    while level:
        inner: list[object] = []
        for item in level:
            if isinstance(item, str):
                _check_string(item)
            elif isinstance(item, int | float):  # bool included, always in range
                # RFC 8785 writes whole floats like integers, so one limit for both keeps what is written
                # readable. NaN fails the comparison too.
                if not -SAFE_INTEGER <= item <= SAFE_INTEGER:
                    raise _ProfileError("A number is beyond 2^53-1 or not finite.", "bad-number")
            elif item is not None:
                if depth == MAX_DEPTH:
                    raise _ProfileError(f"The JSON is nested deeper than {MAX_DEPTH} levels.", "too-deep")
                inner.extend(_children(item))
        level = inner
        depth += 1


def _children(item: object) -> Iterable[object]:
    if isinstance(item, dict):
        for key in item:
            if not isinstance(key, str):
                raise _ProfileError("A key of an object is not a string.", "not-json")
            _check_string(key)
        return item.values()
    if isinstance(item, list | tuple):
        return item
    raise _ProfileError(f"A {type(item).__name__} is not a JSON value.", "not-json")


def _check_string(text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise _ProfileError("A string has half of a surrogate pair.", "bad-string") from error
