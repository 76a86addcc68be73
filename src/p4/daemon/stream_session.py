"""One program's connection to one stream: bytes and words over a WebSocket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect

from p4.core import limits
from p4.daemon import errors
from p4.daemon.held_stream import HeldStream
from p4.daemon.models import ContactName
from p4.daemon.stream_desk import StreamDesk
from p4.errors import InputError, P4Error, StreamError

__all__ = ["StreamSession"]

_TAKEN_OVER = 4001
"""Close code: another connection uses the stream now."""
_FAILED = 4000
"""Close code: the stream, or the program's request, failed; an ``error`` message came before it."""


class _Left(Exception):  # noqa: N818 - not an error: the program has left the stream
    """The program, or both sides, have done with the stream."""


class StreamSession:
    """Runs until the stream is over, the program has left it, or the connection ends.

    Args:
        websocket: accepted.
        receiving: the wait for the first message, where it has begun.
    """

    def __init__(
        self,
        websocket: WebSocket,
        held: HeldStream,
        desk: StreamDesk,
        receiving: asyncio.Task[Message] | None = None,
    ) -> None:
        self._websocket = websocket
        self._held = held
        self._stream = held.stream
        self._desk = desk
        self._receiving = receiving
        self._sending = asyncio.Lock()
        self._consumed = asyncio.Event()
        self._moved = asyncio.Event()
        self._ended_here = asyncio.Event()
        self._told_end = False
        self._knows_end = False
        self._leaving = False
        self._leave = held.claim()

    async def run(self) -> None:
        """Carry the stream. Errors of the stream are told to the program."""
        async with self._held.using:
            try:
                await self._carry()
            except _Left:
                self._desk.forget(self._held)
                await self._part(1000, type="done")
            except WebSocketDisconnect:
                self._give_back()
            except P4Error as error:
                if isinstance(error, StreamError) and error.code != "ended":
                    self._desk.forget(self._held)
                else:
                    self._give_back()  # the stream is as it was
                await self._part(_FAILED, type="error", **errors.as_json(error))
            except asyncio.CancelledError:
                self._give_back()
                raise

    def _give_back(self) -> None:
        if not self._leave.is_set():  # else another connection has it
            self._desk.give_back(self._held)

    async def _part(self, code: int, **word: Any) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):  # the program may be gone by now
            await self._say(**word)
            await self._websocket.close(code)

    async def _carry(self) -> None:
        stream = self._stream
        if stream.writing_closed:
            self._ended_here.set()
        await self._say(
            type="open",
            id=f"{stream.id:016x}",
            contact=ContactName.of(stream.peer).model_dump(),
            service=stream.service,
            name=stream.name,
            opened_here=stream.opened_here,
            written=stream.written,
            position=self._held.position,
            confirmed=stream.confirmed,
            writing_ended=stream.writing_closed,
        )
        work = [
            asyncio.create_task(part)
            for part in (
                self._unless_leaving(self._to_program()),
                self._from_program(),
                self._unless_leaving(self._note_consumed()),
                self._tell_progress(),
                self._give_up(),
            )
        ]
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_EXCEPTION)
            # Several may have ended at once; the program's own word counts most, then the stream's.
            ends = [error for task in done if (error := task.exception())]
            raise next((error for error in ends if isinstance(error, _Left)), ends[0])
        finally:
            for task in work:
                task.cancel()
            await asyncio.wait(work)

    async def _unless_leaving(self, part: Coroutine[None, None, None]) -> None:
        try:
            await part
        except StreamError:
            if not self._leaving:  # else the program knows: it ended the stream itself
                raise

    # -- from the contact -------------------------------------------------------------------------------

    async def _to_program(self) -> None:
        offset = self._held.position
        while data := await self._held.read(offset):
            offset += len(data)
            async with self._sending:
                await self._websocket.send_bytes(data)
        self._told_end = True
        await self._say(type="end")

    async def _note_consumed(self) -> None:
        """Bring to disk what the program says; the latest word is enough."""
        stream = self._stream
        noted_end = False
        while not noted_end:
            await self._consumed.wait()
            self._consumed.clear()
            # The program may say more while this comes to disk: that word still has to follow.
            through, knows_end = self._held.position, self._knows_end
            await stream.consumed(through, knows_end=knows_end)
            noted_end = knows_end and through == stream.position
        await self._ended_here.wait()
        await stream.wait_done()
        raise _Left

    # -- from the program -------------------------------------------------------------------------------

    async def _from_program(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1005))
            if (data := message.get("bytes")) is not None:
                await self._stream.write(data)
                self._moved.set()
            else:
                await self._obey(_parsed(message.get("text") or ""))

    async def _receive(self) -> Message:
        if self._receiving is None:
            return await self._websocket.receive()
        receiving, self._receiving = self._receiving, None
        return await receiving

    async def _obey(self, word: dict[str, Any]) -> None:
        stream = self._stream
        match word:
            case {"type": "consumed", "offset": int(offset)}:
                self._held.forget(offset)
                self._knows_end = self._told_end and word.get("knows_end") is not False
                self._consumed.set()
            case {"type": "flush"}:
                await stream.flush()
                await self._say(type="flushed", written=stream.written)
            case {"type": "end"}:
                await stream.close_writing()
                self._ended_here.set()
                self._moved.set()
            case {"type": "close"}:
                self._leaving = True
                await stream.aclose()
                raise _Left
            case {"type": "reset"}:
                self._leaving = True
                await stream.reset(str(word.get("reason", "")))
                raise _Left
            case _:
                raise InputError(
                    "The stream takes bytes, and the words consumed (with offset), flush, end, close, reset. "
                    "It is as it was.",
                    code="bad-word",
                )

    # -- beside it --------------------------------------------------------------------------------------

    async def _tell_progress(self) -> None:
        stream = self._stream
        told = (stream.written, stream.confirmed)
        while True:
            pause = limits.API_PROGRESS_SECONDS
            while told[0] > told[1] or not self._moved.is_set():
                if told[0] == told[1]:
                    await self._moved.wait()
                self._moved.clear()
                await asyncio.sleep(pause)
                now = (stream.written, stream.confirmed)
                # The contact may be away for long: then there is no hurry.
                pause = limits.API_PROGRESS_SECONDS if now != told else min(2 * pause, 1.0)
                if now != told:
                    told = now
                    await self._say(type="progress", written=now[0], confirmed=now[1])
            self._moved.clear()

    async def _give_up(self) -> None:
        await self._leave.wait()
        with suppress(WebSocketDisconnect, RuntimeError):  # it may be half dead, hence the other
            await self._websocket.close(_TAKEN_OVER)
        raise WebSocketDisconnect(_TAKEN_OVER)

    async def _say(self, **word: Any) -> None:
        async with self._sending:
            await self._websocket.send_text(json.dumps(word, ensure_ascii=False, separators=(",", ":")))


def _parsed(text: str) -> dict[str, Any]:
    try:
        word = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            "A text message to the daemon is JSON. The stream is as it was.", code="bad-word"
        ) from error
    return word if isinstance(word, dict) else {}
