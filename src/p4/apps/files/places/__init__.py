"""Folders that are worked in without ever leaving them, whatever links others plant in them meanwhile."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from p4.apps.files.places.folder import Folder, Found, FoundKind, NotInsideError
from p4.apps.files.places.portable import PortableFolder

__all__ = ["Folder", "Found", "FoundKind", "NotInsideError", "open_below", "open_folder"]

_BY_DESCRIPTOR = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")


def open_folder(path: Path) -> Folder:
    """The folder at a path that our own user chose; links on the way to it are followed.

    Raises:
        OSError: there is none, or it may not be entered.
    """
    if _BY_DESCRIPTOR:
        from p4.apps.files.places.posix import PosixFolder

        return PosixFolder.open(path)
    return PortableFolder.open(path)


def open_below(folder: Folder, names: Sequence[str], *, create: bool = False) -> Folder:
    """A folder some names below another one. The caller closes it, and still has the first one.

    Args:
        create: make what is missing.

    Raises:
        NotInsideError: a name is that of a link, or of something else that is no folder.
        OSError: it is missing, or the system refused.
    """
    at = folder.enter()
    for name in names:
        try:
            if create:
                at.make_folder(name)
            below = at.enter(name)
        finally:
            at.close()
        at = below
    return at
