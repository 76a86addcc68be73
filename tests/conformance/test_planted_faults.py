"""A fault in a language's command is noticed by a case, whatever kind it is of; one that is none is not."""

from __future__ import annotations

import asyncio

import pytest
from conformance.cases.native import NATIVE_CASES
from conformance.languages import LANGUAGES, Language
from conformance.outcomes import Outcome, Report, Verdict
from conformance.runner import LOCAL_CASES, Runner
from tests.conformance.faulty_command import FAULTS, ROOT, Fault

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PYTHON = LANGUAGES[0]
NOTICED = [(fault, case) for fault, cases in FAULTS.items() for case in cases]


@pytest.fixture(scope="module")
def outcomes() -> dict[tuple[str, str], Outcome]:
    """Every fault in the cases that have to notice it, and Python's own command in all of these."""
    faulty = [
        Language(fault.__name__, ROOT / "tests" / "conformance" / "faulty", (fault.__name__,))
        for fault in FAULTS
    ]
    wanted = {(fault.__name__, case) for fault, case in NOTICED} | {("python", case) for _, case in NOTICED}
    languages = [PYTHON, *faulty]
    report = Report([language.name for language in languages])
    runner = Runner(languages, report, wanted=lambda language, case: (language, case) in wanted)
    asyncio.run(runner.run())
    return {(one.language, one.case): one for one in report.outcomes}


@pytest.mark.parametrize(("fault", "case"), NOTICED, ids=lambda part: getattr(part, "__name__", part))
def test_a_fault_is_noticed(outcomes: dict[tuple[str, str], Outcome], fault: type[Fault], case: str) -> None:
    found = outcomes[fault.__name__, case]
    assert found.verdict is Verdict.FAILED
    assert found.detail


@pytest.mark.parametrize("case", sorted({case for _, case in NOTICED}))
def test_what_has_no_fault_passes(outcomes: dict[tuple[str, str], Outcome], case: str) -> None:
    assert outcomes["python", case].verdict is Verdict.PASSED, outcomes["python", case].detail


def test_every_kind_of_case_has_its_fault() -> None:
    kinds = {case.partition(":")[0] for case in (*NATIVE_CASES, *LOCAL_CASES, "pair to python")}
    # Nothing is planted in the chat: it is messages and events, and both are noticed there.
    assert kinds - {case.partition(":")[0] for _, case in NOTICED} == {"L1 chat"}
