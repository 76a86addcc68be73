"""State directories, and disks with faults: real ones where the machine allows it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.adapters.store.sample_state import Warnings
from tests.adapters.store.spool_files import Files
from tests.requirements import missing, require_program

from p4.adapters.store.state_dir import StateDirectory

SMALL_DISK_BYTES = 512 * 1024


def _mount(*arguments: str) -> None:
    result = subprocess.run(
        [require_program("mount"), *arguments], capture_output=True, text=True, check=False
    )
    if result.returncode:
        missing(f"this machine lets even root mount nothing: {result.stderr.strip()}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A directory on a file system of half a mebibyte."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        missing("only root may mount the small disk that this test fills: run it with sudo")
    directory = tmp_path / "small"
    directory.mkdir(mode=0o700)
    _mount("-t", "tmpfs", "-o", f"size={SMALL_DISK_BYTES},mode=0700", "p4-test", str(directory))
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


@pytest.fixture
def read_only() -> Iterator[ReadOnly]:
    """Makes directories read-only for everyone, root included where that is possible."""
    maker = ReadOnly()
    try:
        yield maker
    finally:
        maker.undo()


class ReadOnly:
    """Takes the right to write away from a directory until `undo`."""

    def __init__(self) -> None:
        self._mounted: list[Path] = []
        self._narrowed: list[Path] = []

    def __call__(self, directory: Path) -> None:
        if os.geteuid() == 0:
            # Mode bits do not bind root; a read-only mount does.
            _mount("--bind", str(directory), str(directory))
            self._mounted.append(directory)
            _mount("-o", "remount,bind,ro", str(directory))
        else:
            directory.chmod(0o500)
            self._narrowed.append(directory)

    def undo(self) -> None:
        for directory in self._mounted:
            subprocess.run(["umount", "--lazy", str(directory)], check=True)
        for directory in self._narrowed:
            directory.chmod(0o700)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Files]:
    made = Files(tmp_path / "streams")
    yield made
    made.close()


@pytest.fixture
def told() -> Warnings:
    return Warnings()


@pytest.fixture
def state(tmp_path: Path, told: Warnings) -> StateDirectory:
    directory = StateDirectory(tmp_path / "state", warn=told.append)
    directory.prepare()
    return directory
