"""`p4 verify`, `block`, `remove`, `rotate`, `backup` and `restore`, between real daemons in direct mode."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from tests.cli.devices import Device

Pair = tuple[Device, Device]
PASSPHRASE = "correct horse battery staple"


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    file = tmp_path / "passphrase"
    file.write_text(PASSPHRASE + "\n")
    return file


def why_not(device: Device, contact: str) -> str:
    """Why there is no link to a contact; empty while there is one."""
    (found,) = (one for one in device.json("ls") if one["name"] == contact)
    return "" if found["connected"] else str(found["why_not"])


def test_both_sides_show_the_same_words_and_remember_that_they_were_compared(running_pair: Pair) -> None:
    anna, bob = running_pair
    ours, theirs = anna.json("verify", "bob"), bob.json("verify", "anna")
    assert ours["words"] == theirs["words"]
    assert len(set(ours["words"])) > 1
    assert ours["state"] == "no"
    shown = anna.p4("verify", "bob")
    assert "  ".join(ours["words"]) in shown
    assert shown.endswith("not verified\n"), "nobody was there to say yes"
    assert anna.p4("verify", "bob", "--confirm").endswith("bob: verified\n")
    assert anna.json("verify", "bob")["state"] == "verified"
    assert anna.json("verify", "bob", "--undo")["state"] == "no"
    anna.p4("verify", "nobody", code=2)
    anna.p4("verify", "bob", "--undo", "--confirm", code=2)


def test_a_blocked_contact_gets_nothing_until_it_is_unblocked(fresh_pair: Pair) -> None:
    anna, bob = fresh_pair
    anna.p4("send", "bob", "before", "--wait", "delivered")
    assert bob.p4("block", "anna") == "anna is blocked.\n"
    anna.p4("send", "bob", "while blocked")
    refused = bob.run("send", "anna", "no")
    assert refused.returncode == 2
    assert "p4 unblock" in refused.stderr
    bob.p4("down")
    bob.up()
    deadline = time.monotonic() + 180
    while "refused" not in why_not(anna, "bob"):  # anna's node has asked the one that was started anew
        assert time.monotonic() < deadline, anna.json("ls")
        time.sleep(0.05)
    assert bob.p4("inbox", "--json").count("\n") == 1, "nothing but what came before"
    assert bob.json("unblock", "anna") == {"contact": "anna", "blocked": False}
    anna.p4("send", "bob", "after", "--wait", "delivered")
    texts = [json.loads(line)["text"] for line in bob.p4("inbox", "--ack", "--json").splitlines()]
    assert texts == ["before", "while blocked", "after"]


def test_removing_needs_a_yes(fresh_pair: Pair) -> None:
    anna, _ = fresh_pair
    refused = anna.run("remove", "bob")
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    assert len(anna.json("ls")) == 1
    assert anna.p4("remove", "bob", "--yes") == "Removed bob.\n"
    assert anna.json("ls") == []


@pytest.mark.slow
def test_contacts_follow_a_new_key(fresh_pair: Pair) -> None:
    anna, bob = fresh_pair
    anna.p4("verify", "bob", "--confirm")
    anna.p4("send", "bob", "one", "--wait", "delivered")
    assert anna.run("rotate").returncode == 2, "it asks first, and nobody is there"
    rotated = bob.json("rotate", "--yes")
    assert rotated["rotations"] == 1
    deadline = time.monotonic() + 60
    while bob.json("rotate", "--status")["waiting"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert "Every contact has confirmed it." in bob.p4("rotate", "--status")
    found = anna.json("verify", "bob")
    assert found["state"] == "verified-before-rotation"
    assert found["public_key"] == rotated["public_key"]
    assert found["words"] == bob.json("verify", "anna")["words"]
    for device in (anna, bob):
        device.p4("down")
        device.up()
    anna.p4("send", "bob", "two", "--wait", "delivered")
    bob.p4("send", "anna", "three", "--wait", "delivered")


@pytest.mark.slow
def test_a_backup_of_a_running_daemon_comes_back(fresh_pair: Pair, passphrase: Path) -> None:
    anna, bob = fresh_pair
    bob.p4("down")
    anna.p4("send", "bob", "waits")
    file = anna.home / "anna.age"
    assert "Saved" in anna.p4("backup", file, "--passphrase-file", passphrase)
    assert anna.pid is not None, "it goes on"
    anna.p4("backup", file, "--passphrase-file", passphrase, code=3)  # nothing is replaced
    anna.p4("restore", file, "--passphrase-file", passphrase, code=3)  # there is a device already
    anna.p4("down")
    anna.state.rename(anna.home / "lost")
    (anna.home / "wrong").write_text("another passphrase")
    refused = anna.run("restore", file, "--passphrase-file", anna.home / "wrong")
    assert refused.returncode == 2
    assert not anna.state.exists()
    assert "may be missing" in anna.p4("restore", file, "--passphrase-file", passphrase)
    anna.up()
    bob.up()
    anna.p4("send", "bob", "after", "--wait", "delivered")
    texts = [json.loads(line)["text"] for line in bob.p4("inbox", "--json").splitlines()]
    assert texts == ["waits", "after"]


@pytest.mark.slow
def test_a_device_moves_with_what_waits_and_everything_arrives_once(
    fresh_pair: Pair, passphrase: Path, tmp_path: Path
) -> None:
    anna, bob = fresh_pair
    anna.p4("send", "bob", "0", "--wait", "delivered")
    bob.p4("send", "anna", "unread", "--wait", "delivered")
    bob.p4("down")
    for number in range(1, 4):
        anna.p4("send", "bob", str(number))
    file = tmp_path / "anna.age"
    assert anna.json("backup", "--move", "--yes", file, "--passphrase-file", passphrase)["moved"]
    assert anna.pid is None
    refused = anna.run("up", "--detach", *anna.options())
    assert refused.returncode != 0
    assert "moved away" in refused.stderr
    assert "--undo-move" in refused.stderr

    new = Device(tmp_path / "new", anna.port)
    try:
        assert "nothing is missing" in new.p4("restore", file, "--passphrase-file", passphrase)
        new.up()
        bob.up()
        new.p4("send", "bob", "4", "--wait", "delivered")
        texts = [json.loads(line)["text"] for line in bob.p4("inbox", "--json").splitlines()]
        assert texts == ["0", "1", "2", "3", "4"]
        assert [json.loads(line)["text"] for line in new.p4("inbox", "--json").splitlines()] == ["unread"]
    finally:
        new.stop()


def test_a_passphrase_is_never_an_argument(device: Device) -> None:
    for command in ("backup", "restore"):
        assert "--passphrase " not in device.p4(command, "--help")
        refused = device.run(command, "file.age")
        assert refused.returncode == 2
        assert "--passphrase-file" in refused.stderr
    assert "has not moved" in device.p4("backup", "--undo-move", "--yes")
