"""Ports for servers of tests: nobody else gets them."""

from __future__ import annotations

import secrets
import subprocess
import sys

import pytest

from p4.testing import free_ports as module
from p4.testing.free_ports import free_ports


def test_they_are_different_and_can_be_listened_on() -> None:
    assert len(set(free_ports(50))) == 50


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names that go with their process")
def test_another_process_gets_others(monkeypatch: pytest.MonkeyPatch) -> None:
    program = "from p4.testing.free_ports import free_ports; print(*free_ports(1), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        theirs = int(other.stdout.readline()) - module._LOWEST
        drawn = iter([theirs, theirs, 17])
        monkeypatch.setattr(secrets, "randbelow", lambda _end: next(drawn))
        assert free_ports(1) == [module._LOWEST + 17]
        other.communicate("\n")
    monkeypatch.setattr(secrets, "randbelow", lambda _end: theirs)
    assert free_ports(1) == [module._LOWEST + theirs], "it is free again when its process has ended"
