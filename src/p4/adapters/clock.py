"""The machine's own clock and randomness, behind the ports `Clock` and `Entropy`."""

from __future__ import annotations

import random
import secrets
import time

__all__ = ["SystemClock", "SystemEntropy"]

_NANOSECONDS_PER_MILLISECOND = 1_000_000


class SystemClock:
    """Implements `p4.ports.Clock` with the operating system's clocks."""

    def monotonic(self) -> float:
        """Seconds on `time.monotonic`, which is also what ``loop.time()`` of asyncio's event loops reads.

        Whether it advances while the machine sleeps differs: on Linux and macOS it does not.
        """
        return time.monotonic()

    def wall_ms(self) -> int:
        """Unix time in milliseconds; jumps when the clock is set."""
        return time.time_ns() // _NANOSECONDS_PER_MILLISECOND


class SystemEntropy:
    """Implements `p4.ports.Entropy` with the operating system's generator, safe to share after a fork."""

    def __init__(self) -> None:
        # SystemRandom keeps no state of its own: every draw comes from the kernel, so a forked child or a
        # restored virtual machine never repeats its parent's jitter.
        self._random = random.SystemRandom()

    def token(self, length: int) -> bytes:
        """``length`` unpredictable bytes, fit for nonces and keys."""
        return secrets.token_bytes(length)

    def uniform(self, low: float, high: float) -> float:
        """A number between ``low`` and ``high``, for jitter."""
        return self._random.uniform(low, high)
