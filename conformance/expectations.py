"""What a case says about answers. Everything raises `Mismatch`, whose text stands in the report."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from typing import Any

from conformance.command import Answer, Refusal

__all__ = ["Mismatch", "equal", "refused", "same", "true"]

_SHOWN = 300
"""So much of a value is shown."""


class Mismatch(AssertionError):  # noqa: N818 - it is one, and no error of the runner
    """An answer is not what it should be."""


def same(one: object, other: object) -> bool:
    """Whether two JSON values are equal: 1 is 1.0, but no true, and the order of keys does not matter."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"


def equal(found: object, expected: object, what: str) -> None:
    """Both are the same JSON value."""
    if not same(found, expected):
        raise Mismatch(f"{what}: {_shown(found)} instead of {_shown(expected)}")


def true(condition: object, what: str) -> None:
    """Something holds; ``what`` says what does not."""
    if not condition:
        raise Mismatch(what)


async def refused(answer: Awaitable[Answer], *codes: str, type_name: str = "") -> dict[str, Any]:
    """A request is refused with one of these codes, and with this type if the SDK tells types.

    Returns:
        The error.
    """
    try:
        result = await answer
    except Refusal as refusal:
        if refusal.code not in codes:
            raise Mismatch(f"{refusal} instead of {' or '.join(codes)}") from None
        found = refusal.entry.get("type", type_name)
        # Some SDKs have one type for everything that is found in them, and not in the daemon.
        if type_name and found != type_name:
            raise Mismatch(f"the error {refusal.code} has the type {found} instead of {type_name}") from None
        return refusal.entry
    raise Mismatch(f"not refused with {' or '.join(codes)}: {_shown(result)}")
