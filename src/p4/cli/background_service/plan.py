"""What makes the daemon a service on this kind of system: one file, and the commands that tell the system."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from p4.errors import LocalError

__all__ = ["ServicePlan", "plan_for", "service_name", "started_command"]


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """All that installing, removing and asking about the service takes."""

    system: str
    """Its name for a person, such as ``systemd``."""
    file: Path
    content: bytes
    """Of the file."""
    after_writing: tuple[tuple[str, ...], ...]
    """Commands that make the system run it now and at every login."""
    before_removing: tuple[tuple[str, ...], ...]
    """Commands that end it and make the system forget it."""
    after_removing: tuple[tuple[str, ...], ...]
    query: tuple[str, ...]
    """Its exit code is 0 exactly if the service runs."""
    hints: tuple[str, ...] = ()
    """Sentences on what a person may want to do besides."""


def started_command(state_dir: Path, options: Sequence[str]) -> list[str]:
    """What the system starts: this interpreter, so that another P4 on PATH does not take its place."""
    directory = str(state_dir.expanduser().absolute())
    return [sys.executable, "-m", "p4.cli", "up", "--state-dir", directory, "--plain", *options]


def service_name(state_dir: Path) -> str:
    """``p4`` for the default directory; another one gets a name of its own, the same each time."""
    directory = state_dir.expanduser().absolute()
    if directory == Path("~/.p4").expanduser():
        return "p4"
    return f"p4-{hashlib.sha256(str(directory).encode()).hexdigest()[:8]}"


def plan_for(platform: str, state_dir: Path, options: Sequence[str] = ()) -> ServicePlan:
    """The plan for a platform.

    Args:
        platform: as `sys.platform`.
        state_dir: of the device.
        options: of `p4 up`.

    Raises:
        LocalError: ``not-supported``: none of the three systems.
    """
    from p4.cli.background_service import launchd, systemd, windows

    name, command = service_name(state_dir), started_command(state_dir, options)
    if platform == "win32":
        return windows.plan(name, command, state_dir)
    if platform == "darwin":
        return launchd.plan(name, command)
    if platform == "linux":
        return systemd.plan(name, command)
    raise LocalError(
        f"P4 makes service files for systemd, launchd and Windows, not for {platform}. Nothing was changed. "
        f"Let your system start this at login: {' '.join(command)}",
        code="not-supported",
    )
