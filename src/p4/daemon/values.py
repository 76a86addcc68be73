"""Values in JSON: ``{"value": …}`` or ``{"base64": "…"}`` (spec/daemon-api/README.md)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Path
from pydantic import BaseModel, Field

from p4.core.session.wire import is_service
from p4.errors import InputError

__all__ = ["ServiceName", "ValueModel", "decoded", "encoded", "require_service_name"]

ServiceName = Annotated[
    str,
    Path(description="Words of a-z, 0-9, _ and -, joined by dots", max_length=64, examples=["home.light"]),
]
"""A service in a path."""


class ValueModel(BaseModel):
    """JSON or bytes: exactly one of the two is there."""

    value: Any = Field(default=None, description="Any JSON value, also null.")
    base64: str | None = Field(default=None, description="Bytes in base64 (RFC 4648, section 4).")

    def content(self) -> object:
        """The JSON value, or the bytes. Raises InputError ``bad-value``."""
        given = self.model_fields_set & {"value", "base64"}
        return decoded({name: getattr(self, name) for name in given})


def decoded(message: Mapping[str, Any]) -> object:
    """The JSON value, or the bytes, of an object that has either.

    Raises:
        InputError: ``bad-value``: it has both or neither, or no base64.
    """
    if ("value" in message) == ("base64" in message):
        raise InputError(
            'Give either "value" (JSON) or "base64" (bytes). Nothing was done.', code="bad-value"
        )
    if "value" in message:
        return message["value"]
    try:
        return base64.b64decode(message["base64"], validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise InputError(f'"base64" is not base64: {error}. Nothing was done.', code="bad-value") from error


def encoded(value: object) -> dict[str, Any]:
    """The member that a JSON value, or bytes, becomes."""
    if isinstance(value, bytes | bytearray | memoryview):
        return {"base64": base64.b64encode(value).decode()}
    return {"value": value}


def require_service_name(service: str) -> str:
    """The name of a service, if it can be one. Raises InputError ``bad-service``."""
    if not is_service(service):
        raise InputError(
            f"{service!r} cannot be the name of a service: words of a-z, 0-9, _ and -, joined by dots.",
            code="bad-service",
        )
    return service
