"""What a world of two streams' ends is made of: the plan, and a device as far as it matters."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field

from p4.core.session.stream_frames import Credit, ResetReason
from p4.core.session.streams.events import Forget, Save
from p4.core.session.streams.machine import StreamMachine
from p4.core.session.streams.record import StreamRecord
from p4.core.session.streams.windows import WindowBudget

ID = 7
Make = Callable[..., StreamMachine]


@dataclass
class Plan:
    """What the applications do, and how much may go wrong."""

    writes: tuple[tuple[int, ...], tuple[int, ...]] = ((1, 1), (1,))
    """Sizes of what each side's application writes, one after the other."""
    piece: int = 1
    """Most bytes in a DATA frame and in a read."""
    flaps: int = 0
    crashes: int = 0
    powers: int = 0
    """Power failures of either side, in which the spool loses what was not synchronised."""
    cancels: int = 0
    leaves: bool = False
    """Whether applications leave the stream when they come to the end of what they read."""
    late: bool = False
    """Whether applications look for the end of what they read only when nothing else happens any more."""
    lanes: int = 0
    """How often a lane ends on which one DATA frame was under way, or had arrived without being confirmed."""


@dataclass
class Side:
    """One device."""

    opener: bool
    budget: WindowBudget = field(default_factory=WindowBudget)
    machine: StreamMachine | None = None
    disk: StreamRecord | None = None
    history: list[int] = field(default_factory=list)
    """Every byte of this side's direction, as its application believes; each value is used once."""
    lost: list[list[int]] = field(default_factory=list)
    """The same as it was before each power failure."""
    start: int = 0
    """Where the spool begins."""
    synced: int = 0
    pending: list[Save | Forget] = field(default_factory=list)
    """What the disk was asked to do and has not done."""
    offered: Credit | None = None
    """The contact's stream waits here to be accepted."""
    script: list[int] = field(default_factory=list)
    """Writes still to come."""
    delivered: list[int] = field(default_factory=list)
    """What the application has read, since the last start of the process from the consumed offset on."""
    granted: int = 0
    """Highest limit told on this link."""
    told_end: bool = False
    """Whether the application was ever told that the contact's direction has ended."""
    ended: list[ResetReason] = field(default_factory=list)
    finished: bool = False


def same(state: object) -> bytes:
    """Equal for states that are equal, whatever parts they share."""
    text = io.BytesIO()
    pickler = pickle.Pickler(text, pickle.HIGHEST_PROTOCOL)
    pickler.fast = True  # it notes no part that comes again
    pickler.dump(state)
    return text.getvalue()
