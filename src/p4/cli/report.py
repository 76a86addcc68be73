"""How a command ends: every error becomes one line on stderr and one exit code.

A person never sees a traceback. What nobody foresaw is written to a file that the line names.
"""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import click

from p4.cli.exit_codes import ExitCode
from p4.cli.output import complain
from p4.errors import InputError, P4Error, StateError

__all__ = ["run_reported"]


def run_reported(action: Callable[[], int]) -> int:
    """Run a command and report how it failed, if it did.

    Returns:
        The exit code: the action's own, or the one that belongs to its error.
    """
    try:
        return action()
    except click.exceptions.Exit as error:
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        complain("Interrupted.")
        return ExitCode.INTERRUPTED
    except click.ClickException as error:
        complain(_usage_message(error))
        return ExitCode.USAGE
    except P4Error as error:
        complain(error.message)
        return _exit_code_of(error)
    except BrokenPipeError:
        # Whoever read our output has gone (`p4 run | head`). Nothing is left to say, and to nobody:
        # without this the interpreter complains once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
    except OSError as error:
        complain(_system_message(error))
        return ExitCode.FAILED
    except Exception as error:  # noqa: BLE001 - the last resort: a bug, reported without frightening
        complain(_bug_message(error))
        return ExitCode.FAILED


def _exit_code_of(error: P4Error) -> ExitCode:
    """The exit code that tells a script which kind of error it was."""
    if isinstance(error, InputError):
        return ExitCode.USAGE
    if isinstance(error, StateError):
        return ExitCode.STATE
    return ExitCode.FAILED


def _usage_message(error: click.ClickException) -> str:
    message = error.format_message().rstrip(".")
    if not message.endswith("?"):
        message += "."
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "p4"
    return f"{message} See: {command} --help"


def _system_message(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    return f"The operating system refused: {error.strerror or error}{where}."


def _bug_message(error: Exception) -> str:
    report = "".join(traceback.format_exception(error))
    try:
        handle, path = tempfile.mkstemp(prefix="p4-crash-", suffix=".log")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(report)
    except OSError:
        last_call = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last_call.filename).name} line {last_call.lineno}"
        return f"This is a bug in P4: {type(error).__name__} in {where}. Please report it."
    return (
        f"This is a bug in P4 ({type(error).__name__}). What was saved before stays saved. "
        f"Please report it with the file {path}."
    )
