"""Devices with real daemons, in direct mode on 127.0.0.1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.devices import Device, make_pair

from p4.testing.free_ports import free_ports


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    """A new user's device: not even a state directory."""
    made = Device(tmp_path / "somebody", free_ports(1)[0])
    yield made
    made.stop()


@pytest.fixture(scope="module")
def running_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Device, Device]]:
    """``anna`` and ``bob``, paired, with daemons that run: for tests that leave them as they were."""
    anna, bob = make_pair(tmp_path_factory.mktemp("devices"))
    anna.up()
    bob.up()
    yield anna, bob
    anna.stop()
    bob.stop()


@pytest.fixture
def fresh_pair(tmp_path: Path) -> Iterator[tuple[Device, Device]]:
    """``anna`` and ``bob``, paired, with daemons that run: for tests that kill them."""
    anna, bob = make_pair(tmp_path)
    anna.up()
    bob.up()
    yield anna, bob
    anna.stop()
    bob.stop()
