"""A transfer as a person sees it, and as it is remembered over restarts."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from p4.apps.files.progress import Progress
from p4.core.identity import PeerId

__all__ = ["Direction", "Transfer", "TransferState"]


class Direction(StrEnum):
    """Who wanted it, and which way the files go."""

    SEND = "send"
    """We send, because our user wants it."""
    FETCH = "fetch"
    """We receive, because our user wants it."""
    RECEIVE = "receive"
    """The contact sends, of its own accord."""
    SERVE = "serve"
    """The contact fetches."""

    @property
    def ours(self) -> bool:
        """Whether it is we who go on with it."""
        return self in (Direction.SEND, Direction.FETCH)


class TransferState(StrEnum):
    """What is going on with it."""

    RUNNING = "running"
    """Also while it waits for the other device."""
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens by itself."""
        return self is not TransferState.RUNNING


@dataclass
class Transfer:
    """One transfer, over all its attempts."""

    id: str
    """32 hex digits, the same on both devices."""
    direction: Direction
    peer_id: PeerId
    sources: list[str]
    target: str = ""
    recursive: bool = False
    overwrite: bool = False
    follow: bool = False
    into: bool | None = None
    """Whether sources go into the target, once that is known: it stays so in later attempts."""
    state: TransferState = TransferState.RUNNING
    code: str = ""
    """Why it failed: the code of a TransferError."""
    text: str = ""
    """Likewise, a sentence."""
    created_ms: int = 0
    changed_ms: int = 0
    spool: str = ""
    """A file of ours that is deleted when the transfer has ended."""
    progress: Progress = field(default_factory=Progress)

    def as_json(self) -> str:
        """What is remembered."""
        kept = {key: getattr(self, key) for key in _KEPT}
        figures = {key: getattr(self.progress, key) for key in _FIGURES}
        return json.dumps({**kept, "progress": figures})

    @classmethod
    def from_json(cls, text: str) -> Transfer:
        """As it was remembered. Raises ValueError, KeyError, TypeError."""
        kept: dict[str, Any] = json.loads(text)
        figures = kept.pop("progress")
        return cls(
            **{
                **kept,
                "direction": Direction(kept["direction"]),
                "state": TransferState(kept["state"]),
                "peer_id": PeerId(kept["peer_id"]),
                "progress": Progress(**figures),
            }
        )

    def same_task(self, other: Transfer) -> bool:
        """Whether it is to do the same."""
        return all(getattr(self, key) == getattr(other, key) for key in _TASK)


_TASK = ("direction", "peer_id", "sources", "target", "recursive", "overwrite", "follow")
_KEPT = (*_TASK, "id", "into", "state", "code", "text", "created_ms", "changed_ms", "spool")
_FIGURES = ("phase", "files", "files_done", "bytes", "bytes_done", "omitted", "notes")
