"""Who sent UDP packets lately, so that answers find back (spec/forward.md, "UDP")."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from p4.core import limits
from p4.errors import FrameError

__all__ = ["Sources", "pack", "unpack"]

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


def pack(source: int, packet: bytes) -> bytes:
    """The datagram that carries a packet."""
    return source.to_bytes(limits.TUNNEL_HEADER_BYTES, "big") + packet


def unpack(datagram: bytes) -> tuple[int, bytes]:
    """The source number and the packet in a datagram. Raises FrameError ``bad-length``."""
    if len(datagram) < limits.TUNNEL_HEADER_BYTES:
        raise FrameError("A datagram of a forwarded port has no whole header.", code="bad-length")
    header = datagram[: limits.TUNNEL_HEADER_BYTES]
    return int.from_bytes(header, "big"), datagram[limits.TUNNEL_HEADER_BYTES :]


class Sources(Generic[Key, Value]):
    """What is known of each source, for a while: the one that was silent for longest goes first.

    Args:
        most: how many at a time.
    """

    def __init__(self, most: int = limits.TUNNEL_SOURCES) -> None:
        self._most = most
        self._known: OrderedDict[Key, tuple[Value, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def touch(self, key: Key, now: float) -> Value | None:
        """What is known of a source that is used now; None for an unknown one."""
        found = self._known.get(key)
        if found is None:
            return None
        self._known[key] = (found[0], now)
        self._known.move_to_end(key)
        return found[0]

    def add(self, key: Key, value: Value, now: float) -> list[Value]:
        """Know a source from now on.

        Returns:
            What was known of those that had to go for it.
        """
        gone = []
        while len(self._known) >= self._most:
            _, (value_gone, _) = self._known.popitem(last=False)
            gone.append(value_gone)
        self._known[key] = (value, now)
        return gone

    def expire(self, now: float) -> list[Value]:
        """Forget those that were silent for ``limits.TUNNEL_SOURCE_SECONDS``; what was known of them."""
        gone = []
        while self._known:
            key, (value, used) = next(iter(self._known.items()))
            if now - used < limits.TUNNEL_SOURCE_SECONDS:
                break
            del self._known[key]
            gone.append(value)
        return gone

    def clear(self) -> list[Value]:
        """Forget all; what was known of them."""
        gone = [value for value, _ in self._known.values()]
        self._known.clear()
        return gone
