"""The daemon's error form, as the errors of `p4.errors` that it was made from (spec/daemon-api, "Errors")."""

from __future__ import annotations

import base64
import inspect
import json
from collections.abc import Mapping
from typing import Any

from p4 import errors
from p4.errors import ContactError, InputError, LocalError, P4Error

__all__ = ["error_from_answer", "error_from_object"]

_BY_STATUS: dict[int, type[P4Error]] = {
    400: InputError,
    401: LocalError,
    403: LocalError,
    404: ContactError,
    409: InputError,
    413: InputError,
    422: InputError,
    503: LocalError,
}
"""What an answer of this HTTP status is, if it does not name a type that we know."""

_BYTES = {"partial"}
"""Arguments of errors that are bytes; in JSON they are base64."""


def error_from_answer(status: int, body: bytes) -> P4Error:
    """The error of an HTTP answer.

    Args:
        status: HTTP status, 400 or above.
        body: of the answer; anything that is not the daemon's error form gives an error that says so.
    """
    try:
        entry = json.loads(body)["error"]
        return error_from_object(entry, status=status)
    except (ValueError, KeyError, TypeError, AttributeError):
        return LocalError(
            f"The daemon answered with status {status} and without a reason. What was accepted before is "
            "safe. Look into its log: p4 log",
            code=f"status-{status}",
        )


def error_from_object(entry: Mapping[str, Any], *, status: int = 400) -> P4Error:
    """The error that ``{"code", "message", "data"}`` describes; ``data`` has its type and what else it
    carries.

    Raises:
        KeyError, TypeError, AttributeError: it is not of that form.
    """
    code, message = str(entry["code"]), str(entry["message"])
    data = entry.get("data")
    kind = getattr(errors, str(_part(data, "type")), None)
    if not (isinstance(kind, type) and issubclass(kind, P4Error)):
        kind = _BY_STATUS.get(status, LocalError)
    return _construct(kind, message, code, data)


def _construct(kind: type[P4Error], message: str, code: str, data: object) -> P4Error:
    """Call the constructor with what it takes of the data; whatever is missing is empty."""
    if kind is errors.CallFailed:
        return errors.CallFailed(code, message, _part(data, "data"))
    given: dict[str, Any] = {}
    for name, parameter in list(inspect.signature(kind.__init__).parameters.items())[1:]:
        if name == "message":
            continue
        if name == "code":
            given[name] = code
        elif (value := _part(data, name)) is not None:
            given[name] = base64.b64decode(value) if name in _BYTES else value
        elif parameter.default is inspect.Parameter.empty:
            given[name] = _EMPTY.get(name)
    return kind(message, **given)


def _part(data: object, name: str) -> Any:
    return data.get(name) if isinstance(data, dict) else None


_EMPTY: dict[str, Any] = {"path": "", "kept_as": "", "pid": None, "may_have_run": True}
