"""A minimal Tor client as a Python package: one program, linked against nothing but the C library.

P4 finds it by itself once the wheel is installed. Nothing is started or configured here.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["binary_path"]


def binary_path() -> Path:
    """The absolute path of the Tor program inside this package.

    Raises ``FileNotFoundError`` if it is not there or may not be executed, which means that the wheel was
    unpacked by something that loses permissions, or runs from inside a zip file.
    """
    path = Path(__file__).resolve().with_name("tor")
    if not os.access(path, os.X_OK):
        raise FileNotFoundError(
            f"The package p4-tor has no program that can be executed at {path}. "
            "Install it again: pip install --force-reinstall p4-tor"
        )
    return path
