"""Where the Tor program is, and what to tell a person who has none."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from p4.errors import TorError

__all__ = ["find_program", "find_tor"]

_ENVIRONMENT_VARIABLE = "P4_ONIONRELAY_BIN"

_MORE_DIRECTORIES = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin", "/opt/local/bin")
"""Debian puts tor where an ordinary user's PATH does not look, and programs started from a macOS
desktop have a short PATH."""

_INSTALL_COMMANDS = {
    "debian": "sudo apt install tor",
    "fedora": "sudo dnf install tor",
    "rhel": "sudo dnf install epel-release && sudo dnf install tor",
    "suse": "sudo zypper install tor",
    "arch": "sudo pacman -S tor",
    "alpine": "sudo apk add tor",
    "macos": "brew install tor",
    "windows": "py -m pip install p4-tor",
}
_ANY_SYSTEM = "pip install p4-tor"


def find_tor(
    explicit: Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    package: str = "p4_tor",
    search_path: str | None = None,
) -> Path:
    """The Tor program to start.

    In this order: ``explicit`` (``--onionrelay-bin``), the environment variable ``P4_ONIONRELAY_BIN``, the
    package ``p4-tor``, ``tor`` on PATH. What was asked for by name is used or refused, never replaced.

    Args:
        explicit: a path given by the user.
        environment: instead of this process's environment, for tests.
        package: module that offers ``binary_path() -> pathlib.Path``.
        search_path: instead of PATH and the usual directories, for tests.

    Raises:
        TorError: ``tor-not-usable`` (the one asked for) or ``tor-missing``, with the command to install it.
    """
    environment = os.environ if environment is None else environment
    if explicit is not None:
        return _usable(explicit, "--onionrelay-bin")
    if named := environment.get(_ENVIRONMENT_VARIABLE):
        return _usable(Path(named), _ENVIRONMENT_VARIABLE)
    packaged = _packaged(package)
    return packaged if packaged is not None else find_program("tor", search_path=search_path)


def find_program(name: str, *, search_path: str | None = None) -> Path:
    """``tor`` or another program of its package.

    Raises:
        TorError: ``tor-missing``, with the command to install it.
    """
    if search_path is None:
        search_path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_MORE_DIRECTORIES])
    found = shutil.which(name, path=search_path)
    if found is None:
        command = _INSTALL_COMMANDS.get(_system(), _ANY_SYSTEM)
        raise TorError(
            f"P4 needs Tor to reach peers, and there is no program “{name}” on this machine. "
            f"Install it with: {command}   (or give its path with --onionrelay-bin or "
            f"{_ENVIRONMENT_VARIABLE})",
            code="tor-missing",
        )
    return Path(found)


def _usable(path: Path, origin: str) -> Path:
    path = path.expanduser()
    # A bare name is looked up like a command; anything else is a path.
    found = shutil.which(str(path))
    if found is None:
        problem = "is not executable" if path.exists() else "does not exist"
        raise TorError(
            f"The Tor program {path} that {origin} names {problem}. Correct the path, or leave it out and "
            "P4 looks for Tor itself.",
            code="tor-not-usable",
        )
    return Path(found).absolute()


def _packaged(package: str) -> Path | None:
    try:
        module = importlib.import_module(package)
    except ImportError:
        return None
    path = Path(module.binary_path())
    return path if path.exists() else None


def _system() -> str:
    """A key of `_INSTALL_COMMANDS`, or something unknown."""
    if sys.platform == "darwin":
        return "macos"
    if sys.platform == "win32":
        return "windows"
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return "unknown"
    family = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    return next((known for known in family if known in _INSTALL_COMMANDS), "unknown")
