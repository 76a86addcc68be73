"""Watches what becomes of the messages that we sent to one contact."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from p4.apps.chat.entry import ChatState
from p4.errors import DeliveryError, LocalError
from p4.node.receipts import Receipt, ReceiptState

__all__ = ["Change", "Progress"]

Change = tuple[int, ChatState, str]
"""The place of an entry, its new state, and why, if it failed."""

_STATES = {
    ReceiptState.QUEUED: ChatState.QUEUED,
    ReceiptState.DELIVERED: ChatState.DELIVERED,
    ReceiptState.CONSUMED: ChatState.CONSUMED,
    ReceiptState.DROPPED: ChatState.FAILED,
}


class Progress:
    """The messages to one contact that have not come as far as they can.

    However many there are, two are waited for: receipts come in order, so the oldest one that waits for the
    contact's disk and the oldest one that waits for its program speak for the rest.

    Args:
        tell: given what has changed, to be kept.
        final: whether nothing comes after ``delivered`` (version 1 does not tell).
    """

    def __init__(self, tell: Callable[[list[Change]], Awaitable[None]], final: Callable[[], bool]) -> None:
        self._tell = tell
        self._final = final
        self._open: OrderedDict[int, tuple[Receipt, ChatState]] = OrderedDict()
        self._added = asyncio.Event()

    def add(self, position: int, receipt: Receipt, state: ChatState) -> None:
        """Watch this one too; positions rise."""
        self._open[position] = receipt, state
        self._added.set()

    async def run(self) -> None:
        """Watch until the node ends or the contact is removed."""
        while True:
            self._added.clear()
            if changes := await self._look():
                await self._tell(changes)
                continue
            if not await self._wait():
                return

    async def _look(self) -> list[Change]:
        changes: list[Change] = []
        for position, (receipt, before) in list(self._open.items()):
            state = _STATES[receipt.state]
            if state is not before:
                changes.append((position, state, await _reason(receipt) if state is ChatState.FAILED else ""))
                self._open[position] = receipt, state
            if state.settled or (state is ChatState.DELIVERED and self._final()):
                del self._open[position]
            if state is ChatState.QUEUED:
                break  # those after it have not come further
        return changes

    async def _wait(self) -> bool:
        """Wait until something may have changed; False if nothing ever will."""
        waits: list[Coroutine[Any, Any, Any]] = [self._added.wait()]
        for state, wait in ((ChatState.QUEUED, Receipt.delivered), (ChatState.DELIVERED, Receipt.consumed)):
            oldest = next((receipt for receipt, known in self._open.values() if known is state), None)
            if oldest is not None:
                waits.append(wait(oldest))
        tasks = [asyncio.ensure_future(each) for each in waits]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        errors = [error for task in done if (error := task.exception()) is not None]
        if any(isinstance(error, LocalError) and error.code == "not-known" for error in errors):
            self._forget_unknowable()
            return True
        for error in errors:
            if isinstance(error, LocalError):
                return False
            if not isinstance(error, DeliveryError):
                raise error
        return True

    def _forget_unknowable(self) -> None:
        """Our queue was restored from a backup: what was delivered before will not be told of again."""
        for position, (_, state) in list(self._open.items()):
            if state is ChatState.DELIVERED:
                del self._open[position]


async def _reason(receipt: Receipt) -> str:
    try:
        await receipt.delivered()
    except DeliveryError as error:
        return error.message
    return ""
