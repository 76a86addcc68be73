"""A unit of the user's systemd (systemd.service(5), systemd.syntax(7))."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from p4.cli.background_service.plan import ServicePlan

__all__ = ["plan", "quoted", "unit"]

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "$": "$$", "%": "%%"}


def quoted(word: str) -> str:
    """A word of ``ExecStart`` as systemd takes it literally: no specifiers, no variables."""
    return '"' + "".join(_ESCAPES.get(character, character) for character in word) + '"'


def unit(command: Sequence[str]) -> str:
    """The text of the unit."""
    return f"""\
[Unit]
Description=P4: keeps this device's contacts connected
Documentation=man:systemd.service(5)
After=network.target

[Service]
Type=exec
ExecStart={" ".join(map(quoted, command))}
Restart=on-failure
RestartSec=5
# The daemon ends within 2 s; what was accepted is on disk.
TimeoutStopSec=10
UMask=0077
NoNewPrivileges=yes

[Install]
WantedBy=default.target
"""


def plan(name: str, command: Sequence[str]) -> ServicePlan:
    """The plan for a unit ``NAME.service`` of the user."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
    service = f"{name}.service"
    return ServicePlan(
        system="systemd",
        file=home / "systemd" / "user" / service,
        content=unit(command).encode(),
        after_writing=(
            ("systemctl", "--user", "daemon-reload"),
            ("systemctl", "--user", "enable", "--now", service),
        ),
        before_removing=(("systemctl", "--user", "disable", "--now", service),),
        after_removing=(("systemctl", "--user", "daemon-reload"),),
        query=("systemctl", "--user", "is-active", "--quiet", service),
        hints=(
            "It runs while you are logged in. To run it from boot on: loginctl enable-linger",
            f"Its messages: journalctl --user -u {service}",
        ),
    )
