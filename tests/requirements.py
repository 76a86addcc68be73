"""What a test needs of the machine: skipped with a reason for a person, a failure in CI.

A skipped test proves nothing, and nobody reads the skips of a machine. So where ``CI`` is set, something
missing is a failure: the project's own set-up (scripts/setup) should have brought it.
"""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

__all__ = ["missing", "require_program", "require_root"]


def missing(reason: str) -> NoReturn:
    """Skip the running test for ``reason``, or fail it where ``CI`` is set."""
    if os.environ.get("CI"):
        pytest.fail(f"In CI nothing may be skipped: {reason}", pytrace=False)
    pytest.skip(reason)


def require_program(name: str, *alternatives: str) -> str:
    """The path of the program ``name`` (or of the first alternative that exists).

    Looks in the sbin directories as well, which are not on every user's PATH.
    """
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
    for candidate in (name, *alternatives):
        found = shutil.which(candidate, path=path)
        if found:
            return found
    missing(f"the program {name} is not installed; `scripts/setup test` installs it")


def require_root() -> None:
    """The test makes network namespaces or the like, which only root may."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        missing("this test needs root (network namespaces): run it with sudo")
