"""Frames of messages, calls, datagrams and grants (spec/session.md)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from p4.core import limits
from p4.core.session.wire import (
    fields,
    head,
    is_grant,
    number_in,
    service_of,
    short,
    take_short,
    text_of,
)
from p4.errors import FrameError

__all__ = [
    "DECODERS",
    "Ack",
    "Call",
    "CallStatus",
    "Cancel",
    "Consumed",
    "Datagram",
    "Grants",
    "Kind",
    "Message",
    "Refused",
    "RefusedReason",
    "Replied",
    "Reply",
    "Resume",
    "SessionFrame",
    "Void",
    "encode",
]

EPOCH_BYTES = 16


class Kind(IntEnum):
    """What a body is."""

    BYTES = 0
    JSON = 1


class RefusedReason(IntEnum):
    """Why a message was not taken."""

    NOT_GRANTED = 1


class CallStatus(IntEnum):
    """How a call ended."""

    OK = 0
    FAILED = 1
    NOT_GRANTED = 2
    NOT_SERVED = 3
    TOO_LATE = 4
    CANCELLED = 5
    OVERLOADED = 6


@dataclass(frozen=True, slots=True)
class Resume:
    """The first frame of a session on a link: where its messages stand.

    Args:
        out_epoch: names the sender's outbox.
        out_first: the oldest number that it has not seen confirmed (its next number if it has none).
        in_epoch: the receiver's outbox as the sender knows it; 16 zero bytes if it knows none.
        in_next: the next number it expects from that outbox.
    """

    out_epoch: bytes
    out_first: int
    in_epoch: bytes
    in_next: int


class Message(NamedTuple):
    """One message, numbered within the sender's outbox epoch.

    A tuple because it is made for every message: a frozen dataclass takes four times as long.
    """

    number: int
    kind: int
    """A `Kind`."""
    sent_ms: int
    ttl_ms: int
    """What remains of its time to live; 0 for ever."""
    service: str
    key: str
    """Replaces earlier ones with the same key; empty for none."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Ack:
    """Everything up to and including ``through`` is on the receiver's disk."""

    through: int


@dataclass(frozen=True, slots=True)
class Void:
    """Numbers that have no message any more, both ends included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Consumed:
    """The application has taken every message for a service up to ``through``; see spec for ``""``."""

    through: int
    service: str


@dataclass(frozen=True, slots=True)
class Grants:
    """What the receiver of the frame may use."""

    grants: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A message was dropped."""

    number: int
    reason: RefusedReason


@dataclass(frozen=True, slots=True)
class Call:
    """A request that wants a `Reply` within ``patience_ms``."""

    id: int
    patience_ms: int
    kind: Kind
    service: str
    argument: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """How a call ended, and its result."""

    id: int
    status: CallStatus
    kind: Kind
    result: bytes


@dataclass(frozen=True, slots=True)
class Cancel:
    """The caller has no use for the reply any more."""

    id: int


@dataclass(frozen=True, slots=True)
class Replied:
    """The caller has the reply."""

    id: int


@dataclass(frozen=True, slots=True)
class Datagram:
    """Sent once, perhaps lost."""

    service: str
    data: bytes


SessionFrame = (
    Resume | Message | Ack | Void | Consumed | Grants | Refused | Call | Reply | Cancel | Replied | Datagram
)

_RESUME, _MESSAGE, _ACK, _VOID, _CONSUMED, _GRANTS, _REFUSED = range(0x10, 0x17)
_CALL, _REPLY, _CANCEL, _REPLIED, _DATAGRAM = range(0x20, 0x25)

_RESUME_LAYOUT = struct.Struct(f">B{EPOCH_BYTES}sQ{EPOCH_BYTES}sQ")
_MESSAGE_HEAD = struct.Struct(">BQBQQ")
_NUMBER = struct.Struct(">BQ")
_VOID_LAYOUT = struct.Struct(">BQQ")
_REFUSED_LAYOUT = struct.Struct(">BQB")
_CALL_HEAD = struct.Struct(">BQIB")
_REPLY_HEAD = struct.Struct(">BQBB")


def encode(frame: SessionFrame) -> bytes:
    """The bytes of a frame.

    Raises:
        ValueError, struct.error: a field is out of its range; the caller's mistake.
    """
    match frame:
        case Message(number, kind, sent_ms, ttl_ms, service, key, body):
            return b"".join(
                (
                    _MESSAGE_HEAD.pack(_MESSAGE, number, kind, sent_ms, ttl_ms),
                    short(service),
                    short(key),
                    body,
                )
            )
        case Ack(through):
            return _NUMBER.pack(_ACK, through)
        case Resume(out_epoch, out_first, in_epoch, in_next):
            if len(out_epoch) != EPOCH_BYTES or len(in_epoch) != EPOCH_BYTES:
                raise ValueError(f"an epoch has {EPOCH_BYTES} bytes")
            return _RESUME_LAYOUT.pack(_RESUME, out_epoch, out_first, in_epoch, in_next)
        case Void(first, last):
            return _VOID_LAYOUT.pack(_VOID, first, last)
        case Consumed(through, service):
            return _NUMBER.pack(_CONSUMED, through) + service.encode("ascii")
        case Grants(grants):
            if len(grants) > limits.GRANTS or not all(map(is_grant, grants)):
                raise ValueError("impossible grants")
            return bytes((_GRANTS,)) + b"".join(map(short, grants))
        case Refused(number, reason):
            return _REFUSED_LAYOUT.pack(_REFUSED, number, reason)
        case Call(call_id, patience_ms, kind, service, argument):
            return _CALL_HEAD.pack(_CALL, call_id, patience_ms, kind) + short(service) + argument
        case Reply(call_id, status, kind, result):
            return _REPLY_HEAD.pack(_REPLY, call_id, status, kind) + result
        case Cancel(call_id):
            return _NUMBER.pack(_CANCEL, call_id)
        case Replied(call_id):
            return _NUMBER.pack(_REPLIED, call_id)
        case Datagram(service, data):
            return bytes((_DATAGRAM,)) + short(service) + data


def _resume(data: bytes) -> Resume:
    frame = Resume(*fields(_RESUME_LAYOUT, data))
    number_in(frame.out_first, 1, limits.SAFE_INTEGER + 1)
    number_in(frame.in_next, 1, limits.SAFE_INTEGER + 1)
    return frame


def _message(data: bytes) -> Message:
    number, kind, sent_ms, ttl_ms = head(_MESSAGE_HEAD, data)
    service, position = take_short(data, _MESSAGE_HEAD.size)
    key, position = take_short(data, position)
    if not 1 <= number <= limits.SAFE_INTEGER or max(sent_ms, ttl_ms) > limits.SAFE_INTEGER:
        raise FrameError(f"The message numbered {number} has an impossible number.", code="bad-number")
    return Message(
        number,
        _kind(kind),
        sent_ms,
        ttl_ms,
        service_of(service),
        text_of(key),
        _body(data, position, limits.BODY_BYTES),
    )


def _ack(data: bytes) -> Ack:
    (through,) = fields(_NUMBER, data)
    return Ack(number_in(through, 0, limits.SAFE_INTEGER))


def _void(data: bytes) -> Void:
    first, last = fields(_VOID_LAYOUT, data)
    return Void(number_in(first, 1, last), number_in(last, first, limits.SAFE_INTEGER))


def _consumed(data: bytes) -> Consumed:
    (through,) = head(_NUMBER, data)
    name = data[_NUMBER.size :]
    return Consumed(number_in(through, 0, limits.SAFE_INTEGER), service_of(name) if name else "")


def _grants(data: bytes) -> Grants:
    grants: list[str] = []
    position = 1
    while position < len(data):
        grant, position = take_short(data, position)
        grants.append("*" if grant == b"*" else service_of(grant))
        if len(grants) > limits.GRANTS:
            raise FrameError(f"A contact lists more than {limits.GRANTS} grants.", code="bad-length")
    return Grants(tuple(grants))


def _refused(data: bytes) -> Refused:
    number, reason = fields(_REFUSED_LAYOUT, data)
    number_in(number, 1, limits.SAFE_INTEGER)
    return Refused(number, RefusedReason(number_in(reason, 1, max(RefusedReason))))


def _call(data: bytes) -> Call:
    call_id, patience_ms, kind = head(_CALL_HEAD, data)
    service, position = take_short(data, _CALL_HEAD.size)
    number_in(patience_ms, 1, limits.CALL_PATIENCE_MS)
    argument = _body(data, position, limits.BODY_BYTES)
    return Call(call_id, patience_ms, _kind(kind), service_of(service), argument)


def _reply(data: bytes) -> Reply:
    call_id, status, kind = head(_REPLY_HEAD, data)
    status = CallStatus(number_in(status, 0, max(CallStatus)))
    longest = limits.BODY_BYTES if status <= CallStatus.FAILED else 0
    return Reply(call_id, status, _kind(kind), _body(data, _REPLY_HEAD.size, longest))


def _cancel(data: bytes) -> Cancel:
    return Cancel(*fields(_NUMBER, data))


def _replied(data: bytes) -> Replied:
    return Replied(*fields(_NUMBER, data))


def _datagram(data: bytes) -> Datagram:
    service, position = take_short(data, 1)
    return Datagram(service_of(service), _body(data, position, limits.DATAGRAM_BYTES))


def _kind(value: int) -> Kind:
    return Kind.JSON if value == Kind.JSON else Kind(number_in(value, 0, max(Kind)))


def _body(data: bytes, position: int, longest: int) -> bytes:
    body = data[position:]
    if len(body) > longest:
        raise FrameError(
            f"A frame of type 0x{data[0]:02x} carries {len(body)} bytes; at most {longest} are allowed.",
            code="bad-length",
        )
    return body


DECODERS: Mapping[int, Callable[[bytes], SessionFrame]] = {
    _RESUME: _resume,
    _MESSAGE: _message,
    _ACK: _ack,
    _VOID: _void,
    _CONSUMED: _consumed,
    _GRANTS: _grants,
    _REFUSED: _refused,
    _CALL: _call,
    _REPLY: _reply,
    _CANCEL: _cancel,
    _REPLIED: _replied,
    _DATAGRAM: _datagram,
}
"""By type: the frame in these bytes. Each raises FrameError."""
