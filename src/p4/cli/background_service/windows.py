"""A task of the Windows task scheduler, begun at logon (Task Scheduler Schema 1.2).

A task, not a service: it runs as the user, needs no administrator, and sees the user's files.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from p4.cli.background_service.plan import ServicePlan

__all__ = ["plan", "task"]

_NAMESPACE = "http://schemas.microsoft.com/windows/2004/02/mit/task"


def task(command: Sequence[str]) -> bytes:
    """The XML of the task, in UTF-16 as ``schtasks`` wants it."""
    root = ET.Element("Task", {"version": "1.2", "xmlns": _NAMESPACE})

    def add(path: str, text: str) -> None:
        *parents, last = path.split("/")
        at = root
        for name in parents:
            found = at.find(name)
            at = ET.SubElement(at, name) if found is None else found
        ET.SubElement(at, last).text = text

    add("RegistrationInfo/Description", "P4: keeps this device's contacts connected")
    add("Triggers/LogonTrigger/Enabled", "true")
    add("Principals/Principal/LogonType", "InteractiveToken")
    add("Principals/Principal/RunLevel", "LeastPrivilege")
    add("Settings/MultipleInstancesPolicy", "IgnoreNew")
    add("Settings/DisallowStartIfOnBatteries", "false")
    add("Settings/StopIfGoingOnBatteries", "false")
    add("Settings/ExecutionTimeLimit", "PT0S")
    add("Settings/Hidden", "true")
    add("Settings/RestartOnFailure/Interval", "PT1M")
    add("Settings/RestartOnFailure/Count", "999")
    add("Actions/Exec/Command", command[0])
    add("Actions/Exec/Arguments", subprocess.list2cmdline(command[1:]))
    ET.indent(root)
    text = '<?xml version="1.0" encoding="UTF-16"?>\n' + ET.tostring(root, encoding="unicode")
    return text.encode("utf-16")


def plan(name: str, command: Sequence[str], state_dir: Path) -> ServicePlan:
    """The plan for a task of the user who runs this."""
    file = state_dir.expanduser().absolute() / "daemon" / "task.xml"
    title = f"P4 {name}"
    return ServicePlan(
        system="the Windows task scheduler",
        file=file,
        content=task(command),
        after_writing=(
            ("schtasks", "/Create", "/F", "/TN", title, "/XML", str(file)),
            ("schtasks", "/Run", "/TN", title),
        ),
        before_removing=(
            ("schtasks", "/End", "/TN", title),
            ("schtasks", "/Delete", "/F", "/TN", title),
        ),
        after_removing=(),
        query=("schtasks", "/Query", "/TN", title),
        hints=("It runs while you are logged on.",),
    )
