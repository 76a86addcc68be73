"""Whether whoever asked still waits for the answer."""

from __future__ import annotations

from starlette.requests import Request

__all__ = ["departure"]


async def departure(request: Request) -> None:
    """Wait until the connection of a request, whose body has been read, is closed by whoever asked."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
