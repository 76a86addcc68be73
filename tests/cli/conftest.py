"""`p4` for the tests of the command line: in this process where that is enough, and as real processes."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cli.node_process import RunningNode

from p4.cli.main import main

SOURCE = Path(__file__).parents[2] / "src"

ALONE = ("--stun-server", "", "--no-lan", "--no-direct-signaling")
"""Options of `p4 run` with which it asks nobody around: no server, no router, no neighbour."""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(**more: str) -> dict[str, str]:
    """What every `p4` process of a test gets: this source tree, no colours, no user's settings."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("P4_", "COLUMNS"))}
    ours = {"PYTHONPATH": str(SOURCE), "P4_ALLOW_LOOPBACK": "1", "PYTHONWARNINGS": "error"}
    # On a busy machine an orderly end takes its time, and is what most tests are about.
    return {**clean, **ours, "P4_END_SECONDS": "30", **more}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A user's empty home directory."""
    directory = tmp_path / "home"
    directory.mkdir()
    return directory


@pytest.fixture
def p4(tmp_path: Path, home: Path) -> Run:
    """Run one `p4` command in this process, in an empty directory and with a home of its own.

    For what is no matter of processes, streams and signals: starting an interpreter takes 100 times longer.
    """

    def run(*arguments: str | Path, stdin: str | bytes = "", **more: str) -> subprocess.CompletedProcess[str]:
        return run_here(
            *arguments, stdin=stdin, directory=tmp_path, surroundings=environment(HOME=str(home), **more)
        )

    return run


def run_here(
    *arguments: str | Path, stdin: str | bytes, directory: Path, surroundings: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run one `p4` command in this process, and give what it would have been as a process.

    Args:
        arguments: its words.
        stdin: all of its input.
        directory: where it is called.
        surroundings: its whole environment; what it starts gets it, too.
    """
    words = [str(argument) for argument in arguments]
    data = stdin.encode() if isinstance(stdin, str) else stdin
    source, out, err = (io.TextIOWrapper(io.BytesIO(start), "utf-8") for start in (data, b"", b""))
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ.keys() - surroundings.keys():
            patch.delenv(name)
        for name, value in surroundings.items():
            patch.setenv(name, value)
        patch.chdir(directory)
        patch.setattr(sys, "stdin", source)
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        patch.setattr(logging.root, "handlers", [])
        levels = {logger: logger.level for logger in (logging.root, logging.getLogger("p4"))}
        try:
            code = main(words)
        finally:  # a command sets up the logging of its process, which is ours here
            for logger, level in levels.items():
                logger.setLevel(level)
    said, complained = (stream.buffer.getvalue().decode() for stream in (out, err))
    return subprocess.CompletedProcess(["p4", *words], code, said, complained)


@pytest.fixture
def p4_process(tmp_path: Path, home: Path) -> Run:
    """Run one `p4` command as a process, with the same surroundings."""

    def run(
        *arguments: str | Path, stdin: str | bytes | None = "", timeout: float = 60, **more: str
    ) -> subprocess.CompletedProcess[str]:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        finished = subprocess.run(
            [sys.executable, "-m", "p4.cli", *map(str, arguments)],
            input=data,
            capture_output=True,
            timeout=timeout,
            cwd=tmp_path,
            env=environment(HOME=str(home), **more),
            check=False,
        )
        return subprocess.CompletedProcess(
            finished.args, finished.returncode, finished.stdout.decode(), finished.stderr.decode()
        )

    return run


@pytest.fixture
def state(p4: Run, tmp_path: Path) -> Path:
    """An initialised state directory."""
    directory = tmp_path / "state"
    assert p4("init", "--state-dir", directory).returncode == 0
    return directory


@pytest.fixture
def nodes() -> Iterator[Callable[..., RunningNode]]:
    """Start `p4 run` processes; whatever still runs at the end is killed."""
    started: list[RunningNode] = []

    def start(*arguments: str | Path, **keywords: object) -> RunningNode:
        node = RunningNode([str(argument) for argument in arguments], environment(), **keywords)  # type: ignore[arg-type]
        started.append(node)
        return node

    yield start
    for node in started:
        node.stop()


def fingerprint(directory: Path) -> dict[str, str]:
    """Every file below a directory with the hash of its content and its mode."""
    return {
        str(path.relative_to(directory)): (
            f"{path.stat().st_mode:o} "
            + (hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "")
        )
        for path in sorted(directory.rglob("*"))
    }


def complaint(result: subprocess.CompletedProcess[str]) -> str:
    """The one line on stderr, after making sure that it is one and that stdout is empty."""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("p4: ")
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    return lines[0].removeprefix("p4: ")
