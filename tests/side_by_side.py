"""How the tests of whole programs share one machine (`make test` runs several of them at once).

Most of them wait: for Tor, for routers, for heart-beats. What is dear to start serves all tests of a group,
which one process of the run has to itself; what takes long begins first, so that nothing long is left when
everything else is done. Groups take effect with ``--dist=loadgroup --no-loadscope-reorder``; without, the
tests run in the same order. pytest-xdist's own groups (marks) get lost since node ids of pytest are no plain
strings any more.
"""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling

__all__ = ["Groups", "arrange"]

_GROUPS = {
    "tests/packaging/test_tor_wheel": "the built wheel",
    "tests/integration/punch/test_nat_finding": "its laboratory",
    "tests/integration/turn/test_turn": "its servers",
    "tests/cli/daemon/test_talking": "its daemons",
    "tests/integration/tor/test_onion": "Tor network 1",
    "tests/integration/tor/test_gate": "Tor network 2",
    "tests/integration/tor/test_meeting": "Tor network 2",
    "tests/integration/tor/test_doctor": "Tor network 3",
    "tests/integration/v1/test_onion": "Tor network 3",
    "tests/integration/pairing/test_pairing_for_real": "Tor network 3",
}
"""What files share, by their beginnings; those of one private Tor network take about as long as those of
another."""

_REAL = ("tests/integration/", "tests/packaging/", "tests/cli/")
"""Where whole programs are tested."""

_SECONDS = 600
"""The time limit there, where a test names none: it ends what hangs, and must not measure the machine."""

_FIRST = (
    "tests/packaging/",
    "test_the_whole_story_over_a_private_tor_network",
    "test_bad_paths_idle_links_and_credentials_that_expire",
    "tests/integration/tor/test_onion.py",
    "tests/integration/tor/test_gate",
    "tests/integration/tor/test_doctor.py",
    "test_nothing_is_lost_with_tor_alone",
    "test_ctrl_c_leaves_nothing_of_the_private_network",
    "tests/integration/tor/test_meeting.py",
    "tests/integration/v1/test_onion.py",
    "tests/integration/pairing/test_pairing_for_real.py",
    "tests/cli/daemon/test_talking.py",
    "tests/integration/nat/test_recovery.py",
    "tests/integration/tunnels/",
    "tests/integration/direct/test_kills.py",
    "tests/integration/files/",
    "test_the_whole_story_without_tor",
    "tests/integration/nat/test_paths.py",
    "tests/integration/nat/test_introductions.py",
    "tests/integration/nat/test_connect.py",
    "tests/integration/v1/",
    "tests/integration/",
    "tests/cli/daemon/",
    "tests/cli/test_demo.py",
    "tests/cli/test_film.py",
    "tests/cli/test_run.py",
)
"""What takes longest, first; parts of node ids."""


def arrange(items: list[pytest.Item]) -> None:
    """Put the longest tests first, and give all of them time.

    Args:
        items: all tests of the run; ordered in place.
    """
    for item in items:
        if item.nodeid.startswith(_REAL) and not any(map(item.get_closest_marker, ("timeout", "soak"))):
            item.add_marker(pytest.mark.timeout(_SECONDS))
    items.sort(key=_rank)


class Groups(LoadScopeScheduling):  # type: ignore[misc] # of a package without types
    """Hands out what shares something dear as a whole, and everything else test by test."""

    def _split_scope(self, nodeid: str) -> str:
        return next((group for start, group in _GROUPS.items() if nodeid.startswith(start)), nodeid)


def _rank(item: pytest.Item) -> int:
    return next((rank for rank, part in enumerate(_FIRST) if part in item.nodeid), len(_FIRST))
