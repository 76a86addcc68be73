"""The runner's own parts: what counts as equal, what is known to fail, the table, answers of commands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from conformance.cases.native import KINDS, NATIVE_CASES
from conformance.command import Command, CommandError
from conformance.expectations import same
from conformance.languages import LANGUAGES, ROOT, BuildError, Language, MissingToolchainError, build
from conformance.matrix import table
from conformance.outcomes import KnownFailure, Report, Verdict, read_known_failures
from conformance.protocol import RESULTS, needs_client, unexpected_keys
from conformance.runner import LOCAL_CASES, pair_case


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (None, False, False),
        ({}, [], False),
        ({"a": [1]}, {"a": [1.0]}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ([1], [1, 2], False),
        ("1", 1, False),
    ],
)
def test_what_is_the_same_in_json(one: object, other: object, equal: bool) -> None:
    assert same(one, other) is equal
    assert same(other, one) is equal


def test_a_known_failure_must_fail() -> None:
    report = Report(["a"], (KnownFailure("a", "L1 x", "not there yet"),))
    assert report.add("a", "L1 x", "it broke").verdict is Verdict.KNOWN
    assert not report.failures
    assert report.add("a", "L1 x", None).verdict is Verdict.UNEXPECTED
    assert [one.detail for one in report.failures] == ["listed as failing, and does not: not there yet"]
    assert report.add("b", "L1 x", "it broke").verdict is Verdict.FAILED


def test_the_list_of_known_failures(tmp_path: Path) -> None:
    cases = {*NATIVE_CASES, *LOCAL_CASES, *(pair_case(language.name) for language in LANGUAGES)}
    for known in read_known_failures():
        assert known.case in cases
        assert known.language in {language.name for language in LANGUAGES}
    listed = tmp_path / "known.json"
    listed.write_text(json.dumps([{"language": "a", "case": "b", "reason": " "}]))
    with pytest.raises(ValueError, match="reason"):
        read_known_failures(listed)


def test_the_table() -> None:
    report = Report(["a", "b", "c"], (KnownFailure("b", "L1 x", "known"),))
    for case, problem in (("L2 k: 1", None), ("L2 k: 2", "wrong"), ("L1 x", None), ("pair to b", None)):
        report.add("a", case, problem)
    report.add("b", "L1 x", "broken")
    report.missing["c"] = "no compiler"
    lines = table(report).splitlines()
    assert [line.split() for line in lines[:3]] == [
        ["a", "b"],
        ["L2", "k", "1", "FAILED", "-"],
        ["L1", "x", "ok", "known"],
    ]
    text = table(report)
    assert "FAILED a, L2 k: 2\n  wrong" in text
    assert "c is skipped: no compiler" in text
    assert "from, to  b\na         ok\n" in text
    assert "1 failed, 1 known, 3 passed" in text


def test_all_vectors_of_the_core_are_cases() -> None:
    files = [path for kind in KINDS for path in (ROOT / "vectors" / kind).glob("*.json")]
    assert len(files) >= 190
    assert {f"L2 {path.parent.name}: {path.stem}" for path in files} <= set(NATIVE_CASES)


def test_every_operation_of_the_protocol_is_asked_for() -> None:
    readme = (ROOT / "conformance" / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| (`[a-z_.`, ]+`) \|", readme.partition("## L2")[2], re.MULTILINE)
    operations = {name for row in rows for name in re.findall(r"`([a-z_.]+)`", row)}
    operations -= {"echo", "who", "fail", "bug", "slow"}
    assert len(operations) > 60
    assert set(RESULTS) <= operations
    source = "".join(path.read_text("utf-8") for path in (ROOT / "conformance").glob("**/*.py"))
    asked = set(re.findall(r'(?:ask|begin|to_contact)\(\s*"([a-z_.]+)"', source))
    vectors = [
        json.loads(path.read_bytes()) for kind in KINDS for path in (ROOT / "vectors" / kind).iterdir()
    ]
    asked |= {f"{vector['kind']}.{vector['operation']}" for vector in vectors}
    assert operations - asked == set()


def test_results_have_the_keys_of_the_protocol() -> None:
    assert unexpected_keys("contact.call", {"value": None}) == ""
    assert unexpected_keys("contact.call", {"value": 1, "base64": ""})
    assert unexpected_keys("contact.call", {})
    assert unexpected_keys("message.send", {"id": "1", "state": "queued"})
    assert unexpected_keys("messages.close", {}) == ""
    assert needs_client("stream.open")
    assert not needs_client("stream.read")
    assert not needs_client("identity.derive")
    assert needs_client("identity")


def _command(directory: Path, text: str, name: str = "run") -> Language:
    script = directory / name
    script.write_text(f"#!/bin/sh\n{text}\n")
    script.chmod(0o755)
    return Language("x", directory)


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ('read line; echo \'{"id": 1, "result": {}}\'', ""),
        ('read line; echo \'{"id": 2, "result": {}}\'', "nobody waits for"),
        ("read line; echo 'hello'", "no line of JSON"),
        ("read line; echo '{\"id\": 1}'", "has the keys"),
        ('read line; echo \'{"id": 1, "result": {"more": 1}}\'', "has the keys"),
        ('read line; echo \'{"id": 1, "error": {"code": "x"}}\'', "no message"),
        ('read line; echo \'{"id": 1, "failed": "TypeError"}\'', "failed: TypeError"),
        ('read line; echo \'{"id": 1, "unsupported": "none"}\'', "unsupported: none"),
        ("echo 'out of memory' >&2; exit 1", "has ended; it said: out of memory"),
    ],
)
async def test_what_a_command_may_answer(tmp_path: Path, script: str, problem: str) -> None:
    language = _command(tmp_path, script)
    async with Command(language.words, tmp_path / "log") as command:
        if problem:
            with pytest.raises(CommandError, match=problem):
                await command.ask("disconnect", client="me")
        else:
            assert await command.ask("disconnect", client="me") == {}


async def test_a_command_that_is_silent_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.command.SILENCE_SECONDS", 0.2)
    language = _command(tmp_path, "sleep 60")
    async with Command(language.words, tmp_path / "log") as command:
        with pytest.raises(CommandError, match="no answer to identity"):
            await command.ask("identity", client="me")


async def test_builds_say_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingToolchainError, match="no compiler"):
        await build(_command(tmp_path, "echo no compiler; exit 77", "build"))
    with pytest.raises(BuildError, match="status 1: wrong"):
        await build(_command(tmp_path, "echo wrong; exit 1", "build"))
    await build(_command(tmp_path, "exit 0", "build"))
