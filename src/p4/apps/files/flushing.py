"""Has the disk write what has arrived while more arrives, so that making it safe takes little time."""

from __future__ import annotations

import os
from threading import Thread
from typing import IO

from p4.core import limits

__all__ = ["Flushing"]


class Flushing:
    """For one open file. Nothing counts as safe by it: it only shortens the synchronisation that says so.

    Args:
        file: unbuffered; it stays open until `settle` has returned.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._waiting = 0
        self._thread: Thread | None = None
        self._error: OSError | None = None

    def wrote(self, size: int) -> None:
        """So many bytes more wait for the disk."""
        self._waiting += size
        if self._waiting >= limits.FILE_FLUSH_BYTES and (self._thread is None or not self._thread.is_alive()):
            self._waiting = 0
            self._thread = Thread(target=self._flush, name="p4-files-flush", daemon=True)
            self._thread.start()

    def settle(self) -> None:
        """Wait until nothing of it runs.

        Raises:
            OSError: the disk refused something. The system tells that only once: a synchronisation after it
                would succeed although bytes are missing.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._error is not None:
            raise self._error.with_traceback(None)

    def _flush(self) -> None:
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            self._error = error
