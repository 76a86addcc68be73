"""The prompt on a real (pseudo) terminal."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from tests.cli.conftest import environment
from tests.cli.fake_node import ANNA, BOB, FakeNode, invite_of
from tests.patience import patience

from p4.adapters.store.state_dir import StateDirectory
from p4.cli.terminal import PromptCompleter

posix = pytest.mark.skipif(sys.platform == "win32", reason="pseudo terminals are POSIX")

ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\x1b\][^\x07]*\x07")

# Not pty.fork: this process has threads (those of other tests), and a forked copy of it may hang.
ON_A_TERMINAL = "import os, sys; os.login_tty(0); os.execv(sys.argv[1], sys.argv[1:])"

BACKGROUND = """
import subprocess, sys
job = subprocess.Popen(sys.argv[1:], process_group=0)  # not the terminal's foreground group, as with &
sys.stdin.readline()
job.terminate()
sys.exit(job.wait(10))
"""


class Terminal:
    """A process on a pseudo terminal of its own."""

    def __init__(self, arguments: list[str], *, background: bool = False) -> None:
        import termios

        self._descriptor, theirs = os.openpty()
        termios.tcsetwinsize(theirs, (24, 100))
        command = [sys.executable, "-m", "p4.cli", *arguments]
        if background:
            command = [sys.executable, "-c", BACKGROUND, *command]
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", ON_A_TERMINAL, *command],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment(TERM="xterm"),
        )
        os.close(theirs)
        self.raw = b""

    @property
    def text(self) -> str:
        return ESCAPES.sub(b"", self.raw).decode("utf-8", "replace").replace("\r", "")

    def read(self, seconds: float) -> bool:
        """Take what has come; False once the terminal is closed."""
        import select

        if select.select([self._descriptor], [], [], seconds)[0]:
            try:
                data = os.read(self._descriptor, 65536)
            except OSError:
                return False
            self.raw += data
            # "Where is the cursor?", which every real terminal answers; the question may come in two parts.
            for _ in range(self.raw[-len(data) - 3 :].count(b"\x1b[6n")):
                self.type("\x1b[20;1R")
            return bool(data)
        return True

    def expect(self, pattern: str, timeout: float = 60) -> None:
        deadline = time.monotonic() + timeout
        while not re.search(pattern, self.text):
            assert time.monotonic() < deadline, f"no {pattern!r} in {self.text!r}"
            assert self.read(0.1) or re.search(pattern, self.text), (
                f"ended without {pattern!r}: {self.text!r}"
            )

    def type(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def end(self, timeout: float = 40) -> tuple[int, float]:
        """Wait for its end: exit code and seconds."""
        began = time.monotonic()
        while time.monotonic() < began + timeout:
            self.read(0.02)
            if (code := self.process.poll()) is not None:
                return code, time.monotonic() - began
        raise AssertionError(f"it did not end: {self.text[-2000:]!r}")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._descriptor)


@pytest.fixture
def prompt(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """`p4 run` of a fresh device on a terminal."""
    state = StateDirectory(tmp_path / "state")
    state.prepare()
    state.create_identity(secrets.token_bytes(32))
    opened: list[Terminal] = []

    def start(*options: str, background: bool = False) -> Terminal:
        where = ["--state-dir", str(state.path), "--mode", "direct", "--stun-server", ""]
        opened.append(Terminal(["run", *where, *options], background=background))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


@posix
def test_commands_are_typed_and_completed(prompt: Callable[..., Terminal]) -> None:
    """Completion and history work beside the keys: each step waits until the one before is on the screen.

    What changes is drawn, wherever it is: other parts of the screen may come between two of a line.
    """
    terminal = prompt()
    terminal.expect("p4>")
    terminal.expect("0 of 0 connected")  # the line of status below
    terminal.type("/pe\t")
    terminal.expect("(?s)/pe.*ers")
    terminal.type("\r")
    terminal.expect("No contacts yet")
    terminal.type("/nonsense\r")
    terminal.expect("p4: '/nonsense' is not a command")
    terminal.type("/add-invite\r")
    terminal.expect(r"\.\.\.\s")
    terminal.type(invite_of(ANNA).to_text().replace("\n", "\r") + "\r.\r")
    terminal.expect(f"(?s)Added {ANNA.peer_id}.*p4>")
    terminal.raw = b""
    terminal.type("/send \t")
    terminal.expect(f"(?s)/send.*{ANNA.peer_id}")
    terminal.type(" hello\r")
    terminal.expect(f"(?s)Peer {ANNA.peer_id} is not connected; message 1 is saved.*p4>")
    terminal.type("\x1b[A\r")  # the line before, from the history
    terminal.expect("message 2 is saved")
    terminal.type("/quit\r")
    code, seconds = terminal.end()
    assert code == 0
    assert seconds < patience(2)
    assert "Traceback" not in terminal.text


@posix
@pytest.mark.parametrize(
    ("keys", "code"),
    [pytest.param("\x03", 130, marks=pytest.mark.slow), ("half a line\x03", 130), ("\x04", 0)],
)
def test_ctrl_c_and_ctrl_d_end_it(prompt: Callable[..., Terminal], keys: str, code: int) -> None:
    terminal = prompt()
    terminal.expect("0 of 0 connected")
    terminal.type(keys)
    ended, seconds = terminal.end()
    assert ended == code
    assert seconds < patience(2)
    assert "Traceback" not in terminal.text


@posix
@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(signal.SIGTERM, 0, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow),
        (signal.SIGHUP, 0),
    ],
    ids=str,
)
def test_signals_end_it_and_leave_the_terminal_in_order(
    prompt: Callable[..., Terminal], number: signal.Signals, code: int
) -> None:
    terminal = prompt()
    terminal.expect("0 of 0 connected")
    terminal.process.send_signal(number)
    ended, seconds = terminal.end()
    assert ended == code
    assert seconds < patience(2)
    # Bracketed paste is off again: prompt_toolkit has left properly.
    assert b"\x1b[?2004l" in terminal.raw


@pytest.mark.slow
@posix
def test_without_stdin_a_terminal_shows_no_prompt(prompt: Callable[..., Terminal]) -> None:
    terminal = prompt("--no-stdin")
    terminal.expect("Share this invite")
    terminal.type("\x03")
    assert terminal.end()[0] == 130
    assert "p4>" not in terminal.text


@posix
def test_ctrl_c_during_the_start(prompt: Callable[..., Terminal]) -> None:
    terminal = prompt()
    terminal.expect("Starting")
    terminal.type("\x03")
    code, seconds = terminal.end()
    assert code == 130
    assert seconds < patience(2)
    assert "Traceback" not in terminal.text


@posix
def test_in_the_background_it_runs_on_without_commands(prompt: Callable[..., Terminal]) -> None:
    """Reading the terminal would stop it (SIGTTIN)."""
    terminal = prompt(background=True)
    terminal.expect("commands are not read")
    terminal.type("\r")
    assert terminal.end()[0] == 0
    assert "p4>" not in terminal.text


# --- completion --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("/pe", ["/peers"]),
        ("/add-", ["/add-file", "/add-json", "/add-invite"]),
        ("hello", []),
        ("/send ", ['"Anna\'s laptop"', ANNA.peer_id, BOB.peer_id]),
        ("/drop Ann", ['"Anna\'s laptop"']),
        ('/drop "Ann', ['"Anna\'s laptop"']),
        (f"/rename {BOB.peer_id[:3]}", [BOB.peer_id]),
        ("/send nobody", []),
        ("/peers ", []),
        ("/policy Ann", ['"Anna\'s laptop"']),
        ("/policy \"Anna's l", ['"Anna\'s laptop"']),
        (f"/policy {BOB.peer_id} ", ["direct", "relay-only", "lan-only"]),
        ('/policy "Anna\'s laptop" r', ["relay-only"]),
        (f"/policy {BOB.peer_id} x", []),
    ],
)
def test_commands_and_contacts_are_completed(typed: str, expected: list[str]) -> None:
    node = FakeNode()
    node.add_contact(invite_of(ANNA), "Anna's laptop")
    node.add_contact(invite_of(BOB))
    found = PromptCompleter(node).get_completions(Document(typed), CompleteEvent())
    assert [completion.text for completion in found] == expected


def test_paths_are_completed(tmp_path: Path) -> None:
    (tmp_path / "my invite.json").touch()
    completer = PromptCompleter(FakeNode())
    for typed in (f"/add-file {tmp_path}/my", f'/add-file "{tmp_path}/my'):
        found = list(completer.get_completions(Document(typed), CompleteEvent()))
        assert [completion.text for completion in found] == [" invite.json"]
