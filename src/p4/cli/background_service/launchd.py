"""An agent of the user's launchd on macOS (launchd.plist(5))."""

from __future__ import annotations

import os
import plistlib
from collections.abc import Sequence
from pathlib import Path

from p4.cli.background_service.plan import ServicePlan

__all__ = ["agent", "plan"]

_UMASK = 0o077


def agent(label: str, command: Sequence[str]) -> bytes:
    """The property list of the agent."""
    return plistlib.dumps(
        {
            "Label": label,
            "ProgramArguments": list(command),
            "RunAtLoad": True,
            # Started again after a crash, not after `p4 down`.
            "KeepAlive": {"SuccessfulExit": False},
            "ProcessType": "Background",
            "Umask": _UMASK,
        },
        sort_keys=False,
    )


def plan(name: str, command: Sequence[str]) -> ServicePlan:
    """The plan for an agent of the user who runs this."""
    label = f"p2p.{name}.daemon"
    file = Path("~/Library/LaunchAgents").expanduser() / f"{label}.plist"
    domain = f"gui/{os.getuid() if hasattr(os, 'getuid') else 0}"
    return ServicePlan(
        system="launchd",
        file=file,
        content=agent(label, command),
        after_writing=(("launchctl", "bootstrap", domain, str(file)),),
        before_removing=(("launchctl", "bootout", f"{domain}/{label}"),),
        after_removing=(),
        query=("launchctl", "print", f"{domain}/{label}"),
        hints=("It runs while you are logged in.",),
    )
