"""Whether this machine's clock can be right. P4 needs it to a day, Tor to some hours, TURN secrets to one."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime

from p4.adapters.tor.inspection import TorView
from p4.diagnosis.directory import newest_file
from p4.diagnosis.finding import Check, Finding, Level, Patient
from p4.diagnosis.words import duration

__all__ = ["CHECK", "compared_with_files", "compared_with_tor"]

WRITTEN_AFTER = 1_767_225_600.0
"""Unix time of 1 January 2026: this program did not exist before."""

NOTICE_SECONDS = 120.0
"""File systems and clocks that are set by the network differ by less."""

SET_THE_CLOCK = "Set date, time and time zone, or let the system take them from the network."


async def _look(patient: Patient) -> list[Finding]:
    newest = await asyncio.to_thread(newest_file, patient.directory) if patient.directory.is_dir() else None
    return [compared_with_files(time.time(), newest)]


def compared_with_files(now: float, newest: float | None) -> Finding:
    """What is known without asking anybody.

    Args:
        now: Unix time by this machine's clock.
        newest: when something in the state directory was last written, None if nothing is there.
    """
    if now < WRITTEN_AFTER:
        text = f"This machine's clock says {_day(now)}, which is before this program was written."
        return Finding("clock", Level.BAD, text, SET_THE_CLOCK)
    if newest is not None and newest - now > NOTICE_SECONDS:
        behind = duration(newest - now)
        text = f"This machine's clock is at least {behind} behind: files here were written later."
        return Finding("clock", Level.BAD if newest - now > 86_400 else Level.WARN, text, SET_THE_CLOCK)
    return Finding("clock", Level.OK, f"It says {_day(now)}, which agrees with the files here.")


def compared_with_tor(view: TorView, now: float) -> Finding:
    """What the directory of the Tor network says: a new one is made every hour and lasts for three."""
    if view.valid_after is None or view.valid_until is None:
        text = "Tor has no directory of its network yet, so nobody could be asked for the time."
        return Finding("clock", Level.WARN, text)
    began, ends = view.valid_after.timestamp(), view.valid_until.timestamp()
    if now < began - NOTICE_SECONDS:
        text = f"This machine's clock is at least {duration(began - now)} behind what the Tor network says."
        return Finding("clock", Level.BAD, text, SET_THE_CLOCK)
    if now <= ends:
        text = f"It agrees with the Tor network to within {duration(ends - began)}."
        return Finding("clock", Level.OK, text)
    if view.percent < 100:
        text = "Tor's directory is an old one, so nobody could be asked for the time."
        return Finding("clock", Level.WARN, text)
    text = f"This machine's clock may be {duration(now - ends)} fast: Tor's newest directory seems that old."
    return Finding("clock", Level.WARN, text, SET_THE_CLOCK)


def _day(moment: float) -> str:
    try:
        return datetime.fromtimestamp(moment).astimezone().strftime("%Y-%m-%d %H:%M %Z")
    except (OverflowError, OSError, ValueError):
        return f"{moment:.0f} s after 1970"


CHECK = Check("clock", _look, 8.0)
