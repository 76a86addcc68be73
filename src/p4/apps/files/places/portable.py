"""Folders by path, for systems without `openat`: every name on the way is checked before it is used.

Between a check and the use another program of this machine could put a link in its place. Contacts cannot:
none of their links is made here.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import IO

from p4.apps.files.places.folder import Folder, Found, FoundKind, NotInsideError

__all__ = ["PortableFolder"]

_FLAGS = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class PortableFolder(Folder):
    """A folder by its path.

    Args:
        root: real path of the folder that is never left.
        path: the folder itself, at or below it.
    """

    def __init__(self, root: Path, path: Path) -> None:
        self._root = root
        self._path = path

    @classmethod
    def open(cls, path: Path) -> PortableFolder:
        """The folder at a path that may be trusted."""
        real = path.resolve(strict=True)
        if not real.is_dir():
            raise NotInsideError(str(path))
        return cls(real, real)

    def close(self) -> None:
        """See `Folder`."""

    def enter(self, name: str = "") -> PortableFolder:
        """See `Folder`."""
        if not name:
            return PortableFolder(self._root, self._path)
        path = self._own(name)
        found = _found(path.lstat())
        if found.kind is not FoundKind.FOLDER or path.resolve(strict=True).parent != self._path:
            raise NotInsideError(name)
        return PortableFolder(self._root, path)

    def names(self) -> list[str]:
        """See `Folder`."""
        return os.listdir(self._checked())  # noqa: PTH208 - names, not paths

    def look(self, name: str) -> Found | None:
        """See `Folder`."""
        try:
            return _found(self._own(name).lstat())
        except FileNotFoundError:
            return None

    def read_link(self, name: str) -> str:
        """See `Folder`."""
        return os.readlink(self._own(name))  # noqa: PTH115 - as the system spells it

    def read(self, name: str) -> IO[bytes]:
        """See `Folder`."""
        return self._open(name, os.O_RDONLY)

    def write(self, name: str, *, anew: bool) -> IO[bytes]:
        """See `Folder`."""
        return self._open(name, os.O_RDWR | (os.O_CREAT | os.O_EXCL if anew else 0), ours=True)

    def _open(self, name: str, flags: int, *, ours: bool = False) -> IO[bytes]:
        path = self._own(name)
        before = self.look(name)
        if before is not None and before.kind is not FoundKind.FILE:
            raise NotInsideError(name)
        descriptor = os.open(path, flags | _FLAGS, 0o600)
        try:
            found = _found(os.fstat(descriptor))
            changed = before is not None and before.identity != found.identity
            if found.kind is not FoundKind.FILE or changed or (ours and found.links > 1):
                raise NotInsideError(name)  # noqa: TRY301 - closed below
            return os.fdopen(descriptor, "r+b" if ours else "rb", buffering=0)
        except BaseException:
            os.close(descriptor)
            raise

    def seal(self, file: IO[bytes], name: str, mode: int, mtime_ns: int) -> None:
        """See `Folder`."""
        path = self._own(name)
        os.fsync(file.fileno())
        file.close()  # before its time is set, which closing may set once more
        path.chmod(mode | 0o600)
        os.utime(path, ns=(mtime_ns, mtime_ns))

    def make_folder(self, name: str, mode: int = 0o777) -> bool:
        """See `Folder`."""
        try:
            self._own(name).mkdir(mode | 0o700)
        except FileExistsError:
            return False
        return True

    def make_link(self, name: str, target: str) -> None:
        """See `Folder`. Not done: see the module."""
        raise OSError(errno.ENOTSUP, "Links are not made on this system.", name)

    def place(self, name: str, final: str, *, replace: bool) -> None:
        """See `Folder`."""
        source, target = self._own(name), self._own(final)
        if not replace and self.look(final) is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), final)
        source.replace(target)

    def remove(self, name: str) -> None:
        """See `Folder`."""
        with suppress(FileNotFoundError):
            self._own(name).unlink()

    def set_time(self, mtime_ns: int) -> None:
        """See `Folder`."""
        os.utime(self._checked(), ns=(mtime_ns, mtime_ns))

    def sync(self) -> None:
        """See `Folder`. Such systems keep their names in order by themselves."""

    def free(self) -> int:
        """See `Folder`."""
        return shutil.disk_usage(self._checked()).free

    def _checked(self) -> Path:
        """The path, if no name on the way to it has become a link."""
        if self._path.resolve(strict=True) != self._path or not self._path.is_relative_to(self._root):
            raise NotInsideError(str(self._path))
        return self._path

    def _own(self, name: str) -> Path:
        path = self._checked() / name
        if path.parent != self._path or path.name != name:
            raise NotInsideError(name)
        return path


def _found(status: os.stat_result) -> Found:
    if getattr(status, "st_file_attributes", 0) & getattr(stat, "FILE_ATTRIBUTE_REPARSE_POINT", 0):
        return Found.of(status, FoundKind.LINK)  # also a junction, which is a folder otherwise
    return Found.of(status)
