"""Where the bytes of a pipe go."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from p4.apps.pipe.descriptors import appends, as_bytes, is_file
from p4.errors import InputError

__all__ = ["FileSink", "Sink", "StandardOutput"]


class Sink(Protocol):
    """An output."""

    async def begin(self, consumed: int) -> None:
        """Go to where an earlier run has come.

        Args:
            consumed: bytes of the stream that it has had, and that do not come again.

        Raises:
            InputError: they are not there any more. OSError.
        """

    async def write(self, data: bytes) -> None:
        """Take bytes. Raises OSError."""

    async def flush(self) -> None:
        """Return when what was written is out of this process, and of a file: on the disk. Raises OSError."""


class _Descriptor:
    """Writes all of what it is given; in a thread, because a pipe that nobody reads blocks."""

    def __init__(self, descriptor: int) -> None:
        as_bytes(descriptor)
        self._descriptor = descriptor

    async def write(self, data: bytes) -> None:
        """See `Sink.write`."""
        await asyncio.to_thread(self._write_all, data)

    async def flush(self) -> None:
        """See `Sink.flush`."""
        if is_file(self._descriptor):
            await asyncio.to_thread(os.fsync, self._descriptor)

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]


class StandardOutput(_Descriptor):
    """A file descriptor that somebody else has opened.

    Nothing can be taken back from a pipe or a terminal, so after the death of this process the bytes that it
    had written and not yet confirmed, little more than ``limits.PIPE_SYNC_BYTES``, come once more. Not so
    with `FileSink`.

    Args:
        tell: for sentences to the person who started this.
    """

    def __init__(self, tell: Callable[[str], None], descriptor: int = 1) -> None:
        super().__init__(descriptor)
        self._tell = tell

    async def begin(self, consumed: int) -> None:
        """See `Sink.begin`."""
        if not consumed:
            return
        if is_file(self._descriptor) and not appends(self._descriptor):
            size = os.fstat(self._descriptor).st_size
            if size < consumed:
                raise InputError(
                    f"An earlier run has received {consumed} bytes, and this output has {size}: the shell "
                    "emptied it, or it is another one. Nothing was changed. Go on with >> or --output FILE, "
                    "or begin again with --anew at the other side.",
                    code="another-output",
                )
            os.lseek(self._descriptor, consumed, os.SEEK_SET)
        self._tell(f"Going on after {consumed} bytes that an earlier run has received.")


class FileSink(_Descriptor):
    """A file that has exactly the bytes of the stream, whenever anything was killed.

    Args:
        path: made if it is not there. An older file is overwritten: what it has beyond the stream's bytes is
            cut off.
    """

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        super().__init__(os.open(path, flags, 0o666))
        self._path = path
        self._tell = tell

    async def begin(self, consumed: int) -> None:
        """See `Sink.begin`."""
        size = os.fstat(self._descriptor).st_size
        if size < consumed:
            raise InputError(
                f"An earlier run has received {consumed} bytes, and {self._path} has {size} of them. Nothing "
                "was changed. Name the right file, or begin again with --anew at the other side.",
                code="another-output",
            )
        os.ftruncate(self._descriptor, consumed)
        os.lseek(self._descriptor, consumed, os.SEEK_SET)
        if consumed:
            self._tell(f"Going on at byte {consumed} of {self._path}.")

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
