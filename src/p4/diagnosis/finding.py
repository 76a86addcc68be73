"""What a check finds, what it is given, and how checks run: beside each other, and never without an end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from p4.errors import P4Error
from p4.node.options import NodeOptions
from p4.node.status import NodeStatus

__all__ = ["Check", "Finding", "Level", "Patient", "examine"]

_log = logging.getLogger(__name__)


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    """It works, with less than there could be; or it could not be found out."""
    BAD = "bad"
    """It keeps P4 from working, now or soon."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found."""

    subject: str
    """What it is about, in one to three words."""
    level: Level
    text: str
    """What was found, in a sentence."""
    advice: str = ""
    """What to do next; empty where there is nothing to do."""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined.

    Args:
        directory: the state directory, which need not exist.
        options: as `p4 run` would take them.
        holder: the process that works on the directory now, None if there is none.
        tor: whether Tor may be started.
        running: how the node on the directory is, where one runs and tells.
    """

    directory: Path
    options: NodeOptions
    holder: int | None
    tor: bool = True
    running: NodeStatus | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at.

    Args:
        name: what it is about.
        run: looks, and gives at least one finding. Errors of P4 it may raise.
        seconds: after which it is given up.
    """

    name: str
    run: Callable[[Patient], Awaitable[list[Finding]]]
    seconds: float


async def examine(checks: Sequence[Check], patient: Patient) -> AsyncIterator[list[Finding]]:
    """Run all checks at once; gives the findings of each, in the order of ``checks``, as they come.

    Whatever happens inside a check is a finding too.
    """
    running = [asyncio.create_task(_guarded(check, patient), name=check.name) for check in checks]
    try:
        for task in running:
            yield await task
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _guarded(check: Check, patient: Patient) -> list[Finding]:
    try:
        async with asyncio.timeout(check.seconds):
            return await check.run(patient)
    except TimeoutError:
        text = f"It took longer than {check.seconds:g} s and was given up."
        return [Finding(check.name, Level.WARN, text, "Try again when the machine is less busy.")]
    except P4Error as error:
        return [Finding(check.name, Level.BAD, error.message)]
    except OSError as error:
        text = f"The operating system refused: {error.strerror or error}."
        return [
            Finding(check.name, Level.WARN, text, "See whether P4 is kept from it by a sandbox or policy.")
        ]
    except Exception as error:  # noqa: BLE001 - a diagnosis must not end because one of its checks is wrong
        _log.debug("the check %r failed", check.name, exc_info=error)
        text = f"This check itself failed ({type(error).__name__}); that says nothing about your device."
        return [Finding(check.name, Level.WARN, text, "Please report it, with what `p4 -vv doctor` prints.")]
