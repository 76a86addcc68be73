"""A fault in a language's command is noticed by a case, whatever kind it is of; one that is none is not."""

from __future__ import annotations

import asyncio
import re

import pytest
from conformance.cases.native import NATIVE_CASES
from conformance.languages import LANGUAGES, Language
from conformance.outcomes import Outcome, Report, Verdict
from conformance.runner import LOCAL_CASES, Runner
from tests.conformance.faulty_command import FAULTS, ROOT, name_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("planted faults")]

PYTHON = LANGUAGES[0]
NOTICED = [(name_of(fault), case, words) for fault, cases in FAULTS.items() for case, words in cases.items()]
CASES = sorted({case for _, case, _ in NOTICED})


@pytest.fixture(scope="module")
def outcomes() -> dict[tuple[str, str], Outcome]:
    """Every fault in the cases that have to notice it, and Python's own command in all of these."""
    directory = ROOT / "tests" / "conformance" / "faulty"
    faulty = [Language(name, directory, (name,)) for name in map(name_of, FAULTS)]
    wanted = {(name, case) for name, case, _ in NOTICED} | {(PYTHON.name, case) for case in CASES}
    languages = [PYTHON, *faulty]
    report = Report([language.name for language in languages])
    runner = Runner(languages, report, wanted=lambda language, case: (language, case) in wanted)
    asyncio.run(runner.run())
    return {(one.language, one.case): one for one in report.outcomes}


@pytest.mark.parametrize(("name", "case", "words"), NOTICED)
def test_a_fault_is_noticed(
    outcomes: dict[tuple[str, str], Outcome], name: str, case: str, words: str
) -> None:
    found = outcomes[name, case]
    assert found.verdict is Verdict.FAILED
    assert re.search(words, found.detail)


@pytest.mark.parametrize("case", CASES)
def test_what_has_no_fault_passes(outcomes: dict[tuple[str, str], Outcome], case: str) -> None:
    assert outcomes[PYTHON.name, case].verdict is Verdict.PASSED, outcomes[PYTHON.name, case].detail


def test_every_kind_of_case_has_its_fault() -> None:
    kinds = {case.partition(":")[0] for case in (*NATIVE_CASES, *LOCAL_CASES, "pair to python")}
    # Nothing is planted in the chat: it is messages and events, and both are noticed there.
    assert kinds - {case.partition(":")[0] for case in CASES} == {"L1 chat"}
