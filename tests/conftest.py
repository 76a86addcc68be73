"""What every test may rely on, however the run was started."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests.side_by_side import arrange

# A shell starts background jobs with Ctrl-C ignored, and children inherit that. Tests press Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How many examples the property tests try. A time limit for one example would measure the machine's other
# work. `make check` tries the same few each time: the same code, the same verdict.
EVERYWHERE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("check", EVERYWHERE, max_examples=40, derandomize=True)
settings.register_profile("test", EVERYWHERE, max_examples=400, derandomize=False, print_blob=True)

INTEGRATION = Path(__file__).parent / "integration"


def pytest_configure(config: pytest.Config) -> None:
    """Choose the profile; `--hypothesis-profile` names another."""
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile("check" if "not slow" in config.getoption("-m") else "test")


def pytest_xdist_auto_num_workers() -> int:
    """Two more than there are processors, up to 8: many tests wait for time-outs and for processes."""
    return min((os.cpu_count() or 1) + 2, 8)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever runs real parts together is left out of `make check`, marked or not; the longest go first."""
    for item in items:
        if INTEGRATION in item.path.parents:
            item.add_marker(pytest.mark.slow)
    arrange(items)
