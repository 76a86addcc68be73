"""The device that is examined is made by the command line, as a person makes it."""

from __future__ import annotations

from tests.cli.conftest import home, p4, state

__all__ = ["home", "p4", "state"]
