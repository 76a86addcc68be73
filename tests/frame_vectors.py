"""Runs the vectors of kind "frame" (vectors/README.md) against our codec."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from typing import Any

from p4.core.session.body import decode_body
from p4.core.session.frames import Assembly, Frame, Last, Part, decode, encode
from p4.core.session.lane_frames import LaneListen
from p4.errors import FrameError

__all__ = ["frame_assemble", "frame_body", "frame_decode", "octets", "spelled"]

SHOWN_BYTES = 256
NAMES = {"sent_ms": "sent", "ttl_ms": "ttl", "patience_ms": "patience"}
"""Fields that carry their unit here; in the specification's layout they do not."""

Outcome = tuple[str, str, Any]


def octets(given: dict[str, Any]) -> bytes:
    """Bytes as a vector gives them: in hex, and then so many zeros."""
    assert given.keys() <= {"hex", "zeros"}
    return bytes.fromhex(given["hex"]) + bytes(given.get("zeros", 0))


def spelled(frame: Frame) -> dict[str, Any]:
    """A frame as a vector gives it."""
    if isinstance(frame, tuple):
        fields = frame._asdict()
    else:
        fields = {field.name: getattr(frame, field.name) for field in dataclasses.fields(frame)}
    if isinstance(frame, LaneListen):
        fields = {"lane": frame.lane, **_invitation(frame)}
    return {
        "frame": re.sub("(?<=[a-z])(?=[A-Z])", "_", type(frame).__name__).upper(),
        **{NAMES.get(name, name): _value(value) for name, value in fields.items()},
    }


def _invitation(frame: LaneListen) -> dict[str, Any]:
    """The parts of an invitation under the names of the layout."""
    invitation = frame.invitation
    places = [{"ip": str(at.ip), "port": at.port} for at in invitation.addresses]
    return {"fingerprint": invitation.fingerprint, "token": invitation.token, "addresses": places}


def frame_decode(given: dict[str, Any]) -> Outcome:
    data = octets(given["bytes"])
    try:
        frame = decode(data)
    except FrameError as error:
        return "frame", error.code, None
    if frame is None:
        return "frame", "ok", None
    assert encode(frame) == data, "what is read can be written again"
    return "frame", "ok", spelled(frame)


def frame_assemble(given: dict[str, Any]) -> Outcome:
    """Only the last message completes a frame, or is refused."""
    assembly = Assembly()
    whole: Frame | None = None
    for position, message in enumerate(given["messages"], 1):
        assert whole is None, "complete before the last part"
        part = decode(octets(message))
        if not isinstance(part, Part | Last):
            continue
        try:
            whole = assembly.add(part)
        except FrameError as error:
            assert position == len(given["messages"]), "only the last message may be refused"
            return "frame", error.code, None
    assert whole is not None
    return "frame", "ok", spelled(whole)


def frame_body(given: dict[str, Any]) -> Outcome:
    try:
        return "body", "ok", _value(decode_body(given["kind"], octets(given["bytes"])))
    except FrameError as error:
        return "body", error.code, None


def _value(value: object) -> object:
    if isinstance(value, tuple):
        return [_value(item) for item in value]
    if not isinstance(value, bytes):
        return value
    if len(value) <= SHOWN_BYTES:
        return {"hex": value.hex()}
    return {"length": len(value), "sha256_hex": hashlib.sha256(value).hexdigest()}
