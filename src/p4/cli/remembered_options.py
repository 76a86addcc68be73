"""The options of `p4 up` that its user gave last: the next start, also one by itself, uses them again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from p4.errors import StateError

__all__ = ["given_options", "remember_options", "remembered_options"]

_LARGEST_BYTES = 64 * 1024
_NEVER = frozenset({"state_dir", "detach", "plain", "forget_options", "as_json", "verbose"})
"""Of one start, not of the daemon."""


def _path(state_dir: Path) -> Path:
    return state_dir / "daemon" / "options.json"


def remembered_options(state_dir: Path) -> dict[str, Any]:
    """What was given last, by parameter; nothing if that cannot be read.

    Raises:
        StateError: ``corrupt-options``: the file is damaged. A start without them might show the device to
            others in
            a way that its user did not want.
    """
    path = _path(state_dir)
    try:
        with path.open("rb") as file:
            entry = json.loads(file.read(_LARGEST_BYTES))
        return dict(entry["options"])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StateError(
            f"{path} holds the options of `p4 up` and cannot be read. Nothing was started. Give them anew "
            "with: p4 up --forget-options",
            path=str(path),
            code="corrupt-options",
        ) from error


def given_options(context: click.Context) -> dict[str, Any]:
    """What the user gave on the command line, in a form that JSON takes."""
    return {
        name: _plain(value)
        for name, value in context.params.items()
        if name not in _NEVER and context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }


def remember_options(state_dir: Path, options: Mapping[str, Any]) -> None:
    """Use these at the next start. On disk when this returns; only the user can read it (TURN passwords)."""
    from p4.adapters.store import files

    path = _path(state_dir)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    text = json.dumps({"format": 1, "options": dict(options)}, indent=2)
    files.write_atomically(path, text.encode())


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value.absolute())
    return list(value) if isinstance(value, tuple) else value
