"""What can be done in a folder, all of it with single names in it and never through a link."""

from __future__ import annotations

import errno
import stat
from abc import ABC, abstractmethod
from enum import Enum
from os import stat_result
from typing import IO, NamedTuple, Self

__all__ = ["Folder", "Found", "FoundKind", "NotInsideError"]


class NotInsideError(OSError):
    """A name that is used as a folder's is that of a link, or of something else."""

    def __init__(self, name: str) -> None:
        super().__init__(errno.ENOTDIR, "is no folder of its own", name)


class FoundKind(Enum):
    """What a name stands for."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    OTHER = "other"
    """A device, a pipe, a socket: never read or written."""


class Found(NamedTuple):
    """What is known of a name without opening it."""

    kind: FoundKind
    mode: int
    """POSIX permission bits."""
    size: int
    mtime_ns: int
    identity: tuple[int, int]
    """Device and number: the same for two names of one file."""
    links: int
    """Names that the file has."""

    @classmethod
    def of(cls, status: stat_result, kind: FoundKind | None = None) -> Found:
        """What the system says."""
        if kind is None:
            kind = {
                stat.S_IFREG: FoundKind.FILE,
                stat.S_IFDIR: FoundKind.FOLDER,
                stat.S_IFLNK: FoundKind.LINK,
            }.get(stat.S_IFMT(status.st_mode), FoundKind.OTHER)
        return cls(
            kind,
            stat.S_IMODE(status.st_mode) & 0o777,
            status.st_size if kind is FoundKind.FILE else 0,
            status.st_mtime_ns,
            (status.st_dev, status.st_ino),
            status.st_nlink,
        )


class Folder(ABC):
    """An open folder. Every name given to it is one name, without separators; the caller has checked that.

    All methods raise OSError, and block: call them in a thread.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Needed no more. A second call does nothing."""

    @abstractmethod
    def enter(self, name: str = "") -> Folder:
        """The folder of this name, or another handle of this one. Raises NotInsideError for a link."""

    @abstractmethod
    def names(self) -> list[str]:
        """Everything in it, in no order."""

    @abstractmethod
    def look(self, name: str) -> Found | None:
        """What a name stands for, links not followed; None if nothing has it."""

    @abstractmethod
    def read_link(self, name: str) -> str:
        """The target of a link, as the system spells it."""

    @abstractmethod
    def read(self, name: str) -> IO[bytes]:
        """A file to read, without a buffer. Raises NotInsideError if it is no regular file."""

    @abstractmethod
    def write(self, name: str, *, anew: bool) -> IO[bytes]:
        """A file of ours to write and to read, which nobody else may read yet, without a buffer.

        Args:
            anew: whether it must not exist yet; else it is opened as it is.

        Raises:
            NotInsideError: it is no regular file, or has a second name somewhere.
        """

    @abstractmethod
    def seal(self, file: IO[bytes], name: str, mode: int, mtime_ns: int) -> None:
        """Finish a file of ours: permissions (as far as the user's mask lets it), time, on disk, closed."""

    @abstractmethod
    def make_folder(self, name: str, mode: int = 0o777) -> bool:
        """Make a folder; whether there was none. What else may have the name is not looked at."""

    @abstractmethod
    def make_link(self, name: str, target: str) -> None:
        """Make a link. Raises FileExistsError."""

    @abstractmethod
    def place(self, name: str, final: str, *, replace: bool) -> None:
        """Give a file its final name, at once.

        Raises:
            FileExistsError: without ``replace``, something has that name.
        """

    @abstractmethod
    def remove(self, name: str) -> None:
        """Delete a file or a link, if it is there."""

    @abstractmethod
    def set_time(self, mtime_ns: int) -> None:
        """Set this folder's own time of modification."""

    @abstractmethod
    def sync(self) -> None:
        """Make names safe from a power failure, where the system can."""

    @abstractmethod
    def free(self) -> int:
        """Bytes that we may still write on this disk."""
