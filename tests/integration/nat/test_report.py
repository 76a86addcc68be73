"""The report says what was measured."""

from __future__ import annotations

import math

from tests.integration.nat.cases import QUICK, cases, connects, long_paths
from tests.integration.nat.events import EVENTS
from tests.integration.nat.meeting import Recovery, Tally
from tests.integration.nat.recovery_document import ConnectRow, Measured, Row, document, quantile


def test_a_quantile_is_a_value_that_was_measured() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert quantile(values, 0.5) == 3.0
    assert quantile(values, 0.95) == 5.0
    assert quantile([*values, 6.0], 0.5) == 3.0
    assert quantile(range(1, 21), 0.95) == 19
    assert math.isnan(quantile([], 0.5))


def test_rows_failures_and_sums_are_shown() -> None:
    row = Row(QUICK, "homes", "one roams")
    for seconds in (0.25, 1.5, 0.5):
        row.recoveries.append(
            Recovery("one roams", 0.0, seconds, {}, seconds + 1, {"ann": None, "bob": 0.125}, {})
        )
        row.tallies.append(Tally(10, 1, 2, 3))
    row.failures.append("no messages\nand more")
    bare = ConnectRow("none × none", "direct", [1.0, 2.0], [Tally(8, 0, 0, 0)])
    text = document(Measured(3, rows=[row], connects=[bare]))
    (line,) = [line for line in text.splitlines() if line.startswith("| homes")]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[:9] == [
        *("homes", "one roams", "3 (+1 failed)", "0.50", "1.50", "1.50", "1.50", "2.50", "0.12"),
    ]
    assert cells[9:] == ["3", "6", "9", "30"]
    assert "- homes, one roams: no messages\n" in text
    assert "and more" not in text
    assert "| none × none" in text
    assert "`iroh` was not measured" in text


def test_every_row_has_an_event_that_exists_and_a_name_of_its_own() -> None:
    found = cases(iroh=True)
    events = {event for case in found for event in case.events}
    # The first node's sleep and restart say the same; a cable is a short blackhole that one is told of.
    assert events == EVENTS.keys() - {"the other sleeps", "the other restarts", "link flap"}
    names = [case.name for case in found]
    names += [pair.name for pair in connects()]
    names += [path.name for path in long_paths()]
    assert len(names) == len(set(names))
