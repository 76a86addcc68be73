"""What a disk remembers of a stream."""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["StreamRecord"]


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """What is remembered about an open stream; the bytes written are in its `p4.ports.Spool`."""

    id: int
    service: str
    name: str
    opened_here: bool
    """Whether we opened it."""
    accepted: bool = False
    """Whether the side that did not open it has accepted it."""
    consumed: int = 0
    """Bytes received that the application has consumed, and that the contact may forget."""
    final: bool = False
    """Whether our application will write no more."""
    reset: int = -1
    """A `p4.core.session.stream_frames.ResetReason` that the contact still has to be told; -1 for none."""
    reset_text: str = ""
    done: bool = False
    """Whether both directions have ended and the contact still has to be told."""
    created_ms: int = 0
    floor: int = -1
    """Where our direction ended at a start whose end the contact has not been told yet, although more was
    written since; the lowest of several. -1 for none. Without it bytes that a power failure took and bytes
    written anew could be mixed up at the reader (spec/stream.md, A new link)."""
    closed: bool = False
    """Whether our application has left it: it wants nothing of what still arrives, nor to know of the end.
    Only then it is not given to the application again after a restart."""

    def ended(self, *, leave: bool) -> StreamRecord:
        """The record once our application writes no more and, perhaps, has left; itself if it was so."""
        if self.final and (self.closed or not leave):
            return self
        return replace(self, final=True, closed=leave)
