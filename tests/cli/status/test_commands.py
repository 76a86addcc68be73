"""`p4 status`, `p4 ls` and their like at the prompt."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import ALONE, Run, complaint, fingerprint
from tests.cli.fake_node import ANNA, BOB, FakeNode, invite_of
from tests.cli.node_process import RunningNode
from tests.cli.status.test_files import PATH

from p4.cli.prompt import CommandPrompt
from p4.cli.status.words import ago, duration, milliseconds, rate, size


def test_words() -> None:
    assert [duration(seconds) for seconds in (0, 59.9, 60, 7500, 86400, 300_000)] == [
        "0 s",
        "59 s",
        "1 min",
        "2 h 5 min",
        "1 day",
        "3 days 11 h",
    ]
    assert [ago(moment, 10_000_000) for moment in (0, 9_999_000, 9_000_000)] == ["never", "now", "16 min ago"]
    assert [milliseconds(value) for value in (None, 0.0004, 0.0381, 1.24)] == [
        "–",
        "0.4 ms",
        "38 ms",
        "1.2 s",
    ]
    assert [size(value) for value in (812, 1234, 35_000_000, 999_600, 2e12)] == [
        "812 B",
        "1.2 kB",
        "35 MB",
        "1.0 MB",
        "2000 GB",
    ]
    assert [rate(value) for value in (None, 40, 1500)] == ["–", "0", "1.5 kB/s"]


def test_without_a_node_the_files_tell_and_stay_as_they_were(p4: Run, state: Path) -> None:
    for name, identity in (("anna", ANNA), ("bob", BOB)):
        p4(
            "add-contact",
            "--state-dir",
            state,
            "--invite-json",
            invite_of(identity).to_text(),
            "--name",
            name,
        )
    before = fingerprint(state)
    listed = p4("ls", "--state-dir", state)
    assert (listed.returncode, listed.stderr) == (0, "")
    lines = listed.stdout.splitlines()
    assert "not running" in lines[0]
    assert lines[2].split() == ["CONTACT", "PATH", "RTT", "DOWN", "UP", "QUEUE", "SEEN", "STATE"]
    assert lines[4].split()[0] == "bob"
    assert "never" in lines[4]
    one = p4("ls", "bob", "--state-dir", state)
    assert f"bob ({BOB.peer_id})" in one.stdout
    entries = json.loads(p4("ls", "--json", "--state-dir", state).stdout)
    assert [(entry["peer_id"], entry["live"], entry["queued_messages"]) for entry in entries] == [
        (ANNA.peer_id, False, 0),
        (BOB.peer_id, False, 0),
    ]
    whole = json.loads(p4("status", "--json", "--state-dir", state).stdout)
    assert (whole["running"], whole["pid"], whole["reachable"]) == (False, None, False)
    assert len(whole["peers"]) == 2
    assert fingerprint(state) == before
    assert "no contact" in complaint(p4("ls", "carol", "--state-dir", state))


def test_what_there_is_to_say_about_nothing(p4: Run, state: Path, tmp_path: Path) -> None:
    assert "p4 add LINK" in p4("ls", "--state-dir", state).stdout
    assert p4("ls", "--json", "--state-dir", state).stdout == "[]\n"
    missing = p4("status", "--state-dir", tmp_path / "missing")
    assert missing.returncode == 3
    assert "p4 init" in complaint(missing)
    assert not (tmp_path / "missing").exists()


def test_a_damaged_database_is_said_and_the_contacts_are_listed(p4: Run, state: Path) -> None:
    p4("add-contact", "--state-dir", state, "--invite-json", invite_of(ANNA).to_text(), "--name", "anna")
    (state / "p4.sqlite3").write_bytes(b"x" * 5000)
    (state / "p4.sqlite3").chmod(0o600)
    listed = p4("ls", "--state-dir", state)
    assert listed.returncode == 0
    assert "cannot be read" in listed.stderr
    assert "anna" in listed.stdout


def test_a_running_node_tells_other_processes_and_its_end_is_seen(
    p4: Run, state: Path, nodes: Callable[..., RunningNode]
) -> None:
    p4("add-contact", "--state-dir", state, "--invite-json", invite_of(ANNA).to_text(), "--name", "anna")
    node = nodes("--state-dir", state, "--mode", "direct", *ALONE)
    node.expect("Share this invite")

    def told(*words: str | Path, until: Callable[[Any], bool]) -> Any:
        deadline = time.monotonic() + 90
        while True:
            found = json.loads(p4(*words, "--json", "--state-dir", state).stdout)
            if until(found) or time.monotonic() > deadline:
                return found
            time.sleep(0.1)

    whole = told("status", until=lambda found: found["live"])
    assert (whole["running"], whole["live"], whole["pid"]) == (True, True, node.process.pid)
    assert whole["age"] < 12
    assert whole["addresses"][0].startswith("direct://")
    assert (whole["port"], whole["mappings"], whole["lan"]) == (0, [], False)
    node.type(f"/send {ANNA.peer_id} {'x' * 98}")
    node.expect("is not connected")
    (entry,) = told("ls", until=lambda found: found[0]["queued_messages"])
    assert (entry["queued_messages"], entry["queued_bytes"]) == (1, 100)
    text = p4("status", "--state-dir", state).stdout
    assert f"The node runs (pid {node.process.pid})" in text
    assert "1 (100 B)" in text

    node.end(signal.SIGKILL)
    assert (state / "status.json").exists()
    killed = p4("ls", "--state-dir", state).stdout
    assert "not running" in killed.splitlines()[0]
    assert "1 (100 B)" in killed

    again = nodes("--state-dir", state, "--mode", "direct", *ALONE)
    again.expect("Share this invite")
    assert again.end()[0] == 0
    assert not (state / "status.json").exists()


@pytest.fixture
def prompt() -> CommandPrompt:
    node = FakeNode()
    for identity, name in ((ANNA, "Anna's laptop"), (BOB, "")):
        node.add_contact(invite_of(identity), name)
    anna = node.peer(ANNA.peer_id)
    anna.connected, anna.path = True, PATH
    return CommandPrompt(node)


async def test_the_table_at_the_prompt(prompt: CommandPrompt, capsys: pytest.CaptureFixture[str]) -> None:
    assert await prompt.handle("/ls")
    heading, anna, bob = capsys.readouterr().out.splitlines()
    assert heading.startswith("CONTACT")
    assert " ".join(anna.split()) == "Anna's laptop relay tcp 12 ms 0 2.5 MB/s 0 now open"
    assert bob.startswith(BOB.peer_id[:8])
    assert "The contact is \\x1b[2Joff." in bob


async def test_one_contact_and_the_node_at_the_prompt(
    prompt: CommandPrompt, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await prompt.handle('/status "anna\'s laptop"')
    said = capsys.readouterr().out
    assert "192.0.2.1:3478 (relay)" in said
    assert "hidden (srflx)" in said
    assert await prompt.handle("/status")
    said = capsys.readouterr().out
    assert "2, 1 connected" in said
    assert "yes, checked " in said
    assert "TCP port 51234" in said
    assert "192.168.1.7, 2001:db8::7" in said
    assert await prompt.handle("/status nobody")
    assert "no contact" in capsys.readouterr().err
