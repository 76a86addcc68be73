"""The state directory: its files, who else can read them, and the room on its disk."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from pathlib import Path

from p4.adapters.store.overview import read_overview
from p4.adapters.store.state_dir import StateDirectory
from p4.diagnosis.finding import Check, Finding, Level, Patient
from p4.errors import P4Error

__all__ = ["CHECK", "disk_findings", "newest_file"]

SCARCE_BYTES, TOO_FEW_BYTES = 200_000_000, 20_000_000
"""Free space at which a person should know, and at which messages will soon be refused."""


async def _look(patient: Patient) -> list[Finding]:
    # In a thread: a directory on a slow network disk must not hold up the other checks.
    return await asyncio.to_thread(_findings, patient)


def _findings(patient: Patient) -> list[Finding]:
    directory = patient.directory
    if not directory.exists():
        return [
            Finding(
                "state",
                Level.WARN,
                f"There is no state directory {directory} yet.",
                f'Make this device\'s identity: p4 init --state-dir "{directory}"',
            ),
            *disk_findings(_existing(directory)),
        ]
    notes: list[str] = []
    state = StateDirectory(directory, warn=notes.append)
    try:
        state.prepare()
    except P4Error as error:
        return [Finding("files", Level.BAD, error.message), *disk_findings(directory)]
    closed = (
        "Only you can read it." if os.name == "posix" else "Who can read it is not checked on this system."
    )
    findings = [Finding("files", Level.OK, f"{directory} is in order. {closed}")]
    findings += _identity(state)
    findings += [Finding("files", Level.WARN, note) for note in notes]
    try:
        queued = sum(each.queued_messages for each in read_overview(state.database_path).values())
    except P4Error as error:
        findings.append(Finding("database", Level.BAD, error.message))
    else:
        findings.append(Finding("database", Level.OK, f"It can be read; {queued} messages wait in it."))
    return findings + disk_findings(directory)


def _identity(state: StateDirectory) -> list[Finding]:
    # Looked at, not loaded: loading sets a damaged file aside, and a diagnosis changes nothing.
    if any(state.path.glob("identity_ed25519.*")):
        return []
    lost = any(state.path.glob("p4.sqlite3*"))
    if lost:
        text = "There are traces of an identity, and the identity itself is gone."
        advice = (
            "Put a backup of identity_ed25519.json there; without one, use a new directory and pair again."
        )
        return [Finding("identity", Level.BAD, text, advice)]
    return [
        Finding("identity", Level.WARN, "There is no identity yet.", f'p4 init --state-dir "{state.path}"')
    ]


def disk_findings(directory: Path) -> list[Finding]:
    """How much room there is where a directory is."""
    free = shutil.disk_usage(directory).free
    room = f"{free / 1_000_000_000:.1f} GB are free on the disk of {directory}."
    if free < TOO_FEW_BYTES:
        room = (
            f"{free / 1_000_000:.1f} MB are free on the disk of {directory}: messages will be refused soon."
        )
        return [Finding("disk", Level.BAD, room, "Free some space.")]
    if free < SCARCE_BYTES:
        room = f"{free / 1_000_000:.0f} MB are free on the disk of {directory}."
        return [Finding("disk", Level.WARN, room, "Free some space before large files arrive.")]
    return [Finding("disk", Level.OK, room)]


def newest_file(directory: Path) -> float | None:
    """Unix time at which something in the directory was last written; None if there is nothing."""
    times = []
    for path in [*directory.glob("*"), *directory.glob("onionrelay/tor/*")]:
        try:
            times.append(path.stat().st_mtime)
        except OSError:  # gone meanwhile
            continue
    return max((moment for moment in times if moment < time.time() + 100 * 365 * 86400), default=None)


def _existing(directory: Path) -> Path:
    """The directory, or the nearest one above it that exists."""
    return next(path for path in (directory.absolute(), *directory.absolute().parents) if path.exists())


CHECK = Check("state directory", _look, 8.0)
