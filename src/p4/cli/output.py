"""What a person or a script sees: whole lines, flushed at once, and never a peer's control characters."""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from pathlib import Path
from typing import TextIO

__all__ = ["complain", "log_line", "prepare_streams", "say", "set_verbosity", "visible"]

# C0 and C1 controls but the tab, line and paragraph separators, bidirectional overrides, lone surrogates:
# a peer's text must neither move the cursor nor pass for a line of ours.
_UNSAFE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """The text as one harmless line: what could steer a terminal is shown as an escape."""
    return _UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def say(text: str) -> None:
    """Print one or more lines on stdout, at once even into a pipe."""
    # One write with its line end: lines of two threads, or of two processes on one pipe, stay whole.
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


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
