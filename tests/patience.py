"""How long a test waits for what takes its time on a machine that has more to do."""

from __future__ import annotations

import os

import psutil

__all__ = ["patience"]


def patience(seconds: float) -> float:
    """A time limit that grows with the number of programs that want a processor now.

    A promise such as "ends within 2 s" is made for a machine that is not busy with other things. Where tests
    run side by side, each program gets a part of a processor only, and its times stretch accordingly; the
    promise then has to be kept in proportion. On an idle machine the limit is the promise itself.

    Args:
        seconds: what is promised.
    """
    wanting = max(psutil.getloadavg()[:2]) / (os.cpu_count() or 1)
    return seconds * max(1.0, 2 * wanting)
