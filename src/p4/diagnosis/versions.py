"""Which programs take part, and whether they fit."""

from __future__ import annotations

import platform
import sqlite3
import sys

from p4.adapters.webrtc import select_backend
from p4.diagnosis.finding import Check, Finding, Level, Patient
from p4.errors import LocalError
from p4.node.status import installed_versions

__all__ = ["CHECK"]


async def _look(patient: Patient) -> list[Finding]:
    found = installed_versions()
    system = f"{platform.system()} {platform.release()} on {platform.machine()}"
    named = ", ".join(
        [*(f"{name} {number}" for name, number in found.items()), f"SQLite {sqlite3.sqlite_version}", system]
    )
    findings = [Finding("versions", Level.OK, f"{named}.")]
    if sys.platform == "win32" and platform.machine() == "ARM64":
        findings.append(Finding("versions", Level.OK, "On this kind of machine aiortc makes the links."))
    try:
        # Loaded in this process: a library that cannot be loaded says so here, not at the first link.
        backend = select_backend(patient.options.link_backend, warn=lambda _: None)
    except LocalError as error:
        return [*findings, Finding("link library", Level.BAD, error.message)]
    await backend.close()
    if backend.name == "aiortc" and sys.platform != "win32":
        return [
            *findings,
            Finding(
                "link library",
                Level.WARN,
                "Links are made with aiortc, which works and is about ten times slower than wrtc.",
                "Install the faster one: pip install wrtc",
            ),
        ]
    return [*findings, Finding("link library", Level.OK, f"Links are made with {backend.name}.")]


CHECK = Check("versions", _look, 10.0)
