"""What the reference programs have in common: commands, numbered messages, and what they say of them.

The same commands and words as `node_program`, without P4. Imports nothing beyond the standard library, so
that it runs with the interpreter of another virtual environment.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["Talker", "say", "settings"]


def say(event: str, **fields: object) -> None:
    """A line on stdout, with the time of `time.monotonic`."""
    print(json.dumps({"event": event, "at": time.monotonic(), **fields}, default=str), flush=True)


def settings() -> dict[str, Any]:
    """The file that the command line names."""
    found = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


class Talker:
    """Numbered messages, sent where and when there is a connection.

    Messages wait here while there is none. One that was handed to a connection is that connection's: what it
    does not bring over is lost, as it is for every application that keeps no journal of its own.
    """

    def __init__(self) -> None:
        self._send: Callable[[bytes], None] | None = None
        self._waiting: deque[int] = deque()
        self._talking: asyncio.Task[None] | None = None

    def up(self, send: Callable[[bytes], None]) -> None:
        """A connection is there; ``send`` takes a message."""
        say("LinkUp")
        self._send = send
        while self._waiting and self._send is not None:
            send(b"%d" % self._waiting.popleft())

    def down(self) -> None:
        """It is gone."""
        if self._send is not None:
            say("LinkDown")
        self._send = None

    def arrived(self, message: bytes) -> None:
        """A message came."""
        say("arrived", number=int(message))
        say("done", number=int(message))

    async def obey(self, add: Callable[[str, str], None]) -> None:
        """Follow commands until stdin ends.

        Args:
            add: called with the invite of the other one and a name for it.
        """
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while line := await reader.readline():
            command = json.loads(line)
            if "add" in command:
                add(command["add"], command["name"])
            if "talk" in command:
                self._talking = asyncio.create_task(self._talk(command["rate"], command["first"]))
            if "hush" in command:
                if self._talking is not None:
                    self._talking.cancel()
                say("hushed")
            if "status" in command:
                say("status", connected=self._send is not None, queued=len(self._waiting))

    async def _talk(self, rate: float, number: int) -> None:
        next_at = time.monotonic()
        while True:
            say("trying", number=number)
            say("accepted", number=number)
            if self._send is None:
                self._waiting.append(number)
            else:
                self._send(b"%d" % number)
            number += 1
            next_at = max(next_at + 1 / rate, time.monotonic())
            await asyncio.sleep(next_at - time.monotonic())
