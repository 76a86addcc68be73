"""Faults planted in what a person is told, each of which the tests must notice."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

import pytest
from tests.cli.fake_node import ANNA, BOB, FakeNode, invite_of
from tests.cli.status import test_files as files
from tests.diagnosis import test_checks as checks
from tests.node import test_status as status

from p4.adapters.store import lock
from p4.cli.status import snapshot, writer
from p4.cli.status.snapshot import Snapshot
from p4.diagnosis import finding
from p4.diagnosis.finding import Check, Finding, Patient
from p4.node import status as node_status
from p4.ports import LinkPath


def written_in_place(directory: Path, told: Snapshot) -> None:
    text = json.dumps({"format": snapshot.FORMAT, "pid": told.pid, "node": asdict(told.node)})
    (directory / "status.json").write_text(text)
    (directory / "status.json").chmod(0o600)


def any_path_goes_on(before: LinkPath, after: LinkPath) -> bool:
    return True


async def unguarded(check: Check, patient: Patient) -> list[Finding]:
    return await check.run(patient)


def node() -> FakeNode:
    made = FakeNode()
    for identity in (ANNA, BOB):
        made.add_contact(invite_of(identity))
    anna = made.peer(ANNA.peer_id)
    anna.connected, anna.path = True, files.PATH
    return made


def test_bytes_counted_across_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_status, "_goes_on", any_path_goes_on)
    with pytest.raises(AssertionError):
        status.test_bytes_of_another_path_are_not_taken_for_a_flow(status.counted(10))


def test_two_measurements_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_status.LinkGauge, "stale", lambda gauge, now: True)
    with pytest.raises(AssertionError):
        status.test_two_who_ask_at_once_do_not_spoil_the_measurement()


async def test_a_file_written_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "write_snapshot", written_in_place)
    with pytest.raises(AssertionError):
        await files.test_a_reader_never_finds_half_a_file(node(), tmp_path)


WRITERS: list[tuple[str, object]] = [
    ("remove_snapshot", lambda directory: None),
    ("LONGEST_SECONDS", 0.0),
]


@pytest.mark.parametrize(("name", "fault"), WRITERS, ids=[name for name, _ in WRITERS])
async def test_a_writer(name: str, fault: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, name, fault)
    with pytest.raises((AssertionError, TimeoutError)):
        await files.test_the_writer_writes_when_something_changed_and_removes_the_file_at_the_end(
            node(), tmp_path, monkeypatch
        )


def test_a_number_that_another_process_got(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_CLOCK_SLACK_SECONDS", math.inf)
    with pytest.raises(AssertionError):
        files.test_the_holder_of_a_directory_is_told_apart_from_a_later_process_of_its_number(tmp_path)


async def test_a_check_whose_fault_ends_the_diagnosis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "_guarded", unguarded)
    with pytest.raises(ZeroDivisionError):
        await checks.test_whatever_goes_wrong_inside_is_a_finding_and_the_others_go_on(
            tmp_path, ZeroDivisionError("x"), checks.WARN, "ZeroDivisionError"
        )
