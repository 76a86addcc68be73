"""One process at a time on a state directory, tried with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from p4.adapters.store.state_dir import StateDirectory
from p4.errors import AlreadyRunningError, StateError

HOLD = """
import subprocess, sys, os
from pathlib import Path
from p4.adapters.store.state_dir import StateDirectory
with StateDirectory(Path(sys.argv[1])).lock():
    {after}
    print("held", flush=True)
    sys.stdin.read()
"""

STARTS_A_PROGRAM = """
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], close_fds=False)
    print(child.pid, flush=True)
"""

# The child lets go of the lock in a fork hook, which runs before its first line here.
FORKS = """
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(tell, b".")
        sys.stdin.read()
        os._exit(0)
    os.read(ready, 1)
    print(child, flush=True)
"""

Holder = subprocess.Popen[str]
Start = Callable[..., Holder]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts processes that hold the lock of ``tmp_path`` until their stdin ends."""
    holders: list[Holder] = []

    def run(after: str = "pass") -> Holder:
        program = HOLD.replace("{after}", after.strip())
        holder = subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        holders.append(holder)
        return holder

    yield run
    for holder in holders:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.close()  # ends the holder and everything that shares its stdin
        holder.stdout.read()  # until the last of them is gone
        holder.stdout.close()
        holder.wait(10)


def line_of(holder: Holder) -> str:
    assert holder.stdout is not None
    return holder.stdout.readline().strip()


def test_the_second_process_is_refused_by_the_name_of_the_first(tmp_path: Path, start: Start) -> None:
    first = start()
    assert line_of(first) == "held"
    with pytest.raises(AlreadyRunningError) as caught, StateDirectory(tmp_path).lock():
        pytest.fail("two processes at once")
    assert caught.value.pid == first.pid
    assert str(first.pid) in str(caught.value)
    assert caught.value.path == str(tmp_path)
    # The refused one took nothing away from the holder.
    assert (tmp_path / "p4.pid").read_text() == f"{first.pid}\n"


def test_two_nodes_in_one_process_are_refused_as_well(tmp_path: Path) -> None:
    with StateDirectory(tmp_path).lock():
        with pytest.raises(AlreadyRunningError) as caught, StateDirectory(tmp_path).lock():
            pytest.fail("two nodes at once")
        assert caught.value.pid == os.getpid()
    with StateDirectory(tmp_path).lock():
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
@pytest.mark.parametrize("after", ["pass", STARTS_A_PROGRAM, FORKS], ids=["alone", "with Tor", "with a fork"])
def test_kill_9_frees_the_lock_even_while_a_child_lives_on(tmp_path: Path, start: Start, after: str) -> None:
    first = start(after)
    if after != "pass":
        child = int(line_of(first))
    assert line_of(first) == "held"
    first.send_signal(signal.SIGKILL)
    first.wait(10)
    if after != "pass":
        os.kill(child, 0)  # still there
    with StateDirectory(tmp_path).lock():
        assert (tmp_path / "p4.pid").read_text() == f"{os.getpid()}\n"
    assert not (tmp_path / "p4.pid").exists()


@pytest.mark.parametrize("content", [b"", b"\0\0\0\0", b"not a pid", b"-1", b"999999999", b"1" * 100])
def test_an_unreadable_pid_file_costs_only_the_name(tmp_path: Path, content: bytes) -> None:
    with StateDirectory(tmp_path).lock():
        (tmp_path / "p4.pid").write_bytes(content)
        with pytest.raises(AlreadyRunningError, match=r"Another P4 process works on") as caught:
            StateDirectory(tmp_path).lock().__enter__()
        assert caught.value.pid is None


def test_a_lock_that_cannot_be_made_is_explained(tmp_path: Path, read_only: Callable[[Path], None]) -> None:
    directory = tmp_path / "state"
    directory.mkdir(mode=0o700)
    read_only(directory)
    with pytest.raises(StateError) as caught, StateDirectory(directory).lock():
        pytest.fail("locked on a read-only disk")
    assert caught.value.code in {"read-only", "access-denied"}


def test_the_lock_is_given_back_when_the_pid_cannot_be_written(small_disk: Path) -> None:
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="space"):
        filler.write_bytes(bytes(1024 * 1024))
    with pytest.raises(StateError, match="the disk is full"), StateDirectory(small_disk).lock():
        pytest.fail("held without a pid")
    filler.unlink()
    with StateDirectory(small_disk).lock():
        pass
