"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from p4.core import limits

__all__ = ["EventStreamResponse"]

Event = tuple[str, Any]
"""Type, and data for JSON."""


class EventStreamResponse(StreamingResponse):
    """Sends events as they come, and a comment in between when there are none for long.

    Args:
        events: called for the next one, again and again; None ends the stream. It must bear to be cancelled.
        closed: called once, when the stream has ended, whoever ended it.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        events: Callable[[], Awaitable[Event | None]],
        *,
        closed: Callable[[], None],
        status_code: int = 200,  # FastAPI looks for this name to describe the answer
    ) -> None:
        self._encoded = _encoded(events)
        self._closed = closed
        super().__init__(
            self._encoded,
            status_code,
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the events or the connection end."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            # Here and not in the generator: whoever asked may be gone before that has begun.
            await self._encoded.aclose()
            self._closed()


async def _encoded(events: Callable[[], Awaitable[Event | None]]) -> AsyncGenerator[bytes]:
    waiting: asyncio.Future[Event | None] | None = None
    try:
        yield b": p4\n\n"  # the reader learns at once that the stream is open
        while True:
            waiting = asyncio.ensure_future(events())
            while True:
                done, _ = await asyncio.wait([waiting], timeout=limits.API_PING_SECONDS)
                if done:
                    break
                yield b": alive\n\n"
            event = waiting.result()
            waiting = None
            if event is None:
                return
            kind, data = event
            text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
            yield f"event: {kind}\ndata: {text}\n\n".encode()
    finally:
        if waiting is not None:
            waiting.cancel()
            with suppress(asyncio.CancelledError):
                await waiting
