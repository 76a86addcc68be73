"""What came of a case, and what is known to fail."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

__all__ = ["KNOWN_FAILURES", "KnownFailure", "Outcome", "Report", "Verdict", "read_known_failures"]

KNOWN_FAILURES = Path(__file__).resolve().parent / "known-failures.json"


class Verdict(StrEnum):
    """Of one case in one language."""

    PASSED = "passed"
    FAILED = "failed"
    KNOWN = "known"
    """Failed, as it is listed."""
    UNEXPECTED = "unexpected"
    """Passed, and is listed as failing: the list is out of date, which counts as a failure."""


@dataclass(frozen=True)
class KnownFailure:
    """A line of the list: this case fails in this language, for this reason."""

    language: str
    case: str
    reason: str


@dataclass(frozen=True)
class Outcome:
    """One case in one language; for pairs the language is the sender's."""

    language: str
    case: str
    verdict: Verdict
    detail: str = ""
    seconds: float = 0.0


def read_known_failures(path: Path = KNOWN_FAILURES) -> tuple[KnownFailure, ...]:
    """The list. Raises ValueError or TypeError if an entry is not of the form, or gives no reason."""
    entries = json.loads(path.read_text("utf-8"))
    known = tuple(KnownFailure(**entry) for entry in entries)
    if not all(one.language and one.case and one.reason.strip() for one in known):
        raise ValueError("each known failure has a language, a case and a reason")
    return known


@dataclass
class Report:
    """Everything that came of a run.

    Args:
        languages: that take part.
        known: failures that are expected.
    """

    languages: Sequence[str]
    known: Sequence[KnownFailure] = ()
    outcomes: list[Outcome] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    """Languages whose toolchain is not on this machine, and what is missing."""
    seconds: dict[str, float] = field(default_factory=dict)
    """How long each part of the run took."""

    def add(self, language: str, case: str, problem: str | None, seconds: float = 0.0) -> Outcome:
        """Note what came of a case; a problem of None is none."""
        reason = next(
            (one.reason for one in self.known if (one.language, one.case) == (language, case)), None
        )
        if problem is None:
            verdict = Verdict.PASSED if reason is None else Verdict.UNEXPECTED
            detail = "" if reason is None else f"listed as failing, and does not: {reason}"
        else:
            verdict = Verdict.FAILED if reason is None else Verdict.KNOWN
            detail = problem if reason is None else f"{reason} ({problem})"
        outcome = Outcome(language, case, verdict, detail, round(seconds, 3))
        self.outcomes.append(outcome)
        return outcome

    @property
    def failures(self) -> list[Outcome]:
        """What should not be as it is."""
        return [one for one in self.outcomes if one.verdict in {Verdict.FAILED, Verdict.UNEXPECTED}]

    def to_object(self) -> dict[str, Any]:
        """The report as JSON."""
        return {
            "languages": list(self.languages),
            "missing": self.missing,
            "results": [asdict(one) for one in self.outcomes],
            "failures": len(self.failures),
            "seconds": {part: round(seconds, 2) for part, seconds in self.seconds.items()},
        }
