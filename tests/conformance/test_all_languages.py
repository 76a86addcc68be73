"""``python -m conformance``: every SDK does what it should, and all of them understand each other."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from conformance.languages import LANGUAGES, ROOT
from tests.requirements import missing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("all languages")]

NAMES = [language.name for language in LANGUAGES]


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """Of one run of everything."""
    run = subprocess.run(
        [sys.executable, "-m", "conformance", "--json"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode in {0, 1}, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    print("conformance:", found["seconds"])
    return found


@pytest.mark.parametrize("language", NAMES)
def test_a_language(report: dict[str, Any], language: str) -> None:
    if language in report["missing"]:
        missing(report["missing"][language])
    ours = [one for one in report["results"] if one["language"] == language]
    wrong = [f"{one['case']}: {one['detail']}" for one in ours if one["verdict"] in {"failed", "unexpected"}]
    assert not wrong, "\n".join(wrong)
    assert len([one for one in ours if one["case"].startswith("L2 ")]) > 190
    assert len([one for one in ours if one["case"].startswith("L1 ")]) >= 20


def test_every_language_sends_to_every_other(report: dict[str, Any]) -> None:
    there = [name for name in NAMES if name not in report["missing"]]
    pairs = {(one["language"], one["case"]) for one in report["results"] if one["case"].startswith("pair ")}
    assert pairs == {(sender, f"pair to {receiver}") for sender in there for receiver in there}
