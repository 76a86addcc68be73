"""Frames on their way to a channel: small ones together, long ones in parts (spec/link.md)."""

from __future__ import annotations

from collections.abc import Iterable

from p4.core import limits
from p4.core.session.frames import Frame, bundle, encode, in_parts

__all__ = ["packed"]

_LENGTH_BYTES = 2


def packed(frames: Iterable[Frame]) -> list[bytes]:
    """The messages of the data channel that carry these frames, in order."""
    messages: list[bytes] = []
    together: list[bytes] = []
    size = 1
    for frame in frames:
        encoded = encode(frame)
        # Also before a long frame, which must not overtake them.
        if together and size + len(encoded) + _LENGTH_BYTES > limits.BUNDLE_BYTES:
            messages.append(together[0] if len(together) == 1 else bundle(together))
            together, size = [], 1
        if len(encoded) > limits.PART_BYTES:
            messages.extend(in_parts(encoded))
        else:
            together.append(encoded)
            size += len(encoded) + _LENGTH_BYTES
    if together:
        messages.append(together[0] if len(together) == 1 else bundle(together))
    return messages
