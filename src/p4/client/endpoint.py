"""Where the daemon of a state directory answers (spec/daemon-api, "Where it listens")."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from p4.errors import LocalError

__all__ = ["DEFAULT_STATE_DIR", "Endpoint", "find_endpoint", "no_daemon"]

DEFAULT_STATE_DIR = Path("~/.p4")
"""Where a device keeps its state unless its user says otherwise."""

_LARGEST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How to reach one daemon.

    Args:
        url: beginning of every address, without a slash at its end; ``http://localhost`` on a unix socket.
        unix: path of the unix socket; None for TCP.
        token: of the ``Authorization`` header; empty on a unix socket, whose mode is the permission.
        pid: process id of the daemon, 0 if that is not known.
    """

    url: str
    unix: str | None = None
    token: str = ""
    pid: int = 0

    def __repr__(self) -> str:
        return f"<Endpoint {self.unix or self.url}>"  # never the token


def no_daemon(where: object) -> LocalError:
    """The error for a daemon that does not answer."""
    return LocalError(
        f"No P4 daemon answers for {where}. Nothing was done. Start it: p4 up --detach", code="no-daemon"
    )


def find_endpoint(state_dir: Path) -> Endpoint:
    """What the daemon that works on this state directory has written about itself.

    It may have been killed since: only a connection shows that it lives.

    Raises:
        LocalError: ``no-daemon``: none runs here.
    """
    directory = state_dir.expanduser() / "daemon"
    try:
        with (directory / "endpoint.json").open("rb") as file:
            entry = json.loads(file.read(_LARGEST_BYTES))
        unix, port = entry["unix_path"], int(entry["port"])
        token, pid = str(entry["owner_token"]), int(entry["pid"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise no_daemon(state_dir) from error
    if unix and os.name == "posix":
        return Endpoint("http://localhost", str(unix), "", pid)
    return Endpoint(f"http://127.0.0.1:{port}", None, token, pid)
