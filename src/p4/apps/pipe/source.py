"""Where the bytes of a pipe come from."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Protocol

from p4.apps.pipe.descriptors import as_bytes, is_file
from p4.core import limits
from p4.errors import InputError

__all__ = ["NoSource", "Source", "StandardInput"]

_PIECES_AHEAD = 4


class Source(Protocol):
    """An input."""

    async def begin(self, accepted: int) -> None:
        """Go to where an earlier run has come.

        Args:
            accepted: bytes of the stream that it has had.

        Raises:
            InputError: this cannot be the same input.
        """

    async def read(self) -> bytes:
        """The next bytes, as soon as there are any; none at the end. A cancelled wait loses none.

        Raises:
            OSError: the input cannot be read.
        """


class NoSource:
    """Nothing is sent."""

    async def begin(self, accepted: int) -> None:
        """Nothing to go to."""

    async def read(self) -> bytes:
        """The end."""
        return b""


class StandardInput:
    """A file descriptor, read by a thread, because a terminal, a pipe and a file on a dead disk block.

    A regular file goes on where an earlier run has come. Any other input is taken as it comes: what it gives
    follows what the earlier run had, and ``tell`` says how much that was.

    Args:
        tell: for sentences to the person who started this.
    """

    def __init__(self, tell: Callable[[str], None], descriptor: int = 0) -> None:
        as_bytes(descriptor)
        self._tell = tell
        self._descriptor = descriptor
        self._pieces: asyncio.Queue[bytes | OSError] = asyncio.Queue()
        self._room = threading.Semaphore(_PIECES_AHEAD)
        self._ended = False

    async def begin(self, accepted: int) -> None:
        """See `Source.begin`."""
        if accepted:
            self._go_on(accepted)
        loop = asyncio.get_running_loop()
        # A daemon thread: it may wait for a key that nobody presses, and must not keep the process alive.
        threading.Thread(target=self._work, args=(loop,), name="input of a pipe", daemon=True).start()

    async def read(self) -> bytes:
        """See `Source.read`."""
        if self._ended:
            return b""
        piece = await self._pieces.get()
        self._room.release()
        if isinstance(piece, OSError):
            raise piece
        self._ended = not piece
        return piece

    def _go_on(self, accepted: int) -> None:
        if not is_file(self._descriptor):
            self._tell(
                f"An earlier run has sent {accepted} bytes. What this input gives is sent after them; --anew "
                "begins again."
            )
            return
        status = os.fstat(self._descriptor)
        start = os.lseek(self._descriptor, 0, os.SEEK_CUR)
        if status.st_size - start < accepted:
            raise InputError(
                f"This input has {status.st_size - start} bytes, but an earlier run has sent {accepted}: it "
                "is another one. Nothing was sent. Choose another --name, or begin again with --anew.",
                code="another-input",
            )
        os.lseek(self._descriptor, start + accepted, os.SEEK_SET)
        self._tell(f"Going on at byte {accepted} of {status.st_size - start}.")

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            while True:
                self._room.acquire()
                try:
                    piece: bytes | OSError = os.read(self._descriptor, limits.PIPE_READ_BYTES)
                except OSError as error:
                    piece = error
                loop.call_soon_threadsafe(self._pieces.put_nowait, piece)
                if not piece or isinstance(piece, OSError):
                    return
        except RuntimeError:
            return  # the loop has ended: nobody waits for more
