"""The disk begins early, and what it refuses then is not forgotten."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from p4.apps.files.flushing import Flushing
from p4.core import limits


def test_the_disk_begins_when_there_is_enough_and_once_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    go_on = threading.Event()

    def slow(descriptor: int) -> None:
        begun.append(descriptor)
        assert go_on.wait(30)

    monkeypatch.setattr(os, "fsync", slow)
    with (tmp_path / "film").open("wb", buffering=0) as file:
        flushing = Flushing(file)
        flushing.wrote(limits.FILE_FLUSH_BYTES - 1)
        flushing.settle()
        assert begun == []
        flushing.wrote(1)
        flushing.wrote(limits.FILE_FLUSH_BYTES)
        go_on.set()
        flushing.settle()
        assert begun == [file.fileno()]


def test_what_the_disk_refused_stays_known_though_it_tells_it_only_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = [OSError(errno.EIO, "Input/output error")]

    def once(descriptor: int) -> None:
        if refusals:
            raise refusals.pop()

    monkeypatch.setattr(os, "fsync", once)
    with (tmp_path / "film").open("wb", buffering=0) as file:
        flushing = Flushing(file)
        flushing.wrote(limits.FILE_FLUSH_BYTES)
        for _ in range(2):
            with pytest.raises(OSError, match="Input/output"):
                flushing.settle()
