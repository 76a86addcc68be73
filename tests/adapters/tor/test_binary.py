"""Which Tor program is taken, and what a person without one is told."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from p4.adapters.tor import binary
from p4.adapters.tor.binary import find_program, find_tor
from p4.errors import TorError

NO_PACKAGE = "p4_tor_that_does_not_exist"


def program(directory: Path, name: str) -> Path:
    directory.mkdir(exist_ok=True)
    path = directory / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def package(tmp_path: Path) -> Iterator[str]:
    """A module like p4_tor, whose program exists."""
    module = ModuleType("p4_tor_for_test")
    path = program(tmp_path / "packaged", "tor")
    module.binary_path = lambda: path  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    yield module.__name__
    del sys.modules[module.__name__]


def test_the_order(tmp_path: Path, package: str) -> None:
    explicit, named = program(tmp_path / "a", "my-tor"), program(tmp_path / "b", "env-tor")
    on_path = program(tmp_path / "c", "tor")
    environment = {"P4_ONIONRELAY_BIN": str(named)}
    search = str(on_path.parent)
    found = find_tor(explicit, environment=environment, package=package, search_path=search)
    assert found == explicit
    assert find_tor(None, environment=environment, package=package, search_path=search) == named
    packaged = tmp_path / "packaged" / "tor"
    assert find_tor(None, environment={}, package=package, search_path=search) == packaged
    assert find_tor(None, environment={}, package=NO_PACKAGE, search_path=search) == on_path


def test_what_was_asked_for_is_never_replaced(tmp_path: Path, package: str) -> None:
    with pytest.raises(TorError) as caught:
        find_tor(tmp_path / "absent", environment={}, package=package)
    assert caught.value.code == "tor-not-usable"
    assert "--onionrelay-bin" in caught.value.message
    plain = tmp_path / "plain"
    plain.write_text("not executable")
    with pytest.raises(TorError) as caught:
        find_tor(None, environment={"P4_ONIONRELAY_BIN": str(plain)}, package=package)
    assert "P4_ONIONRELAY_BIN" in caught.value.message
    assert "not executable" in caught.value.message


@pytest.mark.parametrize(
    ("system", "command"),
    [
        ("debian", "apt install tor"),
        ("fedora", "dnf install tor"),
        ("arch", "pacman -S tor"),
        ("alpine", "apk add tor"),
        ("macos", "brew install tor"),
        ("windows", "p4-tor"),
        ("something else", "pip install p4-tor"),
    ],
)
def test_a_machine_without_tor_gets_its_own_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str, command: str
) -> None:
    monkeypatch.setattr(binary, "_system", lambda: system)
    with pytest.raises(TorError) as caught:
        find_tor(None, environment={}, package=NO_PACKAGE, search_path=str(tmp_path))
    assert caught.value.code == "tor-missing"
    assert command in caught.value.message


@pytest.mark.parametrize(
    ("release", "system"),
    [
        ({"ID": "debian"}, "debian"),
        ({"ID": "linuxmint", "ID_LIKE": "ubuntu debian"}, "debian"),
        ({"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, "rhel"),
        ({"ID": "opensuse-leap", "ID_LIKE": "suse opensuse"}, "suse"),
        ({"ID": "plan9"}, "unknown"),
    ],
)
def test_derived_systems_are_recognised(
    monkeypatch: pytest.MonkeyPatch, release: dict[str, str], system: str
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: release)
    assert binary._system() == system


def test_sbin_is_searched_even_if_the_path_lacks_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sbin = program(tmp_path / "sbin", "tor")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(binary, "_MORE_DIRECTORIES", (str(sbin.parent),))
    assert find_program("tor") == sbin
