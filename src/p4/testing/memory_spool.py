"""A stream's bytes in memory."""

from __future__ import annotations

from collections.abc import Callable

from p4.core.identity import PeerId
from p4.testing.memory_disk import MemoryDisk, SpoolBytes

__all__ = ["MemorySpool"]


class MemorySpool:
    """Implements `p4.ports.Spool`: written at once, and by `sync` safe from a power failure.

    Args:
        disk: ``failure`` on it fails every method that writes.
        check: raises if the process is dead or its store closed.
    """

    def __init__(self, disk: MemoryDisk, peer_id: PeerId, stream_id: int, check: Callable[[], None]) -> None:
        self._disk = disk
        self._name = (peer_id, stream_id)
        self._check = check
        self._bytes = disk.spools.setdefault(self._name, SpoolBytes())

    @property
    def start(self) -> int:
        """Offset of the oldest byte."""
        return self._bytes.start

    @property
    def end(self) -> int:
        """Offset after the newest byte."""
        return self._bytes.end

    def _check_writable(self) -> None:
        self._check()
        if self._disk.failure is not None:
            raise self._disk.failure

    async def append(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes at ``end``."""
        self._check_writable()
        self._bytes.data += data

    async def read(self, offset: int, size: int) -> bytes:
        """At least one and at most ``size`` bytes from ``offset``."""
        self._check()
        if size < 1 or not self.start <= offset < self.end:
            raise ValueError(f"no {size} bytes from {offset}: there are {self.start} to {self.end}")
        first = offset - self.start
        return bytes(self._bytes.data[first : first + size])

    async def discard(self, through: int) -> None:
        """Bytes below ``through`` are not needed any more."""
        self._check_writable()
        count = min(through, self.end) - self.start
        if count > 0:
            del self._bytes.data[:count]
            self._bytes.start += count

    async def sync(self) -> None:
        """Make everything safe from `MemoryDisk.lose_power`."""
        self._check_writable()
        self._bytes.synced = self.end

    def close(self) -> None:
        """Keep it for the next start."""

    async def remove(self) -> None:
        """Delete it."""
        self._check_writable()
        self._disk.spools.pop(self._name, None)
