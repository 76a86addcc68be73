"""Asking a contact over several ways at once; the first reply counts (spec/signaling.md, Ways)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from p4.core import limits
from p4.errors import P4Error, RendezvousError, SignalingError
from p4.node.conversation import Conversation

__all__ = ["MoreWays", "Way", "opened", "race"]

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Way:
    """One way to a contact's signaling.

    Args:
        name: for the log.
        open: gives a conversation, an open one or a new one; raises RendezvousError.
        head_start: seconds that the ways before it get.
        patience: seconds that a reply may take over it.
        opens: it is a new stream, so that there was a path a moment ago.
    """

    name: str
    open: Callable[[], Awaitable[Conversation]]
    head_start: float = 0.0
    patience: float = limits.REPLY_SECONDS
    opens: bool = True


async def opened(conversation: Conversation) -> Conversation:
    """For a way that is open already."""
    return conversation


@dataclass(frozen=True, slots=True)
class MoreWays:
    """Ways that become known while others are tried.

    Args:
        look: all that are known now; those with a name that was seen are not new.
        news: set when it is worth looking.
    """

    look: Callable[[], Sequence[Way]]
    news: asyncio.Event


async def race(
    ways: Sequence[Way],
    ask: Callable[[Conversation, Way], Awaitable[_T]],
    more: MoreWays | None = None,
) -> _T:
    """Open the ways and ask over each that opens, until the first has an answer.

    A way begins when its head start has passed, or at once when everything before it has failed.

    Args:
        ways: at least one, the surest one last.
        ask: given an open conversation; raises P4Error if there is no answer this way.
        more: ways that join.

    Raises:
        P4Error: what the surest of the ways ended with.
    """
    waiting = sorted(ways, key=lambda way: way.head_start)
    first = waiting.pop(0)
    runners = {asyncio.ensure_future(_run(first, ask)): first}
    loop = asyncio.get_running_loop()
    began = loop.time()
    surest: P4Error | None = None
    running = set(runners)
    names = {way.name for way in ways}
    news = asyncio.ensure_future(more.news.wait()) if more else None
    try:
        while True:
            if more and news and news.done():
                more.news.clear()
                news = asyncio.ensure_future(more.news.wait())
                joining = [way for way in more.look() if way.opens and way.name not in names]
                names |= {way.name for way in joining}
                waiting = [*(replace(way, head_start=0.0) for way in joining), *waiting]
            while waiting and (not running or loop.time() >= began + waiting[0].head_start):
                way = waiting.pop(0)
                runner = asyncio.ensure_future(_run(way, ask))
                runners[runner] = way
                running.add(runner)
            delay = max(began + waiting[0].head_start - loop.time(), 0.0) if waiting else None
            awaited: set[asyncio.Future[Any]] = {*running, *([news] if news else [])}
            await asyncio.wait(awaited, timeout=delay, return_when=asyncio.FIRST_COMPLETED)
            ended = [runner for runner in running if runner.done()]
            running.difference_update(ended)
            for runner in ended:
                error = runner.exception()
                if error is None:
                    return runner.result()
                if not isinstance(error, RendezvousError | SignalingError) or error.code == "busy":
                    raise error  # no other way would change it
                _log.debug("%s: %s", runners[runner].name, error.message)
                if runners[runner] is ways[-1]:
                    surest = error
            if not running and not waiting and surest is not None:
                raise surest
    finally:
        if news:
            news.cancel()
        for runner in runners:
            runner.cancel()
        await asyncio.gather(*runners, return_exceptions=True)


async def _run(way: Way, ask: Callable[[Conversation, Way], Awaitable[_T]]) -> _T:
    return await ask(await way.open(), way)
