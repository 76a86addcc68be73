"""Prints what scripts/lock locks, read from pyproject.toml: ``dev`` or ``build``.

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
        kind: ``dev`` (to work on P4: its dependencies and the tools) or ``build`` (to install the clone
            itself without the network).
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    heading = "# Written by scripts/lock from pyproject.toml."
    if kind == "build":
        # pip needs `editables` for an editable installation; hatchling does not depend on it.
        return [heading, *project["build-system"]["requires"], "editables>=0.5"]
    return [heading, *project["project"]["dependencies"], *project["dependency-groups"]["dev"]]


if __name__ == "__main__":
    print("\n".join(lines(sys.argv[1])))
