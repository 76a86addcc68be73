"""Errors as answers: one form for all, and the status of each (spec/daemon-api/README.md, "Errors")."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from p4.errors import (
    AccessError,
    AlreadyRunningError,
    CallCancelledError,
    CallDeadlineError,
    CallError,
    CallFailed,
    ContactError,
    DeliveryError,
    InputError,
    LocalError,
    P4Error,
    PairingError,
    RemoteError,
    StateError,
    StreamError,
    TorError,
    TransferError,
    UnreachableError,
)

__all__ = [
    "DESCRIBED",
    "ERROR_ANSWERS",
    "ErrorAnswer",
    "ErrorBody",
    "answer",
    "as_json",
    "install",
    "status_of",
]

_log = logging.getLogger(__name__)

_BY_CODE: dict[tuple[type[P4Error], str], int] = {
    (AccessError, "no-token"): 401,
    (AccessError, "bad-token"): 401,
    (AccessError, "bad-code"): 401,
    (AccessError, "too-many"): 429,
    (AccessError, "foreign-host"): 421,
    (CallError, "not-granted"): 403,
    (CallError, "not-supported"): 501,
    (CallError, "overloaded"): 503,
    (CallError, "not-served"): 503,
    (ContactError, "unknown"): 404,
    (ContactError, "name-taken"): 409,
    (ContactError, "changed-key"): 409,
    (InputError, "not-granted"): 403,
    (InputError, "unknown"): 404,
    (InputError, "too-large"): 413,
    (LocalError, "already-served"): 409,
    (LocalError, "in-use"): 409,
    (LocalError, "not-known"): 404,
    (StateError, "disk-full"): 507,
    (StateError, "outbox-full"): 507,
    (InputError, "unknown-invite"): 404,
    (InputError, "unknown-transfer"): 404,
    (PairingError, "closed"): 503,
    (PairingError, "no-place"): 503,
    (PairingError, "not-found"): 504,
    (PairingError, "too-many"): 429,
    (TransferError, "not-found"): 404,
    (TransferError, "disk-full"): 507,
    (StreamError, "not-granted"): 403,
    (StreamError, "too-many"): 429,
    (StreamError, "disk"): 507,
    (StreamError, "closed"): 503,
}
"""Before the types below. A type stands for its subclasses too."""

_BY_TYPE: tuple[tuple[type[P4Error], int], ...] = (
    (AccessError, 403),
    (AlreadyRunningError, 409),
    (InputError, 400),
    (StateError, 500),
    (TorError, 503),
    (LocalError, 503),
    (CallDeadlineError, 504),
    (CallCancelledError, 502),
    (CallFailed, 502),
    (CallError, 502),
    (StreamError, 409),
    (DeliveryError, 409),
    (TransferError, 409),
    (PairingError, 409),
    (UnreachableError, 503),
    (RemoteError, 502),
)

_EXTRA = (
    *("may_have_run", "path", "pid", "kept_as", "consumed", "confirmed", "by_contact"),
    *("word", "position", "suggestions"),
)
"""What errors carry beside code and message, where they have it."""


class ErrorBody(BaseModel):
    """What went wrong."""

    code: str = Field(description="Short and stable, for programs.")
    message: str = Field(description="For a person: what happened, what is safe, what to do next.")
    data: dict[str, Any] = Field(
        description="More, by the kind of error. `type` is the class of p4.errors it comes from."
    )


class ErrorAnswer(BaseModel):
    """The body of every answer that is an error."""

    error: ErrorBody


ERROR_ANSWERS: dict[int | str, dict[str, Any]] = {
    "default": {"model": ErrorAnswer, "description": "An error."}
}
"""For ``responses=`` of every router."""


DESCRIBED = {
    "description": "An error.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorAnswer"}}},
}
"""The same as it stands in the OpenAPI document."""


def status_of(error: P4Error) -> int:
    """The HTTP status (RFC 9110, section 15) of an error."""
    for kind in type(error).__mro__:
        if (status := _BY_CODE.get((kind, error.code))) is not None:
            return status
    return next((status for kind, status in _BY_TYPE if isinstance(error, kind)), 500)


def as_json(error: P4Error) -> dict[str, Any]:
    """An error in the form of the API: ``{"error": {"code", "message", "data"}}``."""
    data: dict[str, Any] = {"type": type(error).__name__}
    data |= {name: getattr(error, name) for name in _EXTRA if hasattr(error, name)}
    if isinstance(error, CallFailed):
        data["data"] = None if isinstance(error.data, bytes | bytearray | memoryview) else error.data
    return _body(error.code or "failed", error.message, data)


def answer(error: P4Error) -> JSONResponse:
    """An error as a whole answer."""
    headers = {"WWW-Authenticate": "Bearer"} if status_of(error) == 401 else {}
    return JSONResponse(as_json(error), status_of(error), headers)


def _body(code: str, message: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "data": data}}


async def _p4_error(connection: Request | WebSocket, error: Exception) -> JSONResponse | None:
    assert isinstance(error, P4Error)  # noqa: S101 - registered for these alone
    if isinstance(connection, WebSocket):
        await _tell(connection, error)
        return None
    if status_of(error) == 500:
        _log.error("A request failed: %s", error.message)
    return answer(error)


async def _tell(websocket: WebSocket, error: P4Error) -> None:
    if websocket.application_state is WebSocketState.CONNECTING:
        await websocket.send_denial_response(answer(error))
        return
    with suppress(WebSocketDisconnect, RuntimeError):  # the program may be gone by now
        await websocket.send_json({"type": "error", **as_json(error)})
        await websocket.close(4000)


async def _refuse_websocket(websocket: WebSocket, error: Exception) -> None:
    assert isinstance(error, WebSocketRequestValidationError)  # noqa: S101 - as above
    await websocket.send_denial_response(_as_answer(error.errors()))


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
    return _as_answer(error.errors())


def _as_answer(found: Sequence[Any]) -> JSONResponse:
    problems = [
        {"where": [str(step) for step in problem["loc"]], "problem": str(problem["msg"])} for problem in found
    ]
    first = problems[0] if problems else {"where": [], "problem": "it is not what the route takes"}
    where = ".".join(str(step) for step in first["where"])
    message = f"The request cannot be used: {where}: {first['problem']}. Nothing was done."
    return JSONResponse(_body("bad-request", message, {"type": "InputError", "problems": problems}), 422)


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - as above
    code = {404: "no-such-route", 405: "bad-method", 408: "too-slow", 413: "too-large"}.get(
        error.status_code, "bad-request"
    )
    message = str(error.detail)
    if code not in {"too-large", "too-slow"}:
        message += ". Nothing was done. The API's routes are listed at /v1/openapi.json."
    headers = dict(error.headers or {})
    return JSONResponse(_body(code, message, {"type": "InputError"}), error.status_code, headers)


async def _bug(_request: Request, error: Exception) -> JSONResponse:
    _log.error("A request met a bug", exc_info=error)
    message = "P4 met a bug of its own; the daemon's log holds the details. Please report it."
    return JSONResponse(_body("bug", message, {"type": "P4Error"}), 500)


def install(application: FastAPI) -> None:
    """Let an application answer all errors in this form."""
    application.add_exception_handler(P4Error, _p4_error)  # type: ignore[arg-type]
    application.add_exception_handler(WebSocketRequestValidationError, _refuse_websocket)
    application.add_exception_handler(RequestValidationError, _invalid)
    application.add_exception_handler(HTTPException, _http)
    application.add_exception_handler(Exception, _bug)
