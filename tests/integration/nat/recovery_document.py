"""How the recovery report is shown: pure, from what was measured to Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bench.machine import facts
from tests.integration.nat.cases import BESIDE, GAP_RATE, QUICK, RATE, SILENT_SECONDS, TOR
from tests.integration.nat.events import OVERLAP_SECONDS
from tests.integration.nat.meeting import Recovery, Tally

__all__ = ["ConnectRow", "Measured", "Row", "document", "quantile"]


@dataclass(slots=True)
class Row:
    """What the runs of one event gave for one kind of pair."""

    section: str
    pair: str
    event: str
    recoveries: list[Recovery] = field(default_factory=list)
    tallies: list[Tally] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def cells(self) -> list[str]:
        """As text, in the order of the headings."""
        seconds = [recovery.seconds for recovery in self.recoveries]
        silences = [recovery.silence for recovery in self.recoveries]
        noticed = [
            min(at for at in recovery.noticed.values() if at is not None)
            for recovery in self.recoveries
            if any(at is not None for at in recovery.noticed.values())
        ]
        return [
            self.pair,
            self.event,
            _runs(len(seconds), self.failures),
            *_quantiles(seconds),
            _shown(quantile(silences, 0.5)),
            _shown(max(silences, default=math.nan)),
            _shown(quantile(noticed, 0.5)),
            *_counts(self.tallies),
        ]


@dataclass(slots=True)
class ConnectRow:
    """What several first links of a pair gave."""

    name: str
    way: str
    seconds: list[float] = field(default_factory=list)
    tallies: list[Tally] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    downs: int = 0
    """Links that went down while they talked, both sides together."""

    def cells(self) -> list[str]:
        """As text, in the order of the headings."""
        runs = _runs(len(self.seconds), self.failures)
        return [
            self.name,
            self.way,
            runs,
            *_quantiles(self.seconds),
            str(self.downs),
            *_counts(self.tallies),
        ]


@dataclass(slots=True)
class Measured:
    """Everything."""

    runs: int
    iroh: bool = False
    """Whether that was there to be measured."""
    rows: list[Row] = field(default_factory=list)
    connects: list[ConnectRow] = field(default_factory=list)
    long_paths: list[ConnectRow] = field(default_factory=list)
    seconds: float = 0.0
    """How long it took."""


_TIMES = ("p50 s", "p95 s", "longest s")
_COUNTS = ("lost", "doubled", "out of order", "messages")
_ROW_HEADINGS = (
    *("pair", "event", "runs", *_TIMES, "silence p50 s", "silence longest s", "noticed p50 s"),
    *_COUNTS,
)
_CONNECT_HEADINGS = ("pair", "path", "runs", *_TIMES, "links lost", *_COUNTS)

_INTRODUCTION = f"""
How long two nodes take until they talk again when the network under them changes, and what they lose. Real
nodes with real messages on disk, in a laboratory of network namespaces on one machine
(tests/integration/nat).

Conditions, unless a row says otherwise: a round trip between two homes, to a server, or between two Tor
relays takes 40 ms; both homes, and the networks that people go to, have port-restricted NATs; both sides send
{RATE:g} messages a second ({GAP_RATE:g} where networks overlap), which the other side's application confirms.

- Seconds count from the change, or from the end of a blackhole ({SILENT_SECONDS:g} s), of sleep
  ({SILENT_SECONDS:g} s) or of a restart, until messages flow in both directions and go on doing so. They
  include everything: noticing, signaling, the new path, the queue. 0 is: no message was late (0.3 s).
- Silence is the longest time without an arrival, the pace of the messages and the event itself included.
- Noticed: until the first node says that its link is gone, or has another.
- Lost, doubled, out of order: of all messages that were sent from the event to the next one, both ways.
- p95 is the value by nearest rank: with 10 runs or fewer it is the longest one.
"""

_SECTIONS = {
    QUICK: f"""
Something answers at once where the other one is: an address that can be dialled (a forwarded port, a router
that maps ports by UPnP, NAT-PMP or PCP, IPv6), a contact whom both know and can dial, or a TURN relay. In
"make before break" a computer is in two networks for {OVERLAP_SECONDS:g} s and what belongs to the old one
still goes over it, as on telephones and most systems: the silence is what counts. In "another network is
preferred" everything goes over the new one at once. Times of both count from the moment of joining.
""",
    TOR: """
Neither side can be dialled, so all signaling goes through onion services, over a private Tor network of four
relays. Real Tor has longer paths.
""",
    BESIDE: """
The same events and the same NATs for the least that an application can do with a library. Neither keeps
messages: what was handed to a connection that turned out to be dead is lost, and counted.

`aiortc` alone: two peer connections with signaling that never fails and takes no time; when the library says
that the connection failed, a new one is made at once. `iroh` alone: QUIC that roams, by direct addresses and
without a relay, so the other one's router leads a UDP port to it; it never leaves that network, which is the
easiest case there is.
""",
}


def document(measured: Measured) -> str:
    """The whole file."""
    parts = [
        "# Recovery",
        f"Written by `python -m tests.integration.nat.report` in {measured.seconds / 60:.0f} minutes.",
        _INTRODUCTION,
    ]
    for section, text in _SECTIONS.items():
        rows = [row.cells() for row in measured.rows if row.section == section]
        if rows:
            parts += [f"## {section}", text, _table(_ROW_HEADINGS, rows)]
        if section == BESIDE and not measured.iroh:
            parts.append("`iroh` was not measured: no interpreter that has it was named (`--iroh-python`).")
        if section == TOR:
            parts += _connects(measured)
    failures = [(f"{row.pair}, {row.event}", text) for row in measured.rows for text in row.failures]
    failures += [
        (row.name, text) for row in [*measured.connects, *measured.long_paths] for text in row.failures
    ]
    if failures:
        lines = [f"- {name}: {text.splitlines()[0][:300]}" for name, text in failures]
        parts += ["## Runs that failed", "\n".join(lines)]
    parts += ["## Machine", "\n".join(f"- {name}: {value}" for name, value in facts().items())]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def quantile(values: Iterable[float], share: float) -> float:
    """By nearest rank, so always a value that was measured; NaN if there is none.

    Args:
        values: in any order.
        share: 0 to 1.
    """
    ordered = sorted(values)
    if not ordered:
        return math.nan
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _connects(measured: Measured) -> list[str]:
    parts = []
    if measured.connects:
        parts += [
            "## Pairs of NATs",
            "Until both have their first link, from when they were told of each other, with TCP signaling.",
            _table(_CONNECT_HEADINGS, [row.cells() for row in measured.connects]),
        ]
    if measured.long_paths:
        parts += [
            "## Long and bad paths",
            "Until the first link, over bad lines at both ends; the last pair then talks for 40 s.",
            _table(_CONNECT_HEADINGS, [row.cells() for row in measured.long_paths]),
        ]
    return parts


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in [headings, *rows]) for column in range(len(headings))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in [headings, *rows]
    ]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join(lines)


def _runs(count: int, failures: Sequence[str]) -> str:
    return f"{count} (+{len(failures)} failed)" if failures else str(count)


def _quantiles(seconds: Sequence[float]) -> list[str]:
    return [_shown(quantile(seconds, share)) for share in (0.5, 0.95, 1.0)]


def _counts(tallies: Sequence[Tally]) -> list[str]:
    return [
        str(sum(getattr(one, name) for one in tallies))
        for name in ("lost", "doubled", "disordered", "accepted")
    ]


def _shown(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"
