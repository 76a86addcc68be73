"""Which outer addresses STUN servers see, asked from one socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

from p4.adapters.net.stun.client import StunClient, resolve_server
from p4.adapters.net.stun.codec import Address, BindingAnswer
from p4.adapters.net.stun.nat import may_follow
from p4.core import limits
from p4.core.ice import IceSettings
from p4.errors import UnreachableError

__all__ = ["Survey"]

_MOST_SERVERS = 4
"""Addresses of STUN servers that are asked: two that answer are enough."""


class Survey:
    """Asks until servers at two different addresses have answered, or it has taken long enough.

    Args:
        stun: the exchange on the socket.
        ice: the servers.
    """

    def __init__(self, stun: StunClient, ice: IceSettings) -> None:
        self.closed = False
        """Whether it was ended before it was through."""
        self._stun = stun
        self._seen: dict[str, tuple[Address, Address]] = {}
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._ask_all(ice), name="outer addresses")
        self._task.add_done_callback(lambda _: self._news.set())

    @property
    def seen(self) -> list[tuple[Address, Address]]:
        """Servers and what each saw, the quickest first; at most one of each address."""
        return list(self._seen.values())

    async def answers(self, count: int) -> bool:
        """Wait until so many have answered; whether they have."""
        while len(self._seen) < count and not self._task.done():
            self._news.clear()
            await self._news.wait()
        return len(self._seen) >= count

    def then(self, callback: Callable[[Survey], object]) -> None:
        """Call back when all has been asked, or it was closed."""
        self._task.add_done_callback(lambda _: callback(self))

    def close(self) -> None:
        """Ask no more."""
        self.closed = self.closed or not self._task.done()
        self._task.cancel()

    async def _ask_all(self, ice: IceSettings) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(limits.PUNCH_STUN_SECONDS):
                resolved = await asyncio.gather(*(resolve_server(url, socket.AF_INET) for url in ice.stun))
                # One address of each server first, then their others.
                turns = [each[turn] for turn in range(_MOST_SERVERS) for each in resolved if turn < len(each)]
                asking = {
                    asyncio.ensure_future(self._ask(server))
                    for server in list(dict.fromkeys(turns))[:_MOST_SERVERS]
                }
                try:
                    while asking and len(self._seen) < 2:
                        done, asking = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
                        for server, answer in filter(None, (each.result() for each in done)):
                            self._take(server, answer)
                            if not asking and len(self._seen) == 1 and answer.other:
                                other = answer.other
                                if may_follow(server, other):
                                    asking.add(asyncio.ensure_future(self._ask(other)))
                finally:
                    for each in asking:
                        each.cancel()

    def _take(self, server: Address, answer: BindingAnswer) -> None:
        if answer.mapped is not None:
            self._seen.setdefault(server[0], (server, answer.mapped))
            self._news.set()

    async def _ask(self, server: Address) -> tuple[Address, BindingAnswer] | None:
        try:
            return server, await self._stun.ask(
                server, timeout=limits.PUNCH_STUN_SECONDS, repeat=limits.PUNCH_STUN_REPEAT_SECONDS
            )
        except UnreachableError:
            return None
