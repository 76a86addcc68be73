"""`p4 invite` and `p4 add`, as a user runs them on two new devices."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.devices import Device, Following

from p4.cli.pairing.invitation import qr_code
from p4.testing.free_ports import free_ports

Pair = tuple[Device, Device]


@pytest.fixture
def strangers(tmp_path: Path) -> Iterator[Pair]:
    """Two devices with running daemons that do not know each other."""
    one, other = (Device(tmp_path / name, port) for name, port in zip("ab", free_ports(2), strict=True))
    for device, name in ((one, "anna’s desk"), (other, "bob’s phone")):
        device.up()
        device.p4("name", name)
    yield one, other
    one.stop()
    other.stop()


def link_in(lines: list[str]) -> str:
    return next(line.split()[-1] for line in lines if "p4 add p4:" in line)


def test_who_waits_is_told_who_paired(strangers: Pair) -> None:
    anna, bob = strangers
    waiting = Following(anna, "invite")
    try:
        link = link_in(waiting.wait_for(3))
        told = bob.p4("add", link, "--name", "anna")
        assert told == f"Paired with anna ({anna.json('name')['id']}).\n"
        assert waiting.process.wait(timeout=60) == 0
        assert waiting.lines()[-1] == f"Paired with bob’s phone ({bob.json('name')['id']})."
    finally:
        waiting.stop()
    anna.p4("send", "bob’s phone", "hi", "--wait", "delivered")
    assert bob.p4("inbox").endswith("anna: hi\n")
    used = bob.run("add", link, "--wait", "5")
    assert used.returncode == 1
    assert "used by another device" in used.stderr


@pytest.mark.slow
def test_json_and_no_wait_are_for_programs(strangers: Pair) -> None:
    anna, bob = strangers
    invite = json.loads(anna.p4("invite", "--no-wait", "--json", "--expires", "2h", "--name", "phone"))
    assert invite["state"] == "open"
    assert anna.p4("invite", "--list").startswith(f"{invite['id']}  link for phone, open until ")
    assert invite["text"] not in anna.p4("invite", "--list", "--json")
    added = bob.json("add", invite["text"])
    assert (added["name"], added["paired"]) == ("anna’s desk", True)
    assert anna.p4("invite", "--list") == ""
    assert [contact["name"] for contact in anna.json("ls")] == ["phone"]


@pytest.mark.slow
def test_a_file_holds_a_link_or_an_invite_of_version_1(strangers: Pair) -> None:
    anna, bob = strangers
    invite = json.loads(anna.p4("invite", "--no-wait", "--json"))
    (bob.home / "invite.txt").write_text("\ufeff" + invite["text"] + "\n", encoding="utf-16")
    assert bob.p4("add", "invite.txt").startswith("Paired with anna’s desk")
    old = anna.p4("invite", "--mode", "direct", "--advertise", f"127.0.0.1:{anna.port}")
    told = bob.p4("add", "-", "--name", "desk", stdin=old)
    assert told.startswith("Added desk (")
    assert "has to add this device" in told


@pytest.mark.slow
def test_ctrl_c_takes_the_invite_back(strangers: Pair) -> None:
    anna, bob = strangers
    waiting = Following(anna, "invite")
    try:
        link = link_in(waiting.wait_for(4))
        assert waiting.end() == 130
    finally:
        waiting.stop()
    assert "p4: The invite was taken back." in waiting.lines()
    assert anna.p4("invite", "--list") == ""
    refused = bob.run("add", link, "--wait", "3")
    assert refused.returncode == 1
    assert bob.json("ls") == []


@pytest.mark.slow
def test_what_cannot_be_used_is_one_line(strangers: Pair) -> None:
    anna, _ = strangers
    for arguments, hint in (
        (("add", "p4:aeagwsosabsg"), "link"),
        (("add", "legal", "winner", "thank", "year", "wave", "sausage", "worth", "usefull"), "useful"),
        (("add", "legal", "winner", "thank"), "8 words"),
        (("add", "/no/such/file"), "cannot be read"),
        (("invite", "--expires", "soon"), "no time"),
        (("invite", "--words", "--local"), "exclude"),
        (("invite", "--v1", "--words"), "version 1"),
    ):
        refused = anna.run(*arguments)
        assert refused.returncode == 2, (arguments, refused.stderr)
        assert hint in refused.stderr
        assert len([line for line in refused.stderr.splitlines() if "Looking" not in line]) == 1


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="a terminal of its own needs pty")
def test_on_a_terminal_the_link_is_a_qr_code_too(strangers: Pair) -> None:
    anna, _ = strangers
    near, far = pty.openpty()
    with os.fdopen(near, "rb", buffering=0) as screen:
        process = subprocess.Popen(
            [sys.executable, "-m", "p4.cli", "invite", "--no-wait"],
            stdout=far,
            stdin=far,
            stderr=subprocess.DEVNULL,
            cwd=anna.home,
            env=anna.environment | {"TERM": "xterm-256color", "COLUMNS": "100"},
        )
        os.close(far)
        shown = b""
        try:
            while piece := screen.read(4096):
                shown += piece
        except OSError:
            pass  # the other end of a terminal is gone
        assert process.wait(timeout=60) == 0
    text = shown.decode()
    link = link_in(text.splitlines())
    expected = qr_code(link).splitlines()
    assert len(expected) > 15
    for line in expected:
        assert line.rstrip() in text
