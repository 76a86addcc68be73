"""The sockets: a unix socket where the platform has them, and a TCP port of the loopback interface."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from p4.adapters.store import files
from p4.errors import LocalError

__all__ = ["HAS_UNIX_SOCKETS", "loopback_socket", "unix_socket"]

HAS_UNIX_SOCKETS = hasattr(socket, "AF_UNIX") and os.name == "posix"
"""Python on Windows knows no unix sockets."""

_PATH_BYTES = 100
"""Longest path of a unix socket that every system takes (104 with its end on macOS and BSD)."""

_BACKLOG = 128


@contextmanager
def unix_socket(path: Path) -> Iterator[tuple[socket.socket, Path]]:
    """A listening unix socket that only this user can open, removed at the end.

    Args:
        path: in a private directory. If it is too long for a socket, another private directory is made.

    Yields:
        The socket, and where it is.

    Raises:
        StateError: it cannot be made.
    """
    with contextlib.ExitStack() as held:
        if len(os.fsencode(path)) > _PATH_BYTES:
            path = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="p4-"))) / path.name
        listening = held.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        try:
            # The directory is closed to others, so nobody gets in before the mode is set.
            listening.bind(str(path))
            held.callback(_remove, path)
            path.chmod(files.FILE_MODE)
            listening.listen(_BACKLOG)
        except OSError as error:
            raise files.state_error(error, path, "listen at") from error
        listening.setblocking(False)
        yield listening, path


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()


def loopback_socket(port: int) -> socket.socket:
    """A listening TCP socket on 127.0.0.1.

    Args:
        port: the wanted one; another if it is taken. 0 for any.

    Raises:
        LocalError: ``no-port``: none can be had.
    """
    for candidate in (port, 0) if port else (0,):
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            if os.name == "posix":
                # Elsewhere it would let another program listen on the same port.
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            else:
                listening.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_EXCLUSIVEADDRUSE", 0), 1)
            listening.bind(("127.0.0.1", candidate))
            listening.listen(_BACKLOG)
        except OSError as error:
            listening.close()
            problem = error
            continue
        listening.setblocking(False)
        return listening
    raise LocalError(
        f"No TCP port of this machine could be opened ({problem}). Nothing was changed.",
        code="no-port",
    )
