"""What the end of a call means to an application: its result, or the error that says why there is none."""

from __future__ import annotations

from p4.core.session.body import decode_body, encode_body
from p4.core.session.calls.events import Ended, Ending
from p4.core.session.session_frames import CallStatus, Kind, Reply
from p4.errors import (
    CallCancelledError,
    CallDeadlineError,
    CallError,
    CallFailed,
    CallRefusedError,
    FrameError,
    InputError,
    OutcomeUnknownError,
)

__all__ = ["failure_body", "outcome"]

_NOT_GRANTED = "The contact does not let this device use its service {!r}. Nothing was done."
_REFUSALS = {
    Ending.NOT_GRANTED: _NOT_GRANTED,
    Ending.NOT_SUPPORTED: "The contact's version of P4 knows no calls; {!r} was not called.",
    Ending.OVERLOADED: "Too many calls to this contact wait already; {!r} was not called. Try again later.",
    CallStatus.NOT_GRANTED: _NOT_GRANTED,
    CallStatus.NOT_SERVED: "Nothing answers at the contact's service {!r} at the moment. Nothing was done.",
    CallStatus.OVERLOADED: "The contact is busy with other calls; {!r} did nothing. Try again later.",
}
_REFUSAL_CODES = {
    CallStatus.NOT_GRANTED: "not-granted",
    CallStatus.NOT_SERVED: "not-served",
    CallStatus.OVERLOADED: "overloaded",
}


def outcome(service: str, ended: Ended) -> object:
    """The result of a call.

    Raises:
        CallError: there is none.
    """
    if ended.reply is not None:
        return _of_reply(service, ended.reply)
    if ended.ending is Ending.DEADLINE:
        raise _deadline(service, may_have_run=ended.sent)
    if ended.ending is Ending.UNKNOWN:
        raise OutcomeUnknownError(
            f"The contact restarted while it had a call of its service {service!r}, which it may have "
            "executed or not. Find out before you call again."
        )
    raise CallRefusedError(_REFUSALS[ended.ending].format(service), code=ended.ending.value)


def failure_body(failure: CallFailed) -> tuple[Kind, bytes]:
    """The body of a REPLY with status 1. ``data`` that cannot be sent is left out."""
    words: dict[str, object] = {"code": failure.code, "message": failure.message}
    if failure.data is not None:
        try:
            return encode_body({**words, "data": failure.data})
        except InputError:
            pass
    try:
        return encode_body(words)
    except InputError:
        return encode_body({"code": "internal", "message": "The service's words for it cannot be sent."})


def _of_reply(service: str, reply: Reply) -> object:
    status = reply.status
    if status is CallStatus.OK:
        return _decoded(service, reply)
    if status is CallStatus.FAILED:
        raise _failure(service, _decoded(service, reply))
    if status is CallStatus.TOO_LATE:
        raise _deadline(service, may_have_run=True)
    if status is CallStatus.CANCELLED:
        raise CallCancelledError(
            f"The contact's node ended a call of its service {service!r}; it may have been executed in part.",
            code="cancelled",
        )
    raise CallRefusedError(_REFUSALS[status].format(service), code=_REFUSAL_CODES[status])


def _decoded(service: str, reply: Reply) -> object:
    try:
        return decode_body(reply.kind, reply.result)
    except FrameError as error:
        raise CallFailed(
            "bad-result", f"The contact's service {service!r} answered with something unreadable."
        ) from error


def _failure(service: str, content: object) -> CallError:
    if isinstance(content, dict):
        code, message = content.get("code"), content.get("message")
        if isinstance(code, str) and isinstance(message, str):
            return CallFailed(code, message, content.get("data"))
    return CallFailed("bad-result", f"The contact's service {service!r} failed and does not say how.")


def _deadline(service: str, *, may_have_run: bool) -> CallDeadlineError:
    what = "it may have been executed" if may_have_run else "it was not sent"
    return CallDeadlineError(
        f"No answer came in time from the contact's service {service!r}; {what}.", may_have_run=may_have_run
    )
