"""How far a transfer is, for a person."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from p4.core import limits

__all__ = ["Progress"]

_SMOOTHING_SECONDS = 3.0


@dataclass
class Progress:
    """Figures of one attempt. Whoever works on a transfer writes them; whoever shows them calls `at`."""

    phase: str = "waiting"
    """``waiting`` for the other device, ``comparing``, ``copying`` or ``finishing``."""
    files: int = 0
    files_done: int = 0
    bytes: int = 0
    bytes_done: int = 0
    """Safe on the receiver's disk, as far as is known."""
    omitted: int = 0
    """Files and folders that were left out, or could not be stored."""
    notes: list[dict[str, str]] = field(default_factory=list)
    """About single files: ``code`` and ``text``."""
    rate: float | None = None
    """Bytes a second, smoothed."""
    _seen: tuple[float, int] | None = None

    def note(self, code: str, text: str, *, omitted: bool = True) -> None:
        """Something about a single file that a person has to know."""
        self.omitted += omitted
        if len(self.notes) < limits.FILE_NOTES:
            self.notes.append({"code": code, "text": text})

    @property
    def seconds_left(self) -> float | None:
        """Until all is there at this rate; None if it is not known."""
        if not self.rate or self.phase != "copying":
            return None
        return max(0, self.bytes - self.bytes_done) / self.rate

    def at(self, now: float) -> dict[str, Any]:
        """The figures at a moment of the clock, in seconds, for JSON."""
        if self.phase == "copying":
            if self._seen is None:
                self._seen = now, self.bytes_done
            elif now - self._seen[0] >= limits.FILE_PROGRESS_SECONDS:
                passed = now - self._seen[0]
                present = (self.bytes_done - self._seen[1]) / passed
                weight = min(1.0, passed / _SMOOTHING_SECONDS)
                self.rate = present if self.rate is None else self.rate + weight * (present - self.rate)
                self._seen = now, self.bytes_done
        return {
            "phase": self.phase,
            "files": self.files,
            "files_done": self.files_done,
            "bytes": self.bytes,
            "bytes_done": min(self.bytes_done, self.bytes),
            "omitted": self.omitted,
            "bytes_per_second": self.rate,
            "seconds_left": self.seconds_left,
        }
