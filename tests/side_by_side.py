"""How the tests of whole programs share one machine (`make test` runs several of them at once).

Most of them wait: for Tor, for routers, for heart-beats. What is dear to start serves all tests of a group,
which one process of the run has to itself; what takes long begins first, so that nothing long is left when
everything else is done. It takes effect with ``--dist=loadgroup --no-loadscope-reorder``; without, the tests
run in the same order.
"""

from __future__ import annotations

import pytest

__all__ = ["arrange"]

_ONE_FILE = frozenset({"installed", "internet", "running_pair", "servers"})
"""Fixtures that a whole file shares: a built wheel, a laboratory, two daemons, TURN servers."""

_TOR_LANES = (
    ("tor/test_onion",),
    ("tor/test_gate", "tor/test_meeting"),
    ("tor/test_doctor", "v1/test_onion", "pairing/test_pairing_for_real"),
)
"""Files below tests/integration that share one private Tor network; each lane takes about as long."""

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
    """Put tests that share something dear into one group, the longest ones first, and give them time.

    Args:
        items: all tests of the run; ordered in place.
    """
    for item in items:
        if group := _group_of(item):
            item.add_marker(pytest.mark.xdist_group(group))
        if item.nodeid.startswith(_REAL) and not any(map(item.get_closest_marker, ("timeout", "soak"))):
            item.add_marker(pytest.mark.timeout(_SECONDS))
    items.sort(key=_rank)


def _group_of(item: pytest.Item) -> str | None:
    file = item.nodeid.partition("::")[0].removesuffix(".py")
    names = set(getattr(item, "fixturenames", ()))
    if "tor_network" in names:
        for number, lane in enumerate(_TOR_LANES, start=1):
            if any(file.startswith(f"tests/integration/{start}") for start in lane):
                return f"Tor network {number}"
        return "Tor network 1"
    return file if names & _ONE_FILE else None


def _rank(item: pytest.Item) -> int:
    return next((rank for rank, part in enumerate(_FIRST) if part in item.nodeid), len(_FIRST))
