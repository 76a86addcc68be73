"""Files with secrets: written whole or not at all, read with suspicion, never overwritten when damaged."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Iterable
from pathlib import Path

from p4.adapters.store import filesystem
from p4.errors import CorruptFileError, PermissionsError, StateError

__all__ = [
    "DIRECTORY_MODE",
    "FILE_MODE",
    "check_private",
    "read_bytes",
    "set_aside",
    "state_error",
    "write_atomically",
]

FILE_MODE = 0o600
"""Mode of every file P4 writes: its owner reads and writes, nobody else anything."""

DIRECTORY_MODE = 0o700
"""Mode of every directory P4 makes."""

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}


def write_atomically(path: Path, data: bytes, mode: int = FILE_MODE, *, exclusive: bool = False) -> None:
    """Replace a file's contents so that after any crash it holds either the old bytes or the new ones.

    The new bytes go into a file beside it, reach the disk, take its name, and then the directory reaches
    the disk too; when this returns the change survives a power cut (as far as drives tell the truth).

    Args:
        exclusive: refuse (code ``exists``) where there is a file of that name, even one that another
            process makes at the same moment.

    Raises:
        StateError: it could not be written; the old contents are unchanged.
    """
    # The leading dot and suffix name it as ours, so that a left-over of a crash can be recognised.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.new")
    try:
        try:
            flags = (
                os.O_WRONLY
                | os.O_CREAT
                | os.O_EXCL
                | getattr(os, "O_CLOEXEC", 0)
                | getattr(os, "O_BINARY", 0)
            )
            descriptor = os.open(temporary, flags, mode)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                filesystem.sync_file(file.fileno())
            if exclusive:
                filesystem.give_new_name(temporary, path)
            else:
                filesystem.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        filesystem.sync_directory(path.parent)
    except FileExistsError as error:
        raise StateError(
            f"{path} exists already; it was not replaced.", path=str(path), code="exists"
        ) from error
    except OSError as error:
        raise state_error(error, path, "write") from error


def read_bytes(path: Path, *, at_most: int) -> bytes | None:
    """The contents of a file, or None where there is none.

    Args:
        at_most: more bytes than this are no file of ours; reading stops there.

    Raises:
        StateError: it exists and cannot be read, or is larger than ``at_most``.
    """
    try:
        with path.open("rb") as file:
            data = file.read(at_most + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise state_error(error, path, "read") from error
    if len(data) > at_most:
        raise StateError(
            f"{path} is larger than {at_most} bytes, which no file of that name is. Nothing was changed.",
            path=str(path),
            code="too-large",
        )
    return data


def check_private(paths: Iterable[Path]) -> None:
    """Refuse files and directories that other users of this machine can read, write or own.

    All of them are named in one message, with one command that mends them. Paths that do not exist are
    skipped. Symbolic links are followed: what counts is who can read the secret itself.

    On Windows nothing is checked: mode bits there say nothing about access (see `filesystem`).

    Raises:
        PermissionsError: code ``open-to-others`` or ``foreign-owner``.
    """
    wide: list[Path] = []
    for path in paths:
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise state_error(error, path, "look at") from error
        owner = filesystem.foreign_owner(status)
        if owner is not None:
            raise PermissionsError(
                f"{path} belongs to another user (id {owner}), who can read and change it at any time. "
                "Nothing was changed. Use a state directory of your own, or, if this one is yours, have it "
                f"given to you: sudo chown -R \"$(id -un)\" '{path}'",
                path=str(path),
                code="foreign-owner",
            )
        if filesystem.open_to_others(status):
            wide.append(path)
    if wide:
        raise PermissionsError(
            "Other users of this machine can get at P4's secret files. Nothing was changed and nothing was "
            f"sent. Take their access away with this command, then start P4 again:\n"
            f"  {filesystem.mending_command(wide)}\n"
            "If somebody else may have read them already, the key in them is no longer only yours: use a "
            "new state directory and pair again.",
            path=str(wide[0]),
            code="open-to-others",
        )


def set_aside(
    path: Path, problem: str, *, consequence: str, companions: Iterable[Path] = ()
) -> CorruptFileError:
    """Move a damaged file out of the way, keeping every byte, and describe what happened.

    Args:
        problem: what is wrong with it, to follow "it".
        consequence: one or more sentences: what is safe, what to do next.
        companions: further files that belong to it and move with it if they exist.

    Returns:
        The error for the caller to raise or report.

    Raises:
        StateError: it cannot be moved; it stays where it is.
    """
    # To the second, in UTC and sortable; _free_name() sees to two in one second.
    marker = time.strftime("corrupt-%Y%m%dT%H%M%SZ", time.gmtime())
    kept = _free_name(path, marker)
    try:
        # The main file first: what a crash in between leaves behind is then plainly incomplete.
        if path.exists():
            filesystem.replace(path, kept)
        for companion in companions:
            if companion.exists():
                # Same marker and number as the main file: together they can be opened again.
                extension = companion.name.removeprefix(path.name)
                separator = "" if extension != companion.name else "-"
                filesystem.replace(companion, kept.with_name(f"{kept.name}{separator}{extension}"))
        filesystem.sync_directory(path.parent)
    except OSError as error:
        raise state_error(error, path, "set aside the damaged") from error
    return CorruptFileError(
        f"{path} cannot be used: it {problem}. It was kept as {kept.name} beside it. {consequence}",
        path=str(path),
        kept_as=str(kept),
    )


def _free_name(path: Path, suffix: str) -> Path:
    """``path`` with ``.suffix`` added, and a number after it where that name is taken."""
    candidate = path.with_name(f"{path.name}.{suffix}")
    number = 2
    while os.path.lexists(candidate):
        candidate = path.with_name(f"{path.name}.{suffix}-{number}")
        number += 1
    return candidate


def state_error(error: OSError, path: Path, action: str) -> StateError:
    """The operating system's refusal as a sentence for a person.

    Args:
        action: what was being done to ``path``, as in "could not <action> <path>".
    """
    if error.errno in _DISK_FULL:
        reason, code, advice = "the disk is full", "disk-full", "Free some space and try again."
    elif error.errno == errno.EROFS:
        reason, code, advice = (
            "the file system is read-only",
            "read-only",
            "Use a state directory on a disk that can be written, or mount this one writable.",
        )
    elif error.errno in {errno.EACCES, errno.EPERM}:
        reason, code, advice = (
            "access was denied",
            "access-denied",
            "Check who owns it and its permissions, or use another state directory.",
        )
    elif error.errno in {errno.ENOTDIR, errno.EEXIST}:
        reason, code, advice = (
            "there is a file where a directory is needed",
            "not-a-directory",
            "Use another path for the state directory, or move that file away.",
        )
    elif error.errno == errno.ELOOP:
        reason, code, advice = "its symbolic links lead in a circle", "symlink-loop", "Mend the link."
    else:
        reason, code, advice = (
            error.strerror or str(error),
            "io-error",
            "Check the disk and the permissions, then try again.",
        )
    return StateError(
        f"Could not {action} {path}: {reason}. What was there before is unchanged. {advice}",
        path=str(path),
        code=code,
    )
