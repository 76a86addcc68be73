"""How much the exploring tests try: little in each `make test`, much in `make soak`. All of it is here.

A test that explores takes its `count` from here (`explored`) and runs twice: with the smaller count in
`make test`, with the larger one in `make soak`. What is quick enough for `make check` is in tests of its own
beside it. Seeds count from a number that the test names: the larger run repeats the smaller one. Planted bugs
have counts of their own, beside them: whatever finds them.

Property tests (Hypothesis) take the number of their examples from the profile: `EXAMPLES`.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import settings

__all__ = [
    "EXAMPLES",
    "Effort",
    "examples",
    "explored",
]

EXAMPLES = {"check": 40, "test": 100, "soak": 5_000}
"""Examples of a property test, by the name of its profile (tests/conftest.py)."""

MINUTES = 15
"""What a test may take in `make test` on the slowest machine; `make soak` waits for ever."""


def examples(part: float) -> settings:
    """For property tests with dear examples, or with many cheap ones: this part of the profile's number."""
    return settings(max_examples=max(1, round(part * settings().max_examples)))


class Effort(NamedTuple):
    """How much one test tries."""

    test: int
    """In `make test`; 0: nothing, the test is for `make soak` only."""
    soak: int
    """In `make soak`."""


def explored(effort: Effort) -> pytest.MarkDecorator:
    """Gives a test its argument `count`, once for `make test` and once for `make soak`."""
    slow = pytest.param(
        effort.test, id=f"{effort.test}", marks=[pytest.mark.slow, pytest.mark.timeout(60 * MINUTES)]
    )
    soak = pytest.param(effort.soak, id=f"{effort.soak}", marks=[pytest.mark.soak, pytest.mark.timeout(0)])
    return pytest.mark.parametrize("count", [slow, soak] if effort.test else [soak])


# --- whole nodes on virtual time (tests/sim): seeds ---------------------------------------------------------

CHAOS = Effort(test=20, soak=5_000)
CHAOS_OF_STREAMS = Effort(test=16, soak=5_000)
CLOCK_JUMPS = Effort(test=10, soak=2_000)
RESTORED_BACKUPS = Effort(test=30, soak=5_000)
RESTORED_STREAMS = Effort(test=30, soak=2_000)
RESTARTS_IN_STEP = Effort(test=60, soak=5_000)
ROAMING = Effort(test=25, soak=2_000)
BROKEN_LANES = Effort(test=40, soak=3_000)

# --- pure machines in small worlds (tests/property, tests/core): states -----------------------------------

DIAL_STATES = Effort(test=8_000, soak=100_000)
CALL_STATES = Effort(test=8_000, soak=1_000_000)
MORE_CALL_STATES = Effort(test=8_000, soak=300_000)
MESSAGE_STATES = Effort(test=2_000, soak=1_000_000)
STREAM_SURPRISES = Effort(test=2, soak=3)
"""Moves that are not the likeliest, in one history."""
DIAL_STEPS_MORE = Effort(test=1, soak=2)
"""Steps in any order, beyond those of `make check`."""

# --- pure machines in long random histories ---------------------------------------------------------------

DIAL_ORDERS = Effort(test=2_000, soak=50_000)
MESSAGE_HISTORIES = Effort(test=150, soak=20_000)
STREAM_HISTORIES = Effort(test=300, soak=50_000)
HISTORIES_OF_DATABASES = Effort(test=40, soak=3_000)
HISTORIES_OF_MEMORY = Effort(test=80, soak=8_000)
