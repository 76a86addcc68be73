"""Server-sent events (WHATWG HTML, section 9.2.6), as far as the daemon uses them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

__all__ = ["ServerSentEvent", "parse_events"]


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event of a stream."""

    kind: str
    """Its ``event`` field; ``message`` if it has none."""
    data: str
    """Its ``data`` lines, joined by line ends."""
    id: str
    """The last ``id`` of the stream so far; empty for none. Sent back when the stream is asked for again."""


async def parse_events(lines: AsyncIterator[bytes]) -> AsyncIterator[ServerSentEvent]:
    """The events in the lines of an answer's body. Comments and unknown fields are passed over.

    Args:
        lines: with or without their line ends. An event that the end of the body cuts off is dropped, as the
            standard says.
    """
    kind, identity = "", ""
    data: list[str] = []
    async for line in lines:
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if not text:
            if data:
                yield ServerSentEvent(kind or "message", "\n".join(data), identity)
            kind, data = "", []
            continue
        field, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            kind = value
        elif field == "id" and "\0" not in value:
            identity = value
