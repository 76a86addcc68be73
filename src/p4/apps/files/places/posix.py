"""Folders by descriptor: no name is ever resolved twice, and no link ever followed."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import IO

from p4.apps.files.places.folder import Folder, Found, NotInsideError

__all__ = ["PosixFolder"]


def _flags(*names: str) -> int:
    """Flags of `os.open`; where the system has one of them not, this module is imported and never used."""
    return sum(getattr(os, name, 0) for name in names)


_FOLDER = _flags("O_RDONLY", "O_DIRECTORY", "O_CLOEXEC")
_BELOW = _FOLDER | _flags("O_NOFOLLOW")
_FILE = _flags("O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK")
# O_NONBLOCK: a pipe that somebody put under a name must not hold us up before we see that it is one.
_UMASK = os.umask(0o077)
os.umask(_UMASK)
_REFUSED = {errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.EMLINK}


class PosixFolder(Folder):
    """A folder by its descriptor, which it owns."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def open(cls, path: Path) -> PosixFolder:
        """The folder at a path that may be trusted."""
        return cls(os.open(path, _FOLDER))

    def close(self) -> None:
        """See `Folder`."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def enter(self, name: str = "") -> PosixFolder:
        """See `Folder`."""
        if not name:
            return PosixFolder(os.dup(self._descriptor))
        try:
            return PosixFolder(os.open(name, _BELOW, dir_fd=self._descriptor))
        except OSError as error:
            raise _as_refusal(error, name) from None

    def names(self) -> list[str]:
        """See `Folder`."""
        return os.listdir(self._descriptor)  # noqa: PTH208 - there is no path

    def look(self, name: str) -> Found | None:
        """See `Folder`."""
        try:
            return Found.of(os.stat(name, dir_fd=self._descriptor, follow_symlinks=False))
        except FileNotFoundError:
            return None

    def read_link(self, name: str) -> str:
        """See `Folder`."""
        return os.readlink(name, dir_fd=self._descriptor)

    def read(self, name: str) -> IO[bytes]:
        """See `Folder`."""
        return self._open(name, os.O_RDONLY)

    def write(self, name: str, *, anew: bool) -> IO[bytes]:
        """See `Folder`."""
        return self._open(name, os.O_RDWR | (os.O_CREAT | os.O_EXCL if anew else 0), ours=True)

    def _open(self, name: str, flags: int, *, ours: bool = False) -> IO[bytes]:
        try:
            descriptor = os.open(name, flags | _FILE, 0o600, dir_fd=self._descriptor)
        except OSError as error:
            raise _as_refusal(error, name) from None
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or (ours and status.st_nlink != 1):
                raise NotInsideError(name)  # noqa: TRY301 - closed below
            return os.fdopen(descriptor, "r+b" if ours else "rb", buffering=0)
        except BaseException:
            os.close(descriptor)
            raise

    def seal(self, file: IO[bytes], name: str, mode: int, mtime_ns: int) -> None:
        """See `Folder`."""
        os.fchmod(file.fileno(), (mode & ~_UMASK) | 0o600)
        os.utime(file.fileno(), ns=(mtime_ns, mtime_ns))
        os.fsync(file.fileno())
        file.close()

    def make_folder(self, name: str, mode: int = 0o777) -> bool:
        """See `Folder`."""
        try:
            # Else we could not write into it.
            os.mkdir(name, mode | 0o700, dir_fd=self._descriptor)
        except FileExistsError:
            return False
        return True

    def make_link(self, name: str, target: str) -> None:
        """See `Folder`."""
        os.symlink(target, name, dir_fd=self._descriptor)

    def place(self, name: str, final: str, *, replace: bool) -> None:
        """See `Folder`."""
        here = self._descriptor
        if not replace:
            try:
                os.link(name, final, src_dir_fd=here, dst_dir_fd=here, follow_symlinks=False)
            except FileExistsError:
                raise
            except OSError:
                # A file system without second names: look first, as well as that goes.
                if self.look(final) is not None:
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), final) from None
            else:
                os.unlink(name, dir_fd=here)
                return
        os.rename(name, final, src_dir_fd=here, dst_dir_fd=here)

    def remove(self, name: str) -> None:
        """See `Folder`."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._descriptor)

    def set_time(self, mtime_ns: int) -> None:
        """See `Folder`."""
        os.utime(self._descriptor, ns=(mtime_ns, mtime_ns))

    def sync(self) -> None:
        """See `Folder`."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems know no such thing
                raise

    def free(self) -> int:
        """See `Folder`."""
        figures = os.fstatvfs(self._descriptor)
        return figures.f_bavail * figures.f_frsize


def _as_refusal(error: OSError, name: str) -> OSError:
    return NotInsideError(name) if error.errno in _REFUSED else error
