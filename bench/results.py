"""Values of many runs, and the table of them."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

UNITS = {
    "bulk": "MB/s",
    "small": "messages/s",
    "round trip p50": "µs",
    "round trip p99": "µs",
    "set-up": "ms",
}


def number(value: float) -> str:
    """Three significant digits, thousands apart."""
    if value >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"


@dataclass
class Results:
    """Values by row and column, in the order in which they first came."""

    cells: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    failures: list[str] = field(default_factory=list)

    def add(self, row: str, values: dict[str, float]) -> None:
        for column, value in values.items():
            self.cells[row][column].append(value)

    def median(self, row: str, column: str) -> float | None:
        values = self.cells.get(row, {}).get(column)
        return statistics.median(values) if values else None

    def as_json(self) -> dict[str, Any]:
        return {
            "rows": {
                row: {
                    column: {
                        "median": statistics.median(values),
                        "low": min(values),
                        "high": max(values),
                        "values": values,
                    }
                    for column, values in columns.items()
                }
                for row, columns in self.cells.items()
            },
            "failures": self.failures,
        }

    def table(self, columns: dict[str, str], first: str, baseline: dict[str, str] | None = None) -> list[str]:
        """Lines of a Markdown table: the median, and in brackets the range.

        Args:
            columns: heading of each column with its unit.
            first: heading of the first column.
            baseline: for some rows the row that they are compared with (``x0.85`` of its median).
        """
        lines = [[first, *(f"{column} {unit}".strip() for column, unit in columns.items())]]
        for row, cells in self.cells.items():
            line = [row]
            for column in columns:
                values = cells.get(column)
                if not values:
                    line.append("-")
                    continue
                middle = statistics.median(values)
                text = number(middle)
                if len(values) > 1:
                    text += f" ({number(min(values))} to {number(max(values))})"
                below = self.median(baseline[row], column) if baseline and row in baseline else None
                if below:
                    text += f" x{middle / below:.2f}"
                line.append(text)
            lines.append(line)
        widths = [max(len(line[index]) for line in lines) for index in range(len(lines[0]))]
        lines.insert(1, ["-" * width for width in widths])
        return [
            "| "
            + " | ".join(
                cell.ljust(width) if not index else cell.rjust(width)
                for index, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            + " |"
            for line in lines
        ]
