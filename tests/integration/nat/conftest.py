"""The laboratory as fixtures; whatever needs it is skipped with a reason where it cannot be built."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.integration.nat.laboratory import Laboratory
from tests.integration.nat.meeting import Meeting
from tests.integration.nat.namespaces import PROGRAMS, unusable_reason
from tests.integration.nat.turn import Turn, run_turn
from tests.integration.nat.world import World, tor_in
from tests.patience import patience
from tests.requirements import require_program

from p4.testing.tor_network import PrivateTorNetwork

__all__ = ["laboratory", "simulated_tor", "usable", "world"]


@pytest.fixture(scope="session")
def usable() -> None:
    """The machine can hold a laboratory. Beside other tests, what is late is judged by the machine's load."""
    Meeting.lateness = staticmethod(patience)
    for program in PROGRAMS:
        require_program(program)
    if reason := unusable_reason():
        # Also in CI: a container without privileges is a usual place for it, and lacks no program.
        pytest.skip(reason)


@pytest.fixture
def laboratory(usable: None) -> Iterator[Laboratory]:
    """An empty one, for one test."""
    with Laboratory() as made:
        yield made


@pytest.fixture(scope="session")
def shared(usable: None) -> Iterator[tuple[Laboratory, Turn]]:
    """One for the whole run, with coturn."""
    require_program("turnserver")
    require_program("openssl")
    with Laboratory() as made:
        server = made.server("server")
        with run_turn(server, made.directory / "turn") as turn:
            yield made, turn


@pytest.fixture
def world(shared: tuple[Laboratory, Turn], tmp_path: Path) -> World:
    """The shared laboratory; the logs of the test's nodes are in its own directory."""
    laboratory, turn = shared
    return World(laboratory, laboratory.hosts[0], turn, tmp_path)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def simulated_tor(shared: tuple[Laboratory, Turn]) -> AsyncIterator[PrivateTorNetwork]:
    """A Tor network in the shared laboratory; settings of its users: `World.onion`."""
    require_program("tor")
    require_program("tor-gencert")
    laboratory, _ = shared
    async with tor_in(laboratory, laboratory.directory / "tor") as network:
        yield network
