"""The tests of the arithmetic are worth something only if they find mistakes in it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType

import pytest
from tests.integration.nat import flow, line, test_measuring

MUTANTS: list[tuple[ModuleType, str, str]] = [
    (flow, "return max(times, default=None)", "return min(times, default=None)"),
    (flow, "if at > since and number in self.sent_at", "if number in self.sent_at"),
    (flow, "n > last[0] and now - self.sent_at[n] <= late", "n > last[0]"),
    (flow, "n > last[0] and now - self.sent_at[n] <= late", "now - self.sent_at[n] <= late"),
    (flow, "if self.sent_at[n] > since and", "if"),
    (flow, "if n > last[-1]]", "if n < last[-1]]"),
    (flow, "if n > lost[-1])", "if n > lost[0])"),
    (flow, "* (after > since)", ""),
    (flow, "self._first_at.setdefault(number, at)", "self._first_at[number] = at"),
    (flow, "if number in self.done or number in self._in_process:", "if number in self._in_process:"),
    (flow, "if number in self.done or number in self._in_process:", "if number in self.done:"),
    (flow, "if number in known:", "if False:"),
    (flow, "self._in_process.clear()", "pass"),
    (line, "at = self._last[way] = max(at, self._last.get(way, 0.0))", "pass"),
    (line, "if at - now > conditions.queue_ms / 1000:", "if False:"),
    (line, "self._inward.get(way[1])", "self._inward.get(way[0])"),
    (line, "max(self.busy_until, now)", "now"),
    (line, "for _ in range(times):", "for _ in range(1):"),
]


def failures() -> list[str]:
    """The tests that fail now."""
    found = []
    for name, test in vars(test_measuring).items():
        if name.startswith("test_") and inspect.isfunction(test):
            run: Callable[[], None] = test
            try:
                run()
            except AssertionError:
                found.append(name)
    return found


def test_without_a_mistake_nothing_is_found() -> None:
    assert failures() == []


@pytest.mark.parametrize(("module", "right", "wrong"), MUTANTS)
def test_a_mistake_is_found(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, right: str, wrong: str
) -> None:
    source = inspect.getsource(module)
    assert source.count(right) == 1, "this mutant fits the source no more"
    names = vars(module).copy()
    exec(compile(source.replace(right, wrong), module.__file__ or "", "exec"), names)  # noqa: S102
    for name in ("Flow", "Line"):
        if name in names and getattr(module, name, None) is not names[name]:
            monkeypatch.setattr(test_measuring, name, names[name])
    assert failures()
