"""Calls that a program answers over its WebSocket (spec/daemon-api/README.md, "Calls")."""

from __future__ import annotations

import asyncio
import json
from itertools import count
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from p4.daemon.access.authority import Authority
from p4.daemon.models import ContactName
from p4.daemon.values import decoded, encoded
from p4.errors import CallFailed, InputError
from p4.node.calls import IncomingCall

__all__ = ["CallDesk"]


class CallDesk:
    """One program that serves.

    Args:
        access: calls of contacts that it may not reach are refused.
        at_once: calls under way at a time.
    """

    def __init__(self, websocket: WebSocket, access: Authority, at_once: int) -> None:
        self._websocket = websocket
        self._access = access
        self._at_once = at_once
        self._ids = count(1)
        self._waiting: dict[str, asyncio.Future[object]] = {}
        self._sending = asyncio.Lock()
        self._ready = asyncio.Event()
        self._gone = False

    async def handle(self, call: IncomingCall) -> object:
        """Let the program answer a call.

        Raises:
            CallFailed: as it says, or ``gone``, ``overloaded``, ``not-served``.
        """
        if self._gone:
            raise _gone()
        if not self._access.may_reach(call.peer):
            raise CallFailed("not-served", "Nothing answers there for you.")
        if len(self._waiting) >= self._at_once:
            raise CallFailed("overloaded", "The program that answers is busy. Try again later.")
        call_id = str(next(self._ids))
        reply = self._waiting[call_id] = asyncio.get_running_loop().create_future()
        try:
            await self._ready.wait()
            await self._say(
                type="call",
                id=call_id,
                service=call.service,
                contact=ContactName.of(call.peer).model_dump(),
                remaining=max(0.0, call.remaining),
                **encoded(call.argument),
            )
            return await reply
        except (WebSocketDisconnect, RuntimeError):
            raise _gone() from None
        except asyncio.CancelledError:
            if not self._gone:
                await self._cancelled(call_id)
            raise
        finally:
            self._waiting.pop(call_id, None)

    async def run(self, service: str) -> None:
        """Take the program's replies until it goes.

        Raises:
            InputError: it said what is no reply.
        """
        await self._say(type="serving", service=service)
        self._ready.set()
        while True:
            try:
                text = await self._websocket.receive_text()
            except WebSocketDisconnect:
                return
            except KeyError:
                raise _not_understood() from None  # bytes
            self._take(text)

    def close(self) -> None:
        """The program is gone: whoever waits for it learns that."""
        self._gone = True
        self._ready.set()
        for reply in self._waiting.values():
            if not reply.done():
                reply.set_exception(_gone())

    # -- inside ----------------------------------------------------------------------------------------

    def _take(self, text: str) -> None:
        try:
            word: dict[str, Any] = json.loads(text)
            call_id = word["id"]
            kind = word["type"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise _not_understood() from error
        reply = self._waiting.get(call_id) if isinstance(call_id, str) else None
        match kind:
            case "result":
                value = decoded({name: word[name] for name in ("value", "base64") if name in word})
                if reply and not reply.done():
                    reply.set_result(value)
            case "failed":
                failure = CallFailed(
                    str(word.get("code", "failed")), str(word.get("message", "")), word.get("data")
                )
                if reply and not reply.done():
                    reply.set_exception(failure)
            case _:
                raise _not_understood()

    async def _cancelled(self, call_id: str) -> None:
        try:
            # Nobody waits for a handler that was cancelled, so it must not wait for a slow program.
            async with asyncio.timeout(0.1):
                await self._say(type="cancel", id=call_id)
        except (TimeoutError, WebSocketDisconnect, RuntimeError):
            pass

    async def _say(self, **word: Any) -> None:
        async with self._sending:
            await self._websocket.send_text(json.dumps(word, ensure_ascii=False, separators=(",", ":")))


def _gone() -> CallFailed:
    return CallFailed("gone", "The program that answered there has ended. It may have done its work.")


def _not_understood() -> InputError:
    return InputError(
        'A reply is {"type": "result", "id": …, "value": …} or {"type": "failed", "id": …, "code": …, '
        '"message": …}. The service is served no more.',
        code="bad-word",
    )
