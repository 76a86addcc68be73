"""What every test may rely on, however the run was started."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests.counts import EXAMPLES
from tests.side_by_side import Groups, arrange
from xdist.remote import Producer

# A shell starts background jobs with Ctrl-C ignored, and children inherit that. Tests press Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A time limit for one example would measure the machine's other work. The same code gets the same verdict:
# new examples are tried in `make soak` only, and each that finds a bug becomes a test.
EVERYWHERE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
for _name, _count in EXAMPLES.items():
    _same = _name != "soak"
    settings.register_profile(_name, EVERYWHERE, max_examples=_count, derandomize=_same, print_blob=not _same)

INTEGRATION = Path(__file__).parent / "integration"


def pytest_configure(config: pytest.Config) -> None:
    """Choose the profile; `--hypothesis-profile` names another."""
    if not config.getoption("--hypothesis-profile"):
        marks = config.getoption("-m")
        soak = "soak" in marks and "not soak" not in marks
        settings.load_profile("soak" if soak else "check" if "not slow" in marks else "test")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two more than there are processors, up to 8: many tests wait for time-outs and for processes.

    Those of whole programs (tests/side_by_side.py) wait most of the time: there are four more.
    """
    return min((os.cpu_count() or 1) + (4 if config.getoption("dist") == "loadgroup" else 2), 8)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Groups | None:
    """With ``--dist=loadgroup`` ours; else the one that was asked for."""
    return Groups(config, log) if config.getoption("dist") == "loadgroup" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever runs real parts together is left out of `make check`, marked or not; the longest go first."""
    for item in items:
        if INTEGRATION in item.path.parents:
            item.add_marker(pytest.mark.slow)
    arrange(items)


@pytest.fixture
def uncollected() -> Iterator[None]:
    """No garbage collection during the test.

    Vectors nest deeper than Python goes. A collection at the very bottom calls Hypothesis, which then fails
    for want of a frame, and pytest, which hears of that, fails for the same reason.
    """
    gc.disable()
    yield
    gc.enable()
