"""Inputs and outputs of pipes that a simulated device has: a file on its disk, and a log."""

from __future__ import annotations

import asyncio

__all__ = ["FileInput", "MemoryOutput"]


class FileInput:
    """A regular file: it goes on where an earlier run has come. Slow, so that kills fall in between."""

    def __init__(self, content: bytes, *, piece: int = 5000, pause: float = 0.01) -> None:
        self._content, self._piece, self._pause = content, piece, pause
        self._at = 0
        self.began_at = -1

    async def begin(self, accepted: int) -> None:
        self._at = self.began_at = accepted

    async def read(self) -> bytes:
        # Longer now and then, for a pause is when the other side brings what came to its disk.
        await asyncio.sleep(self._pause if self._at // self._piece % 4 else 12 * self._pause)
        data = self._content[self._at : self._at + self._piece]
        self._at += len(data)
        return data


class MemoryOutput:
    """A file on the disk of the device: `safe` survives the process, the rest of `content` dies with it.

    Args:
        cuts: whether it is a file that can be cut to what was confirmed (`FileSink`), or an output from which
            nothing can be taken back.
    """

    def __init__(self, *, cuts: bool = True) -> None:
        self.content = bytearray()
        self.safe = 0
        self.cuts = cuts

    async def begin(self, consumed: int) -> None:
        assert self.safe >= consumed, "something was confirmed before it was safe"
        if self.cuts:
            del self.content[consumed:]
        else:
            del self.content[self.safe :]
        self.safe = len(self.content)

    async def write(self, data: bytes) -> None:
        self.content += data

    async def flush(self) -> None:
        await asyncio.sleep(0.06)  # a slow disk takes a moment: there may be a kill
        self.safe = len(self.content)
