"""What a person or a script sees: whole lines, flushed at once, and never a peer's control characters."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = [
    "complain",
    "log_line",
    "prepare_streams",
    "say",
    "say_json",
    "say_json_line",
    "set_verbosity",
    "show",
    "visible",
]

# C0 and C1 controls but the tab, line and paragraph separators, bidirectional overrides, lone surrogates:
# a peer's text must neither move the cursor nor pass for a line of ours.
_UNSAFE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

PLAIN_WIDTH = 1000
"""Columns where nobody has a screen: a script reads whole lines."""


def visible(text: str) -> str:
    """The text as one harmless line: what could steer a terminal is shown as an escape."""
    return _UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def say(text: str) -> None:
    """Print one or more lines on stdout, at once even into a pipe."""
    # One write with its line end: lines of two threads, or of two processes on one pipe, stay whole.
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def say_json(value: object) -> None:
    """Print one JSON document, indented. Control characters of strangers are escapes in it."""
    say(_json(value, indent=2))


def say_json_line(value: object) -> None:
    """Print one JSON value on one line, for programs that follow."""
    say(_json(value))


def _json(value: object, indent: int | None = None) -> str:
    # C1 controls and bidirectional overrides are allowed in JSON; a person may look at it in a terminal.
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return _UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def show(*parts: RenderableType, colours: bool = True) -> None:
    """Print tables and texts of rich, as wide as the terminal, with colours where it has them.

    A stranger's text in them must be `visible` already.

    Args:
        colours: False where something else draws on the terminal too.
    """
    # rich takes a while to import.
    from rich.console import Console

    terminal = sys.stdout.isatty()
    target = io.StringIO()
    console = Console(
        file=target,
        width=shutil.get_terminal_size().columns if terminal else PLAIN_WIDTH,
        force_terminal=terminal and colours,
        no_color=None if terminal and colours else True,
        highlight=False,
        emoji=False,
    )
    for part in parts:
        console.print(part)
    say("\n".join(line.rstrip() for line in target.getvalue().rstrip("\n").split("\n")))


def log_line(text: str) -> None:
    """Print a line with its local time, in the form v1's scripts read: ``[YYYY-MM-DD HH:MM:SS] text``."""
    say(f"[{time.strftime('%Y-%m-%d %H:%M:%S')}] {text}")


def complain(message: str) -> None:
    """Print exactly one line on stderr, beginning with ``p4: ``."""
    sentence = visible(" ".join(message.split()))
    sys.stderr.write(f"p4: {sentence}\n")
    sys.stderr.flush()


def prepare_streams() -> None:
    """Let stdout and stderr take any character, whatever the locale: show it escaped if it must be.

    A process may be started without them (a service, ``>&-``); what it says then goes nowhere.
    """
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the process ends
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - as above
    for stream in (sys.stdout, sys.stderr):
        # A test's replacement has no such method and no such problem.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


class _LineFormatter(logging.Formatter):
    """One line per record, so that a library's logged traceback does not flood a person's screen."""

    def format(self, record: logging.LogRecord) -> str:
        reason = ""
        if record.exc_info and record.exc_info[1] is not None:
            reason = f" ({type(record.exc_info[1]).__name__}; -vv shows more)"
        return f"p4: {visible(' '.join(record.getMessage().split()))}{reason}"


class _CurrentStderr(logging.StreamHandler[TextIO]):
    """Writes to what ``sys.stderr`` is now: the prompt replaces it while it is on the screen."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def set_verbosity(level: int) -> None:
    """Choose what is logged on stderr.

    Args:
        level: 0 shows warnings in one line each, 1 (``-v``) what the node does, 2 (``-vv``) everything.
    """
    handler = _CurrentStderr()
    if level < 2:
        handler.setFormatter(_LineFormatter())
    else:
        handler.setFormatter(logging.Formatter("p4: %(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if level >= 2 else logging.WARNING)
    logging.getLogger("p4").setLevel((logging.WARNING, logging.INFO, logging.DEBUG)[min(level, 2)])
