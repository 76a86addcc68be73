"""Prints what scripts/lock locks, read from pyproject.toml: ``dev``, ``build`` or ``node``.

tests/test_house.py compares the same lines with the files under requirements/.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def lines(kind: str) -> list[str]:
    """The requirement lines of requirements/KIND.in, with the heading that says where they come from.

    Args:
        kind: ``dev`` (to work on P4: its dependencies and the tools), ``build`` (to install the clone
            itself without the network) or ``node`` (Node.js, for systems whose own is too old).
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    heading = "# Written by scripts/lock from pyproject.toml."
    if kind == "build":
        # pip needs `editables` for an editable installation; hatchling does not depend on it.
        return [heading, *project["build-system"]["requires"], "editables>=0.5"]
    if kind == "node":
        return [heading, *project["dependency-groups"]["node"]]
    return [heading, *project["project"]["dependencies"], *project["dependency-groups"]["dev"]]


if __name__ == "__main__":
    print("\n".join(lines(sys.argv[1])))
