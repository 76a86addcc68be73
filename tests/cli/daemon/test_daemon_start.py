"""How the daemon begins and ends: by `p4 up` and `down`, by itself, twice at once, and not at all."""

from __future__ import annotations

import json
import signal
import socket
import stat
import subprocess
import time

import pytest
from tests.cli.devices import Device, Following
from tests.patience import patience


def test_a_new_user_starts_ends_and_starts_again(device: Device) -> None:
    assert device.p4("down") == "No daemon runs.\n"
    pid = device.up()
    assert device.pid == pid
    assert "runs already" in device.p4("up", "-d")
    assert stat.S_IMODE((device.state / "daemon").stat().st_mode) == 0o700
    assert stat.S_IMODE((device.state / "daemon" / "log").stat().st_mode) == 0o600
    assert device.json("down") == {"ended": True, "pid": pid}
    assert not device.pid
    assert device.json("status")["running"] is False


def test_options_are_remembered_until_they_are_forgotten(device: Device) -> None:
    device.up()
    device.p4("down")
    started = device.run("name")  # starts the daemon by itself
    assert started.returncode == 0
    (line,) = started.stderr.splitlines()
    assert line == f"p4: Started the daemon in the background (pid {device.pid}). It ends with: p4 down"
    assert device.json("status")["addresses"] == [f"direct://127.0.0.1:{device.port}"]
    device.p4("down")
    options = device.state / "daemon" / "options.json"
    assert stat.S_IMODE(options.stat().st_mode) == 0o600
    options.write_text("{")
    assert "p4 up --forget-options" in device.run("up", "-d").stderr
    device.p4("up", "-d", "--forget-options", *device.options())
    assert "turn_password" not in json.loads(options.read_text())["options"]


def test_two_commands_at_once_start_one_daemon(device: Device) -> None:
    device.up()
    device.p4("down")
    commands = [
        subprocess.Popen(
            device.command("name", "--json"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=device.environment,
        )
        for _ in range(4)
    ]
    outcomes = [(*command.communicate(timeout=180), command.returncode) for command in commands]
    assert {code for _, _, code in outcomes} == {0}
    assert len({out for out, _, _ in outcomes}) == 1
    started = [err for _, err, _ in outcomes if err]
    assert len(started) == 1
    assert str(device.pid) in started[0]


def test_no_start_refuses_and_starts_nothing(device: Device) -> None:
    refused = device.run("grants", "--no-start")
    assert refused.returncode == 1
    assert refused.stderr.startswith("p4: No P4 daemon answers")
    assert not device.pid


def test_a_failed_start_shows_the_reason_and_not_a_time_out(device: Device) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", device.port))
        taken.listen()
        began = time.monotonic()
        failed = device.run("up", "-d", *device.options())
        assert time.monotonic() - began < patience(15)
    assert failed.returncode == 2
    (line,) = failed.stderr.splitlines()
    assert line.startswith("p4: The daemon did not start. ")
    assert str(device.port) in line


def test_a_directory_that_a_node_of_version_1_holds_is_not_started_on(device: Device) -> None:
    device.p4("init")
    node = Following(device, "run", "--no-stdin", *device.options())
    try:
        node.wait_for(3)
        refused = device.run("send", "bob", "hi")
        assert refused.returncode == 3
        assert str(node.process.pid) in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
    finally:
        node.stop()


def test_in_the_foreground_it_tells_line_by_line_and_ends_by_a_signal(device: Device) -> None:
    daemon = Following(device, "up", *device.options())
    try:
        daemon.wait_for(2)
        assert "The daemon of" in daemon.lines()[0]
        assert device.json("status")["pid"] == daemon.process.pid
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(timeout=60) == 0
        assert device.pid is None
    finally:
        daemon.stop()


def test_what_a_killed_daemon_left_does_not_mislead(device: Device) -> None:
    device.up()
    device.kill()
    assert (device.state / "daemon" / "endpoint.json").exists()
    assert device.json("status")["running"] is False
    assert device.run("grants", "--no-start").returncode == 1
    assert device.p4("down") == "No daemon runs.\n"
    assert device.run("name").returncode == 0
    assert device.pid is not None


@pytest.mark.parametrize("arguments", [("log",), ("log", "--json")])
def test_the_log_is_there_after_the_end(device: Device, arguments: tuple[str, ...]) -> None:
    assert "no log" in device.run("log").stderr
    device.up()
    device.p4("down")
    lines = device.p4(*arguments).splitlines()
    assert any("The daemon listens" in line for line in lines)
    if "--json" in arguments:
        assert all(isinstance(json.loads(line), str) for line in lines)
