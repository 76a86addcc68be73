"""What is sent and what arrives: JSON or bytes (spec/daemon-api, "Rules for all routes"), and paths."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from p4.errors import FrameError, InputError

__all__ = ["decoded", "encoded", "quoted"]


def encoded(value: object) -> dict[str, object]:
    """A value as members of a request: bytes in base64, anything else as JSON."""
    if isinstance(value, bytes | bytearray | memoryview):
        return {"base64": base64.b64encode(value).decode()}
    return {"value": value}


def decoded(entry: Mapping[str, Any]) -> Any:
    """The value of an answer's members.

    Raises:
        FrameError: ``bad-body``: the contact's program sent what is no JSON, or the daemon no value.
    """
    if "value" in entry and entry.get("base64") is None:
        return entry["value"]
    try:
        return base64.b64decode(entry["base64"], validate=True)
    except (KeyError, TypeError, binascii.Error) as error:
        problem = entry.get("problem") or "It has neither a JSON value nor bytes."
        raise FrameError(str(problem), code="bad-body") from error


def quoted(part: str) -> str:
    """A name or id as one part of a path.

    Raises:
        InputError: ``bad-name``: it is empty, a dot or two, or has a slash, which a path cannot hold.
    """
    if part in {"", ".", ".."}:
        raise InputError(f"{part!r} names nothing. Nothing was done.", code="bad-name")
    if "/" in part:
        # Servers take %2F for a slash, and look for another route.
        raise InputError(
            f"{part!r} has a slash in it. Nothing was done. Use the beginning of the contact's id instead.",
            code="bad-name",
        )
    return quote(part, safe="")
