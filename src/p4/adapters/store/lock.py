"""One process at a time on a state directory.

The lock is the operating system's (flock on POSIX, a byte-range lock on Windows, both through `filelock`),
so it goes with the process, however that ends; a file beside it names the holder for the message. Programs
started by the holder do not inherit it: Python opens the lock file close-on-exec, and filelock closes it in
a forked child.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

import filelock
import psutil

from p4.adapters.store import files
from p4.errors import AlreadyRunningError, StateError

__all__ = ["hold", "holder"]

PID_WAIT_SECONDS = 0.5
"""How long to wait for a holder that has the lock but has not written its pid yet."""

_PID_POLL_SECONDS = 0.02
_PID_BYTES = 32
_CLOCK_SLACK_SECONDS = 2.0
"""How exactly file systems and process tables tell the time."""


@contextlib.contextmanager
def hold(lock_path: Path, pid_path: Path) -> Iterator[None]:
    """Hold the lock while the context lasts.

    Raises:
        AlreadyRunningError: another holds it; carries its pid where that can be read.
        StateError: the lock cannot be made here.
    """
    lock = filelock.FileLock(
        lock_path,
        timeout=0,
        mode=files.FILE_MODE,
        # The node may be closed from another thread than the one that opened it.
        thread_local=False,
        # Without flock a "soft" lock would stay behind after kill -9 and shut the user out.
        fallback_to_soft=False,
    )
    try:
        lock.acquire()
    except filelock.Timeout:
        pid = _read_pid(pid_path)
        raise AlreadyRunningError(
            f"Another P4 process{f' (pid {pid})' if pid else ''} works on {lock_path.parent} already. "
            "Nothing was changed. Use that one, or stop it"
            + (f" (kill {pid})" if pid and os.name == "posix" else "")
            + ", or give this one a state directory of its own.",
            path=str(lock_path.parent),
            pid=pid,
        ) from None
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise files.state_error(error, lock_path, "lock") from error
        raise StateError(
            f"The file system of {lock_path.parent} has no locks, so two processes could damage the state. "
            "Use a state directory on a local disk.",
            path=str(lock_path.parent),
            code="no-locks",
        ) from error
    try:
        files.write_atomically(pid_path, f"{os.getpid()}\n".encode("ascii"))
        yield
    finally:
        # The pid goes first: once the lock is free, the file may be the next holder's.
        with contextlib.suppress(OSError):
            pid_path.unlink(missing_ok=True)
        lock.release()


def holder(pid_path: Path) -> int | None:
    """The process that holds the lock, as far as the file beside it tells; None if none does.

    The lock itself is not tried: a node that starts at this moment would find it taken.
    """
    try:
        written = pid_path.stat().st_mtime
        pid = int((files.read_bytes(pid_path, at_most=_PID_BYTES) or b"").decode("ascii"))
        # A process that began after the file was written only got the number of one that was killed.
        process = psutil.Process(pid)
        # A zombie has ended, and its locks with it; only its parent has not looked yet.
        alive = (
            pid > 0
            and process.create_time() <= written + _CLOCK_SLACK_SECONDS
            and process.status() != psutil.STATUS_ZOMBIE
        )
    except (OSError, ValueError, StateError, psutil.Error):
        return None
    return pid if alive else None


def _read_pid(path: Path) -> int | None:
    """The pid of the living holder; None if it cannot be told."""
    deadline = time.monotonic() + PID_WAIT_SECONDS
    while True:
        with contextlib.suppress(OSError, ValueError, StateError):
            pid = int((files.read_bytes(path, at_most=_PID_BYTES) or b"").decode("ascii"))
            # A file left by a process that was killed: the new holder is about to replace it.
            if pid > 0 and psutil.pid_exists(pid):
                return pid
        if time.monotonic() >= deadline:
            return None
        time.sleep(_PID_POLL_SECONDS)
