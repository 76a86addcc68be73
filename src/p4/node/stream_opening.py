"""A stream that is about to be opened: to be awaited, or entered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from types import TracebackType
from typing import Any

from p4.node.streams import Stream

__all__ = ["StreamOpening"]


class StreamOpening:
    """What `Peer.stream` gives: ``await`` it for the stream, or use it in ``async with``.

    After a restart it gives the same stream again (see `Stream`), at ``position`` and ``written``, perhaps
    with ``writing_closed``.
    """

    def __init__(self, open_stream: Callable[[], Awaitable[Stream]]) -> None:
        self._open = open_stream
        self._stream: Stream | None = None

    def __await__(self) -> Generator[Any, None, Stream]:
        return self._open().__await__()

    async def __aenter__(self) -> Stream:
        self._stream = await self._open()
        return await self._stream.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            await self._stream.__aexit__(kind, error, trace)
