"""Frames by which contacts admit each other at their gates (spec/gate.md)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from p4.core.address import RendezvousAddress, Transport
from p4.core.gate import is_usable_gate_key
from p4.core.session.wire import fields
from p4.errors import FrameError, InviteError

__all__ = ["DECODERS", "GATE", "Gate", "GateFrame", "GateKept", "encode"]

GATE = "gate"
"""The capability (spec/signaling.md, Announcement)."""

_GATE, _GATE_KEPT = 0x0C, 0x0D
_KEY_BYTES, _NAME_BYTES = 32, 56
_GATE_LAYOUT = struct.Struct(f">B{_KEY_BYTES}sH{_NAME_BYTES}s")
_GATE_KEPT_LAYOUT = struct.Struct(f">B{_KEY_BYTES}s")
_SUFFIX = ".onion"


@dataclass(frozen=True, slots=True)
class Gate:
    """Where the sender's gate is, and by which key it wants to be admitted at ours.

    Args:
        key: X25519 public key, 32 bytes.
        port: virtual port, 1 to 65535.
        address: the 56 characters before ``.onion``.
    """

    key: bytes
    port: int
    address: str

    @classmethod
    def at(cls, key: bytes, address: RendezvousAddress) -> Gate:
        """For the gate at an onion address."""
        return cls(key, address.port, address.host.removesuffix(_SUFFIX))

    @property
    def rendezvous(self) -> RendezvousAddress:
        """The address to dial. Raises InviteError, but not for a frame that was read."""
        return RendezvousAddress(Transport.ONION, self.address + _SUFFIX, self.port)


@dataclass(frozen=True, slots=True)
class GateKept:
    """The `Gate` with this key is on disk, and who has the key is admitted."""

    key: bytes


GateFrame = Gate | GateKept


def encode(frame: GateFrame) -> bytes:
    """The bytes of a frame. Raises ValueError."""
    if len(frame.key) != _KEY_BYTES:
        raise ValueError(f"a key has {_KEY_BYTES} bytes")
    if isinstance(frame, GateKept):
        return _GATE_KEPT_LAYOUT.pack(_GATE_KEPT, frame.key)
    try:
        address = frame.rendezvous
    except InviteError as error:
        raise ValueError(error.message) from error
    name = address.host.removesuffix(_SUFFIX).encode("ascii")
    return _GATE_LAYOUT.pack(_GATE, frame.key, address.port, name)


def _gate(data: bytes) -> Gate:
    key, port, name = fields(_GATE_LAYOUT, data)
    if not is_usable_gate_key(key):
        raise FrameError("The key for a gate is of small order.", code="bad-key")
    try:
        frame = Gate(key, port, name.decode("ascii"))
        _ = frame.rendezvous
    except UnicodeDecodeError:
        raise FrameError("The address of a gate is not ASCII.", code="bad-text") from None
    except InviteError as error:
        code = "bad-number" if error.code == "bad-port" else "bad-text"
        raise FrameError("The address of a gate is no onion address.", code=code) from error
    return frame


def _gate_kept(data: bytes) -> GateKept:
    return GateKept(*fields(_GATE_KEPT_LAYOUT, data))


DECODERS: Mapping[int, Callable[[bytes], GateFrame]] = {_GATE: _gate, _GATE_KEPT: _gate_kept}
"""By type: the frame in these bytes. Each raises FrameError."""
