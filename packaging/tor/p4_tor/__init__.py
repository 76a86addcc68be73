"""A minimal Tor client as a Python package: one program, linked against nothing but the C library.

P4 finds it by itself once the wheel is installed. Nothing is started or configured here.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["binary_path"]


def binary_path() -> Path:
    """The absolute path of the Tor program inside this package.

    It is a real file wherever pip or uv unpacked the wheel. Nothing checks here that it exists and may be
    executed; whoever starts it sees that.
    """
    return Path(__file__).resolve().with_name("tor")
