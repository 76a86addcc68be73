"""What somebody sees who types `p4` for the first time, and how help is laid out."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.conftest import ALONE, Run, complaint, environment
from tests.cli.fake_node import ANNA, invite_of

from p4.cli.catalogue import GROUPS
from p4.testing.free_ports import free_ports


def test_a_new_user_is_told_three_commands(p4: Run) -> None:
    said = p4().stdout
    assert re.findall(r"^  p4 (\w+)", said, re.MULTILINE) == ["invite", "add", "send"]
    assert len(said.splitlines()) <= 12
    p4("init")
    p4("add-contact", "--invite-json", invite_of(ANNA).to_text())
    assert "Files and tunnels:" in p4().stdout


def test_help_is_grouped_and_complete(p4: Run) -> None:
    lines = p4("--help").stdout.splitlines()
    titles = [line[:-1] for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert titles == ["Options", *GROUPS]
    shown = {line.split()[0] for line in lines if re.match(r"  [a-z]", line)}
    assert {name for names in GROUPS.values() for name in names} <= shown


def test_what_is_no_command_is_refused_in_one_line(p4: Run) -> None:
    result = p4("sned", "laptop", "hi")
    assert result.returncode == 2
    assert "sned" in complaint(result)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_the_live_view_on_a_terminal(tmp_path: Path) -> None:
    """Colours on a terminal, none with NO_COLOR; it names the contacts, and ends by Ctrl-C."""
    port = str(free_ports(1)[0])
    options = ["--mode", "direct", "--signal-port", port, *ALONE]
    command = [sys.executable, "-m", "p4.cli", "up", "--state-dir", str(tmp_path / "state"), *options]
    coloured, code = on_a_terminal(command, until="reachable: ", TERM="xterm-256color")
    assert code == 130
    assert "\x1b[1m" in coloured
    assert "No contacts yet" in coloured
    plain, code = on_a_terminal(command, until="reachable: ", TERM="xterm-256color", NO_COLOR="1")
    assert code == 130
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", plain)


def on_a_terminal(command: list[str], *, until: str, **more: str) -> tuple[str, int]:
    """Run a command on a terminal until a text is on it, then press Ctrl-C; gives the text and the exit
    code."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment(**more), start_new_session=True
    )
    os.close(theirs)
    seen = b""
    pressed = False
    deadline = time.monotonic() + 60
    try:
        while time.monotonic() < deadline:
            ready, _, _ = select.select([ours], [], [], 0.1)
            try:
                piece = os.read(ours, 65536) if ready else b""
            except OSError:
                break  # the other end is closed: the process has ended
            seen += piece
            if not pressed and until.encode() in seen:
                process.send_signal(signal.SIGINT)
                pressed = True
            if process.poll() is not None and not ready:
                break
        return seen.decode(), process.wait(timeout=60)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
