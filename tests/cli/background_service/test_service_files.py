"""The files that make the daemon a service, read by what reads them where that is here."""

from __future__ import annotations

import plistlib
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.cli.conftest import Run, complaint

from p4.cli.background_service.plan import plan_for, service_name, started_command
from p4.errors import LocalError

AWKWARD = Path('/srv/50% of "it"/$HOME/state')
"""A directory with everything that systemd, launchd and XML treat as special."""


def test_systemd_starts_exactly_the_command(tmp_path: Path) -> None:
    state = Path(str(AWKWARD).replace("/srv", str(tmp_path)))
    plan = plan_for("linux", state, ["--mode", "direct"])
    assert plan.file.name == f"{service_name(state)}.service"
    (line,) = [line for line in plan.content.decode().splitlines() if line.startswith("ExecStart=")]
    assert '"--state-dir"' in line
    assert line.endswith('"--plain" "--mode" "direct"')
    assert r"50%% of \"it\"" in line
    assert "$$HOME" in line


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_itself_takes_the_unit(tmp_path: Path) -> None:
    plan = plan_for("linux", Path(str(AWKWARD).replace("/srv", str(tmp_path))))
    unit = tmp_path / "p4.service"
    unit.write_bytes(plan.content)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", "--recursive-errors=no", unit],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
    )
    if "Failed to initialize manager" in done.stderr:
        pytest.skip(f"systemd cannot check units here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    assert "p4.service" not in done.stderr


def test_launchd_starts_exactly_the_command() -> None:
    plan = plan_for("darwin", AWKWARD)
    agent = plistlib.loads(plan.content)
    assert agent["ProgramArguments"] == started_command(AWKWARD, ())
    assert agent["RunAtLoad"] is True
    assert agent["KeepAlive"] == {"SuccessfulExit": False}
    assert plan.file.name == f"{agent['Label']}.plist"


def test_windows_starts_exactly_the_command() -> None:
    plan = plan_for("win32", AWKWARD, ["--mode", "direct"])
    root = ET.fromstring(plan.content.decode("utf-16"))  # noqa: S314 - our own
    space = {"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}
    started = root.find("t:Actions/t:Exec", space)
    assert started is not None
    words = started_command(AWKWARD, ["--mode", "direct"])
    assert started.findtext("t:Command", namespaces=space) == words[0]
    assert started.findtext("t:Arguments", namespaces=space) == subprocess.list2cmdline(words[1:])
    assert root.findtext("t:Settings/t:ExecutionTimeLimit", namespaces=space) == "PT0S"


def test_each_directory_has_a_service_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert service_name(Path("~/.p4")) == service_name(tmp_path / ".p4") == "p4"
    names = {service_name(tmp_path / name) for name in ("a", "b")}
    assert len(names) == 2
    assert all(name.startswith("p4-") for name in names)


def test_other_systems_are_told_what_to_start() -> None:
    with pytest.raises(LocalError, match=r"p4\.cli up --state-dir") as refused:
        plan_for("plan9", Path("/state"))
    assert refused.value.code == "not-supported"


@pytest.mark.skipif(sys.platform != "linux", reason="the file is systemd's")
def test_printing_changes_nothing_and_a_refusal_says_what_to_do(p4: Run, state: Path, home: Path) -> None:
    printed = p4("service", "install", "--print", "--state-dir", state)
    assert printed.returncode == 0
    assert "[Service]" in printed.stdout
    assert not (home / ".config").exists()
    assert p4("service", "status", "--state-dir", state).returncode == 1
    # There is no systemd of this made-up user.
    installed = p4("service", "install", "--state-dir", state, PATH="/nowhere")
    assert installed.returncode == 1
    assert "there is no systemctl" in installed.stderr
    assert "is written" in installed.stderr
    (unit,) = (home / ".config" / "systemd" / "user").iterdir()
    assert unit.stat().st_mode & 0o077 == 0, "options may hold passwords"
    removed = p4("service", "uninstall", "--state-dir", state, PATH="/nowhere")
    assert removed.returncode == 0
    assert not unit.exists()
    assert complaint(p4("service", "explode")).startswith("No such command")
