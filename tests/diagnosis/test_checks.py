"""What the checks of `p4 doctor` find, and that a person always gets findings and never a traceback."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
from collections import namedtuple
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.cli.conftest import Run, complaint, fingerprint
from tests.integration.turn.coturn import LOGIN, run_coturn

from p4.adapters.net.stun.classify import Filtering, Mapping, PathFinding
from p4.adapters.tor.inspection import TorView
from p4.core.address import Transport
from p4.core.ice import IceSettings, TurnServer
from p4.diagnosis import clock, directory, mapping, nat, tor, turn
from p4.diagnosis.finding import Check, Finding, Level, Patient, examine
from p4.errors import StateError
from p4.node.options import NodeOptions

OK, WARN, BAD = Level.OK, Level.WARN, Level.BAD


def patient(place: Path, **options: object) -> Patient:
    chosen = NodeOptions(transport=Transport.DIRECT, ice=IceSettings(stun=()), **options)  # type: ignore[arg-type]
    return Patient(place, chosen, None)


def levels(findings: list[Finding]) -> dict[str, Level]:
    return {finding.subject: finding.level for finding in findings}


# --- how checks run ---------------------------------------------------------------------------------------


async def run(place: Path, *checks: Check) -> list[list[Finding]]:
    return [found async for found in examine(checks, patient(place))]


def finds(text: str) -> Callable[[Patient], Awaitable[list[Finding]]]:
    async def look(_: Patient) -> list[Finding]:
        return [Finding("test", OK, text)]

    return look


def breaks(error: BaseException) -> Callable[[Patient], Awaitable[list[Finding]]]:
    async def look(_: Patient) -> list[Finding]:
        raise error

    return look


async def test_checks_run_beside_each_other_and_are_told_in_order(tmp_path: Path) -> None:
    first_may_end = asyncio.Event()

    async def waits(_: Patient) -> list[Finding]:
        await first_may_end.wait()
        return [Finding("test", OK, "first")]

    async def frees(_: Patient) -> list[Finding]:
        first_may_end.set()
        return [Finding("test", OK, "second")]

    found = await run(tmp_path, Check("a", waits, 10), Check("b", frees, 10))
    assert [finding.text for each in found for finding in each] == ["first", "second"]


@pytest.mark.parametrize(
    ("error", "level", "said"),
    [
        (StateError("The disk is full.", path="", code="disk-full"), BAD, "The disk is full."),
        (PermissionError(13, "Permission denied"), WARN, "Permission denied"),
        (ZeroDivisionError("x"), WARN, "This check itself failed (ZeroDivisionError)"),
    ],
)
async def test_whatever_goes_wrong_inside_is_a_finding_and_the_others_go_on(
    tmp_path: Path, error: Exception, level: Level, said: str
) -> None:
    broken, whole = await run(tmp_path, Check("a", breaks(error), 10), Check("b", finds("fine"), 10))
    assert broken[0].level is level
    assert said in broken[0].text
    assert whole == [Finding("test", OK, "fine")]


async def test_a_check_that_hangs_is_given_up(tmp_path: Path) -> None:
    async def hangs(_: Patient) -> list[Finding]:
        await asyncio.get_running_loop().create_future()
        return []

    ((finding,),) = await run(tmp_path, Check("a", hangs, 0.05))
    assert finding.level is WARN
    assert "given up" in finding.text


# --- the state directory ----------------------------------------------------------------------------------


async def test_a_directory_in_order(state: Path) -> None:
    found = levels(await directory.CHECK.run(patient(state)))
    assert found == {"files": OK, "database": OK, "disk": OK}


@pytest.mark.skipif(os.name != "posix", reason="mode bits mean something on POSIX")
async def test_a_directory_that_others_can_read_comes_with_the_command_that_closes_it(state: Path) -> None:
    (state / "identity_ed25519.json").chmod(0o644)
    found = await directory.CHECK.run(patient(state))
    assert levels(found)["files"] is BAD
    assert "chmod" in found[0].text


async def test_directories_where_something_is_missing(tmp_path: Path, state: Path) -> None:
    before = sorted(tmp_path.iterdir())
    found = await directory.CHECK.run(patient(tmp_path / "none" / "deeper"))
    assert levels(found) == {"state": WARN, "disk": OK}
    assert "p4 init" in found[0].advice
    assert sorted(tmp_path.iterdir()) == before
    (state / "p4.sqlite3").write_bytes(b"x" * 5000)
    (state / "p4.sqlite3").chmod(0o600)
    assert levels(await directory.CHECK.run(patient(state)))["database"] is BAD
    (state / "identity_ed25519.json").unlink()
    assert levels(await directory.CHECK.run(patient(state)))["identity"] is BAD


@pytest.mark.parametrize(("free", "level"), [(10**6, BAD), (10**8, WARN), (10**10, OK)])
def test_room_on_the_disk(free: int, level: Level, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 - what shutil gives
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 0, free))
    assert [finding.level for finding in directory.disk_findings(tmp_path)] == [level]


# --- the clock ----------------------------------------------------------------------------------------------

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()
VIEW = TorView(
    "0.4.8.12",
    "recommended",
    100,
    "Done",
    datetime(2026, 6, 1, 11, tzinfo=UTC),
    datetime(2026, 6, 1, 14, tzinfo=UTC),
)


@pytest.mark.parametrize(
    ("now", "newest", "level"),
    [
        (NOON, None, OK),
        (NOON, NOON - 1e7, OK),
        (NOON, NOON + 60, OK),
        (NOON, NOON + 4000, WARN),
        (NOON, NOON + 200_000, BAD),
        (3000.0, None, BAD),
    ],
)
def test_the_clock_beside_files(now: float, newest: float | None, level: Level) -> None:
    assert clock.compared_with_files(now, newest).level is level


@pytest.mark.parametrize(
    ("view", "now", "level"),
    [
        (VIEW, NOON, OK),
        (VIEW, NOON - 2 * 3600, BAD),
        (VIEW, NOON + 5 * 3600, WARN),
        (replace(VIEW, percent=10), NOON + 5 * 3600, WARN),
        (replace(VIEW, percent=10), NOON - 2 * 3600, BAD),
        (replace(VIEW, valid_after=None), NOON, WARN),
    ],
)
def test_the_clock_beside_the_tor_network(view: TorView, now: float, level: Level) -> None:
    finding = clock.compared_with_tor(view, now)
    assert finding.level is level
    assert finding.text.endswith(".")


async def test_a_file_from_the_future_shows_that_the_clock_went_back(state: Path) -> None:
    os.utime(state / "contacts.json" if (state / "contacts.json").exists() else state / "p4.lock", None)
    assert levels(await clock.CHECK.run(patient(state))) == {"clock": OK}
    later = time.time() + 3 * 86400
    os.utime(state / "identity_ed25519.json", (later, later))
    assert levels(await clock.CHECK.run(patient(state))) == {"clock": BAD}


# --- the network --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "level"),
    [
        (Mapping.ABSENT, OK),
        (Mapping.INDEPENDENT, OK),
        (Mapping.UNTRANSLATED, OK),
        (Mapping.PORT_DEPENDENT, WARN),
        (Mapping.BLOCKED, WARN),
    ],
)
def test_kinds_of_nat(kind: Mapping, level: Level) -> None:
    path = PathFinding(
        4,
        kind,
        Filtering.PORT_DEPENDENT,
        local=("192.168.1.2", 5),
        external=(("203.0.113.4", 6), ("203.0.113.4", 7)),
    )
    (finding,) = nat.path_findings(path)
    assert finding.level is level
    assert finding.text.count("203.0.113.4") == 1
    assert bool(finding.advice) == (level is WARN)


async def test_offline_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (nat, mapping, tor):
        monkeypatch.setattr(module, "has_network", lambda: False)
    onion = replace(patient(tmp_path), options=NodeOptions())
    began = time.monotonic()
    assert levels(await nat.CHECK.run(onion)) == {"network": BAD}
    assert levels(await mapping.CHECK.run(onion)) == {"port mapping": WARN}
    assert time.monotonic() - began < 2


async def test_a_turn_server_that_is_not_there(tmp_path: Path) -> None:
    ice = IceSettings(stun=(), turn=(TurnServer("turn:127.0.0.1:9?transport=tcp"),))
    (finding,) = await turn.CHECK.run(Patient(tmp_path, NodeOptions(ice=ice), None))
    assert finding.level is BAD
    assert finding.advice


@pytest.mark.slow
async def test_servers_that_are_there(tmp_path: Path) -> None:
    with run_coturn(tmp_path, LOGIN["static"]) as server:
        right = TurnServer(server.url("udp"), username="ann", password="pass-word")
        wrong = TurnServer(server.url("tcp"), username="ann", password="pass-wort")
        stun = f"stun:{server.address}:{server.port}"
        ice = IceSettings(stun=(stun,), turn=(right, wrong))
        examined = Patient(tmp_path, NodeOptions(ice=ice), None)
        good, bad = await turn.CHECK.run(examined)
        assert (good.level, bad.level) == (OK, BAD)
        assert "does not accept these credentials" in bad.text, bad.text
        assert "pass-wort" not in bad.text + bad.advice
        found = await nat.CHECK.run(examined)
        assert Finding("stun", OK, f"{stun} answers.") in found


# --- the whole ----------------------------------------------------------------------------------------------


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is waited for."""
    monkeypatch.setattr(mapping, "ANSWER_SECONDS", 0.1)
    monkeypatch.setattr(nat, "has_network", lambda: True)


@pytest.mark.usefixtures("hasty")
def test_the_command_tells_and_changes_nothing(p4: Run, state: Path) -> None:
    before = fingerprint(state)
    result = p4("doctor", "--state-dir", state, "--no-tor", "--mode", "direct", "--stun-server", "")
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert all(line.startswith(("ok  ", "warn", " ")) for line in lines[:-2])
    assert "0 bad" in lines[-1]
    assert fingerprint(state) == before


@pytest.mark.usefixtures("hasty")
def test_bad_findings_are_an_exit_code_and_json(p4: Run, state: Path) -> None:
    (state / "p4.sqlite3").write_bytes(b"x" * 5000)
    (state / "p4.sqlite3").chmod(0o600)
    result = p4("doctor", "--state-dir", state, "--json", "--mode", "direct", "--stun-server", "")
    assert (result.returncode, result.stderr) == (1, "")
    told = json.loads(result.stdout)
    assert told["healthy"] is False
    assert {"subject", "level", "text", "advice"} == set(told["findings"][0])
    assert "database" in {entry["subject"] for entry in told["findings"] if entry["level"] == "bad"}


def test_options_that_cannot_be_are_refused_before_anything_is_looked_at(p4: Run, state: Path) -> None:
    result = p4("doctor", "--state-dir", state, "--turn-server", "http://x")
    assert result.returncode == 2
    assert "turn:" in complaint(result)
