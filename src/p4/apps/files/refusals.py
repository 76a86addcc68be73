"""What the system's errors mean for a copy: a code of spec/files.md, and a sentence for a person."""

from __future__ import annotations

import errno
from collections.abc import Iterable

from p4.apps.files.places import NotInsideError
from p4.errors import TransferError

__all__ = ["Refusal", "ends_everything", "refusal_of", "spelled"]

_SPACE = {errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}
_NAMES = {errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL}
_RIGHTS = {errno.EACCES, errno.EPERM, errno.EROFS}


class Refusal(Exception):  # noqa: N818 - never leaves this package
    """One entry cannot be stored or sent; the others can.

    Args:
        code: of spec/files.md.
        text: a sentence.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def spelled(names: Iterable[str]) -> str:
    """A path for a person to read: what a terminal would obey is escaped."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in "/".join(names))


def refusal_of(error: OSError, names: Iterable[str]) -> Refusal:
    """Why the system refused a path."""
    path = spelled(names)
    if isinstance(error, NotInsideError):
        return Refusal(
            "exists", f"{path}: a name on the way is that of a link, or of something that is no folder."
        )
    if error.errno in _SPACE:
        return Refusal("disk-full", f"{path}: the disk is full.")
    if error.errno in _RIGHTS:
        return Refusal("permission", f"{path}: permission denied.")
    if error.errno in _NAMES:
        return Refusal("bad-name", f"{path}: this disk takes no such name.")
    if error.errno == errno.ENOENT:
        return Refusal("not-found", f"{path}: there is no such file.")
    if error.errno == errno.EISDIR:
        return Refusal("exists", f"{path}: a folder has that name.")
    return Refusal("disk", f"{path}: {error.strerror or error}.")


def ends_everything(refusal: Refusal) -> None:
    """Raise TransferError if the next file would fare no better."""
    if refusal.code == "disk-full":
        raise TransferError(
            f"{refusal.text} What has arrived is kept. Free some space, then start the copy again.",
            code="disk-full",
        )
