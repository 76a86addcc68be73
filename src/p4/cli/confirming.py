"""Questions before what cannot be undone, and passphrases: never from the command line itself."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from p4.cli.input_files import read_text
from p4.errors import InputError

__all__ = ["agreed", "passphrase_option", "read_passphrase", "yes_option"]

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_PASSPHRASE_BYTES = 4096

yes_option = click.option("--yes", "-y", "yes", is_flag=True, help="Do not ask.")

_passphrase_file_option = click.option(
    "--passphrase-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Read the passphrase from the first line of a file, - for stdin, instead of asking.",
)


def passphrase_option(command: Decorated) -> Decorated:
    """``--passphrase-file``; the command takes ``passphrase_file: Path | None``."""
    return _passphrase_file_option(command)


def agreed(question: str, *, yes: bool, flag: str = "--yes") -> None:
    """Ask a person; returns if the answer is yes.

    Args:
        yes: it was said already.
        flag: which option says it.

    Raises:
        InputError: ``not-confirmed``: no, or there is nobody to ask. Nothing was done.
    """
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise InputError(
            f"This needs a yes, and there is nobody to ask. Nothing was done. Say it with {flag}.",
            code="not-confirmed",
        )
    if not click.confirm(question, default=False, err=True):
        raise InputError("Nothing was done.", code="not-confirmed")


def read_passphrase(file: Path | None, *, new: bool) -> str:
    """The passphrase: from a file, or from a prompt that does not show it.

    Args:
        new: asked for twice, against typing errors.

    Raises:
        InputError: ``no-passphrase``: there is nobody to ask, or the file is empty; or it cannot be read.
    """
    if file is not None:
        lines = read_text(file, largest_bytes=_PASSPHRASE_BYTES).splitlines()
        passphrase = lines[0] if lines else ""
    elif sys.stdin is None or not sys.stdin.isatty():
        raise InputError(
            "There is nobody to ask for a passphrase. Nothing was done. Name a file with --passphrase-file.",
            code="no-passphrase",
        )
    else:
        passphrase = str(click.prompt("Passphrase", hide_input=True, confirmation_prompt=new, err=True))
    if not passphrase:
        raise InputError("The passphrase is empty. Nothing was done.", code="no-passphrase")
    return passphrase
