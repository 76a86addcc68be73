"""The daemon's own files in the state directory (spec/daemon-api/README.md, "Where it listens")."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from p4.adapters.store import files
from p4.errors import StateError

__all__ = ["DaemonDirectory", "Endpoint"]

_ENDPOINT_FORMAT = 1
_SMALL_FILE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a running daemon listens, for programs of the same user."""

    pid: int
    unix_path: str | None
    """Of the unix socket; None where there are none."""
    port: int
    """TCP, on 127.0.0.1."""
    owner_token: str
    """Opens the TCP port as the owner; for this run."""
    started_ms: int
    """Unix milliseconds."""


class DaemonDirectory:
    """``daemon/`` below a state directory. Nothing is touched before `prepare`."""

    def __init__(self, state_directory: Path) -> None:
        self.path = state_directory.expanduser() / "daemon"

    @property
    def socket_path(self) -> Path:
        """The unix socket, where its path is short enough for one."""
        return self.path / "api.sock"

    @property
    def tokens_path(self) -> Path:
        """Hashes of app tokens."""
        return self.path / "tokens.json"

    @property
    def database_path(self) -> Path:
        """What the apps keep."""
        return self.path / "apps.db"

    @property
    def endpoint_path(self) -> Path:
        """Where a running daemon listens."""
        return self.path / "endpoint.json"

    @property
    def _port_path(self) -> Path:
        return self.path / "port"

    def prepare(self) -> None:
        """Make the directory, or make sure that nobody else can get at it.

        Raises:
            PermissionsError: others can; the message holds the mending command.
            StateError: the system refused.
        """
        try:
            self.path.mkdir(mode=files.DIRECTORY_MODE, exist_ok=True)
        except OSError as error:
            raise files.state_error(error, self.path, "make the directory") from error
        files.check_private([self.path])

    def remove_leftovers(self) -> None:
        """Remove what a killed daemon left behind. Only for who holds the lock of the state directory."""
        for path in (self.endpoint_path, self.socket_path):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def write_endpoint(self, endpoint: Endpoint) -> None:
        """Tell where we listen. Raises StateError."""
        text = json.dumps({"format": _ENDPOINT_FORMAT, **asdict(endpoint)})
        files.write_atomically(self.endpoint_path, text.encode())

    def usual_port(self) -> int:
        """The TCP port of the last run, which apps and browsers know; 0 if there was none."""
        try:
            port = int(files.read_bytes(self._port_path, at_most=_SMALL_FILE_BYTES) or b"0")
        except (StateError, ValueError):
            return 0  # only a convenience
        return port if 0 < port < 1 << 16 else 0

    def remember_port(self, port: int) -> None:
        """Use this port again next time. Raises StateError."""
        if port != self.usual_port():
            files.write_atomically(self._port_path, f"{port}\n".encode())
