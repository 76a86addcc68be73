"""Replay protection per sender (spec/envelope.md, Replay)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from p4.core import limits
from p4.errors import EnvelopeError

__all__ = ["ReplayWindow"]


@dataclass(frozen=True, slots=True)
class ReplayWindow:
    """Which envelopes of one sender were accepted. Immutable; store it before acting on an envelope.

    Whatever was accepted once is refused for ever: its nonce is among the entries, or its time is not above
    the floor. The floor only rises, and only to times of envelopes that were accepted, never to a time
    that our own clock gave: a clock that was wrong for a day cannot shut a contact out.

    Args:
        floor_ms: everything with this timestamp or an older one is refused.
        entries: (timestamp, nonce) of accepted envelopes above the floor; kept oldest first.
        capacity: most entries kept.
    """

    floor_ms: int = 0
    entries: tuple[tuple[int, bytes], ...] = ()
    capacity: int = limits.REPLAY_NONCES

    def __post_init__(self) -> None:
        # What comes from a store is brought into order rather than trusted.
        entries = sorted(entry for entry in self.entries if entry[0] > self.floor_ms)
        excess = max(0, len(entries) - self.capacity)
        if excess:
            floor_ms = entries[excess - 1][0]
            entries = [entry for entry in entries[excess:] if entry[0] > floor_ms]
            object.__setattr__(self, "floor_ms", floor_ms)
        object.__setattr__(self, "entries", tuple(entries))

    def accept(self, nonce: bytes, timestamp_ms: int) -> ReplayWindow:
        """The window after accepting an envelope, in whatever order envelopes arrive.

        Args:
            nonce: the envelope's nonce.
            timestamp_ms: the envelope's time, Unix milliseconds.

        Raises:
            EnvelopeError: ``replayed``: accepted before, or too old to tell. The window is unchanged.
        """
        if timestamp_ms <= self.floor_ms:
            raise EnvelopeError("The envelope is older than what we remember.", code="replayed")
        if any(nonce == known for _, known in self.entries):
            raise EnvelopeError("The envelope was received before.", code="replayed")
        return replace(self, entries=(*self.entries, (timestamp_ms, nonce)))

    def prune(self, now_ms: int) -> ReplayWindow:
        """Forget entries too old to be accepted by time anyway, and raise the floor to the newest of them.

        Args:
            now_ms: Unix time in milliseconds.
        """
        oldest_ms = now_ms - limits.MAX_SKEW_MS
        gone = [when for when, _ in self.entries if when < oldest_ms]
        return replace(self, floor_ms=max(gone)) if gone else self
