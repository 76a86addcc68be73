"""What Tor is given to work in: its directories, sockets and configuration.

onionrelay/            0700, in the state directory; also holds v1's two key files
    torrc              written anew for each start; its being there at a start means an unclean end
    tor/               Tor's DataDirectory: keeps what makes the next start quick
    run/               sockets, cookie and logs
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from p4.adapters.tor.control import Endpoint
from p4.adapters.tor.control_wire import quote
from p4.errors import InputError, StateError

__all__ = ["Workspace", "prepare_workspace", "unix_sockets_work"]

_SOCKET_PATH_BYTES = 100
"""Longest socket path. Linux has room for 107 bytes, macOS for 103."""

_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._@+=:~-]+")
"""Paths that every part of Tor takes without quoting. ADD_ONION cannot quote."""

_LONGEST_NAME = "onion-target"


@dataclass(frozen=True, slots=True)
class Workspace:
    """Paths and configuration of one Tor.

    Args:
        directory: ``onionrelay/``.
        sockets: 0700 directory for Unix sockets, or None to use TCP on 127.0.0.1.
        socks_port: TCP port for SOCKS instead of a Unix socket; None if not asked for.
        control_port: the same for the control port.
        extra_lines: the user's torrc lines.
    """

    directory: Path
    sockets: Path | None
    socks_port: int | None = None
    control_port: int | None = None
    extra_lines: tuple[str, ...] = ()

    @property
    def torrc(self) -> Path:
        """Tor's configuration."""
        return self.directory / "torrc"

    @property
    def defaults_torrc(self) -> Path:
        """Never exists: keeps the system's defaults out, and marks our Tor in the process list."""
        return self.directory / "no-defaults-torrc"

    @property
    def data_directory(self) -> Path:
        """Tor's DataDirectory."""
        return self.directory / "tor"

    @property
    def cookie(self) -> Path:
        """The secret that proves control; Tor writes it anew at each start."""
        return self.directory / "run" / "control-cookie"

    @property
    def control_endpoint_file(self) -> Path:
        """Where Tor writes its control address when it listens."""
        return self.directory / "run" / "control-endpoint"

    @property
    def log(self) -> Path:
        """Tor's notices of this start."""
        return self.directory / "run" / "tor.log"

    @property
    def startup_log(self) -> Path:
        """What Tor says before it logs to `log`; everything about a wrong configuration."""
        return self.directory / "run" / "startup.log"

    @property
    def onion_target(self) -> Path | None:
        """The Unix socket to which the onion service connects, or None for TCP."""
        return self.sockets / _LONGEST_NAME if self.sockets is not None else None

    def side_target(self, service_id: str) -> Path | None:
        """The same for a service beside ours."""
        return self.sockets / f"side-{service_id[:7]}" if self.sockets is not None else None

    @property
    def gate_directory(self) -> Path:
        """Tor's files of the gated service, written anew at each start."""
        return self.directory / "gate"

    @property
    def socks_endpoint(self) -> Endpoint | None:
        """Where SOCKS listens, or None when Tor chooses a TCP port."""
        if self.socks_port is not None:
            return self.socks_port
        return self.sockets / "socks" if self.sockets is not None else None

    def arguments(self) -> list[str]:
        """The command line after the program's name."""
        return ["-f", str(self.torrc), "--defaults-torrc", str(self.defaults_torrc)]

    def torrc_text(self, owner_pid: int) -> str:
        """The configuration. Tor ends when the process ``owner_pid`` is gone."""
        if self.control_port is None and self.sockets is not None:
            control = f"ControlSocket {quote(str(self.sockets / 'control'))}"
        else:
            control = f"ControlPort 127.0.0.1:{self.control_port or 'auto'}"
        socks = self.socks_endpoint
        where = f"unix:{quote(str(socks))}" if isinstance(socks, Path) else f"127.0.0.1:{socks or 'auto'}"
        lines = [
            "# Written by P4 at each start. Give lines of your own to P4, not here.",
            f"DataDirectory {quote(str(self.data_directory))}",
            control,
            f"ControlPortWriteToFile {quote(str(self.control_endpoint_file))}",
            "CookieAuthentication 1",
            f"CookieAuthFile {quote(str(self.cookie))}",
            f"SocksPort {quote(f'{where} OnionTrafficOnly ExtendedErrors')}",
            f"__OwningControllerProcess {owner_pid}",
            f"Log {quote(f'notice file {self.log}')}",
            "TruncateLogFile 1",
            "ClientOnly 1",
            "AvoidDiskWrites 1",
            "ShutdownWaitLength 0",
            "DormantCanceledByStartup 1",
            *self._country_lines(),
            *self.extra_lines,
        ]
        return "\n".join(lines) + "\n"

    def _country_lines(self) -> list[str]:
        """Without its tables of countries Tor starts 0.2 s sooner and takes 30 MB less; only lines of the
        user that name a country, like ``ExcludeNodes {xx}``, need them."""
        if os.name != "posix" or any("{" in line or "geoip" in line.lower() for line in self.extra_lines):
            return []
        return [f"GeoIPFile {os.devnull}", f"GeoIPv6File {os.devnull}"]


def unix_sockets_work() -> bool:
    """Whether this system has Unix sockets that Python and Tor both know (Tor has none on Windows)."""
    return hasattr(socket, "AF_UNIX") and os.name == "posix"


def prepare_workspace(
    directory: Path,
    *,
    unix_sockets: bool,
    socks_port: int | None,
    control_port: int | None,
    extra_lines: Sequence[str],
) -> Workspace:
    """Create the directories, 0700, and choose where the sockets go.

    Raises:
        StateError: ``cannot-create``.
        InputError: ``bad-torrc-line``, ``bad-port``.
    """
    for line in extra_lines:
        if any(character in line for character in "\r\n\0"):
            raise InputError(
                f"The torrc line {line[:60]!r} holds a line break. Give each line by itself.",
                code="bad-torrc-line",
            )
    for port in (socks_port, control_port):
        if port is not None and not 1 <= port <= 65535:
            raise InputError(f"The port {port} is not between 1 and 65535.", code="bad-port")
    directory = directory.expanduser().absolute()
    workspace = Workspace(directory, None, socks_port, control_port, tuple(extra_lines))
    run = directory / "run"
    try:
        for private in (directory, workspace.data_directory, run):
            private.mkdir(mode=0o700, parents=True, exist_ok=True)
            private.chmod(0o700)
        sockets = _socket_directory(directory) if unix_sockets else None
    except OSError as error:
        raise StateError(
            f"P4 cannot prepare {directory} for Tor: {error.strerror}. Check that the directory belongs to "
            "you and the disk is not full.",
            path=str(directory),
            code="cannot-create",
        ) from error
    return Workspace(directory, sockets, socks_port, control_port, tuple(extra_lines))


def _socket_directory(directory: Path) -> Path:
    """``run/``, or, if its path is too long or unusual for a socket, a private one elsewhere."""
    if _fits(directory / "run"):
        return directory / "run"
    name = f"p4-{hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]}"
    for parent in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):  # noqa: S108 - checked
        if parent and _fits(candidate := Path(parent) / name):
            with contextlib.suppress(FileExistsError):
                candidate.mkdir(mode=0o700)
            if _is_private(candidate):
                return candidate
    # Somebody else holds that name in the common directory: take one that nobody can foresee.
    return Path(tempfile.mkdtemp(prefix="p4-", dir="/tmp"))


def _fits(sockets: Path) -> bool:
    path = str(sockets / _LONGEST_NAME)
    return len(os.fsencode(path)) <= _SOCKET_PATH_BYTES and _PLAIN_PATH.fullmatch(path) is not None


def _is_private(directory: Path) -> bool:
    """A real directory, ours, closed to all others: in /tmp anybody may have been there first."""
    status = directory.lstat()
    return (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == os.getuid()
        and stat.S_IMODE(status.st_mode) == 0o700
    )
