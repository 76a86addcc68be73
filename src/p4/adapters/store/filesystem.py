"""What the file system of this platform can and cannot do: permissions, owners, durable renames.

POSIX has mode bits and lets a directory be synced, which is what makes a rename durable. Windows has
neither: a directory below the user's profile is private through the access list it inherits, directory
entries are journalled by NTFS, and a file that another program has open (a virus scanner, a backup) cannot
be replaced until that program lets go, usually a moment later.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
import sys
import time
from collections.abc import Sequence
from pathlib import Path

__all__ = [
    "HAS_MODE_BITS",
    "RENAMES_OPEN_FILES",
    "foreign_owner",
    "give_new_name",
    "mending_command",
    "open_to_others",
    "replace",
    "sync_directory",
    "sync_file",
    "write_all",
]

HAS_MODE_BITS = sys.platform != "win32"
"""Whether the mode bits of a file say who may read it. On Windows they do not (see above)."""

RENAMES_OPEN_FILES = sys.platform != "win32"
"""Whether a file that a program (here: SQLite) holds open can be given another name."""

_SHARING_RETRIES_SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
"""Waits between attempts to replace a file that another program holds open on Windows."""

_VECTOR = 256
"""Buffers in one call; POSIX promises 16, every system in use takes 1024."""

_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What file systems without hard links answer to link(2)."""


def sync_file(descriptor: int) -> None:
    """Return when the file's contents are on the medium, as far as the platform can tell."""
    if sys.platform == "darwin":
        # fsync on macOS stops at the drive's volatile cache; F_FULLFSYNC goes through it (fsync(2)).
        import fcntl  # not available on Windows

        try:
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        except OSError:
            pass  # not offered by this file system: fall back to what it has
        else:
            return
    os.fsync(descriptor)


def sync_directory(path: Path) -> None:
    """Make renames, creations and removals in a directory durable; nothing to do on Windows."""
    if sys.platform != "win32":
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            sync_file(descriptor)
        finally:
            os.close(descriptor)


def write_all(descriptor: int, buffers: Sequence[bytes | memoryview]) -> None:
    """Write buffers one after the other, with as few calls as the platform allows.

    Raises:
        OSError: a part may be written.
    """
    for start in range(0, len(buffers), _VECTOR):
        group = buffers[start : start + _VECTOR]
        if sys.platform == "win32":
            written, size = 0, -1
        else:
            written, size = os.writev(descriptor, group), sum(map(len, group))
        if written != size:
            rest = memoryview(b"".join(group))[written:]
            while rest:
                rest = rest[os.write(descriptor, rest) :]


def replace(source: Path, target: Path) -> None:
    """Move ``source`` over ``target`` in one step, waiting out other programs' short holds on Windows."""
    for pause in _SHARING_RETRIES_SECONDS if sys.platform == "win32" else ():
        try:
            source.replace(target)
        except PermissionError:
            time.sleep(pause)
        else:
            return
    source.replace(target)


def give_new_name(source: Path, target: Path) -> None:
    """Move ``source`` to ``target``, which must not exist.

    Raises:
        FileExistsError: it does; ``source`` is where it was.
    """
    if sys.platform == "win32":
        source.rename(target)  # refuses an existing target there
    else:
        try:
            os.link(source, target)
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            # FAT and some network file systems: the check and the move are two steps.
            if os.path.lexists(target):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
            source.replace(target)
        else:
            source.unlink()


def open_to_others(status: os.stat_result) -> bool:
    """Whether anyone but the owner has any right to the file; always False on Windows."""
    return HAS_MODE_BITS and bool(stat.S_IMODE(status.st_mode) & 0o077)


def foreign_owner(status: os.stat_result) -> int | None:
    """The owner's user id if the file belongs to someone whom we should not trust with it.

    Root is let through in both directions: root's files cannot be kept from root anyway, and ``sudo p4``
    on one's own directory is a mishap that must stay repairable.
    """
    if sys.platform != "win32" and os.geteuid() != 0 and status.st_uid not in {os.geteuid(), 0}:
        return status.st_uid
    return None


def mending_command(paths: Sequence[Path]) -> str:
    """One command for a shell that takes all rights on the paths away from everyone but the owner."""
    return "chmod go-rwx " + " ".join(shlex.quote(str(path)) for path in paths)
