"""What is remembered of each contact's links, for a picture of them."""

from __future__ import annotations

__all__ = [
    "HISTORY_FIRST_SECONDS",
    "HISTORY_OUTAGES",
    "HISTORY_POINTS",
    "HISTORY_RUNS",
    "HISTORY_SAMPLES",
    "HISTORY_SAMPLE_SECONDS",
    "HISTORY_WRITE_SECONDS",
]

HISTORY_SAMPLE_SECONDS = 10
"""Pause between two looks at a link that is up."""

HISTORY_FIRST_SECONDS = 1.0
"""Pause between a new link and the first look at it."""

HISTORY_SAMPLES = 8640
"""Samples kept per contact, the newest: a day."""

HISTORY_WRITE_SECONDS = 60.0
"""Samples are written this often, together: a power failure costs the last minute."""

HISTORY_OUTAGES = 200
"""Outages kept per contact, the newest."""

HISTORY_RUNS = 200
"""Runs of the daemon kept, the newest."""

HISTORY_POINTS = 300
"""Most points of a picture: more than that no screen shows apart."""
