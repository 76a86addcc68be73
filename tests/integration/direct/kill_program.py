"""An application that is killed again and again, and keeps what it received as an application should.

    python -m tests.integration.direct.kill_program PLACE NAME OTHER SEED PORT SPOOL_BYTES

``PLACE/NAME`` holds the node's state and the application's own files. It sends numbered messages and streams
of known bytes to the other one, takes what the other one sends, and goes on after each start where its own
files say. When there is a file ``PLACE/finish`` it begins nothing new. What may never happen is written to
``faults``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from tests.integration.direct.node_program import direct

import p4
from p4.adapters.store import segment
from p4.core import limits

__all__ = ["BULK", "NOTES", "Journal", "content", "sizes"]

_log = logging.getLogger(__name__)

NOTES, BULK = "notes", "bulk"
STREAMS_AT_ONCE = 3
SLOW_RATE = 2e6
"""Bytes a second."""
_BLOCK_BYTES = 64 * 1024


def content(key: str, offset: int, size: int) -> bytes:
    """What a direction of a stream has at an offset; the same whoever asks."""
    first, last = offset // _BLOCK_BYTES, (offset + size - 1) // _BLOCK_BYTES
    blocks = b"".join(
        random.Random(f"{key} {block}").randbytes(_BLOCK_BYTES) for block in range(first, last + 1)
    )
    begin = offset - first * _BLOCK_BYTES
    return blocks[begin : begin + size]


def sizes(seed: str, name: str) -> tuple[int, int]:
    """Bytes of a stream from its opener and to it."""
    chance = random.Random(f"{seed} {name}")
    forth, back = (chance.choice((0, 1, 5_000, 300_000, 3_000_000, 12_000_000)) for _ in range(2))
    return forth + chance.randrange(1000), back


class Journal:
    """Lines of JSON that a process leaves for the next one, and for the test.

    Args:
        synced: each line is safe from a power failure when it is written; from kill -9 it is anyway.
    """

    def __init__(self, path: Path, *, synced: bool = False) -> None:
        self._path = path
        self._synced = synced

    def write(self, *line: object) -> None:
        with self._path.open("ab") as file:
            file.write(json.dumps(line).encode() + b"\n")
            if self._synced:
                file.flush()
                os.fsync(file.fileno())

    def read(self) -> Iterator[list[Any]]:
        """All whole lines."""
        if self._path.exists():
            for line in self._path.read_bytes().splitlines(keepends=True):
                if line.endswith(b"\n"):
                    yield json.loads(line)


class Program:
    """The application, from one start to the next kill."""

    def __init__(self, place: Path, name: str, other: str, seed: str, port: int) -> None:
        self.own = place / name
        self.name, self.other, self.seed = name, other, seed
        self.finish = place / "finish"
        self.faults = Journal(self.own / "faults", synced=True)
        self.received = Journal(self.own / "received", synced=True)
        self.sent = Journal(self.own / "sent")
        self.streams = Journal(self.own / "streams")
        self.node = p4.Node(self.own / "state", direct(port=port))
        self.chance = random.Random(os.urandom(8))

    def fault(self, text: str) -> NoReturn:
        """Say what may never happen, and end."""
        self.faults.write(text)
        os._exit(3)

    async def run(self) -> None:
        stopping = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
        (self.own / "ends in order").write_text(str(os.getpid()))
        async with self.node, asyncio.TaskGroup() as tasks:
            self.peer = self.node.peer(self.other)
            working = [
                tasks.create_task(work)
                for work in (self.watch(), self.send(), self.receive(), self.open(), self.accept())
            ]
            await stopping.wait()
            for task in working:
                task.cancel()

    async def watch(self) -> None:
        async for event in self.node.events():
            _log.info("%s", event)
            if isinstance(event, p4.NodeWarning):
                self.fault(f"a warning of something that did not happen: {event.text}")

    # -- messages --------------------------------------------------------------------------------------

    async def send(self) -> None:
        """A number that may have been accepted before a kill is not used again."""
        next_number = 1 + max((line[-1] for line in self.sent.read() if line[0] == "try"), default=0)
        while not self.finish.exists():
            count = self.chance.choice((1, 1, 1, 5, 40))
            numbers = list(range(next_number, next_number + count))
            next_number += count
            self.sent.write("try", *numbers)
            if count == 1:
                receipts = [await self.peer.send(numbers[0], service=NOTES)]
            else:
                receipts = await self.peer.send_many(numbers, service=NOTES)
            self.sent.write(
                "sent", *([receipt.id, number] for receipt, number in zip(receipts, numbers, strict=True))
            )
            await asyncio.sleep(self.chance.uniform(0, 0.02))

    async def receive(self) -> None:
        """Keep a message, then say that it is done. One that was kept and not done may come again."""
        kept: dict[str, int] = {}
        done: set[str] = set()
        for kind, message_id, value in self.received.read():
            if kind == "kept":
                kept[message_id] = value
            else:
                done.add(message_id)
        async with asyncio.TaskGroup() as tasks:
            async for message in self.node.messages(NOTES):
                if message.id in done:
                    self.fault(f"{message!r} came again after it was done")
                if kept.get(message.id, message.value) != message.value:
                    self.fault(f"{message!r} had another value before: {kept[message.id]}")
                if message.id not in kept:
                    kept[message.id] = message.value
                    self.received.write("kept", message.id, message.value)
                tasks.create_task(self.say_done(message))

    async def say_done(self, message: p4.Message) -> None:
        await message.done()
        self.received.write("done", message.id, message.value)

    # -- streams ---------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open streams one after the other, a few at a time, those of earlier processes first."""
        lines = list(self.streams.read())
        ended = {line[1] for line in lines if line[0] == "ended"}
        names = [line[1] for line in lines if line[0] == "open"]
        unfinished = [name for name in names if name not in ended]
        count = len(names)
        room = asyncio.Semaphore(STREAMS_AT_ONCE)

        async def one(name: str) -> None:
            try:
                await self.one_opened(name)
            finally:
                room.release()

        async with asyncio.TaskGroup() as tasks:
            while True:
                await room.acquire()
                if unfinished:
                    name = unfinished.pop(0)
                elif self.finish.exists():
                    break
                else:
                    name = f"{self.name} {count}"
                    count += 1
                    self.streams.write("open", name)
                tasks.create_task(one(name))

    async def one_opened(self, name: str) -> None:
        forth, back = sizes(self.seed, name)
        lines = [line for line in self.streams.read() if line[1] == name]
        known = next((line[2] for line in lines if line[0] == "id"), None)
        stream = await self.peer.stream(BULK, name)
        if known is None:
            self.streams.write("id", name, stream.id)
        elif known != stream.id:
            # The end of the first one was on disk when we were killed, so this is another one.
            if not any(line[0] == "ending" for line in lines):
                self.fault(f"stream {name!r} is another one although it was not ended")
            await stream.reset("not needed")
            self.streams.write("ended", name)
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.write(stream, f"{self.seed} {name} forth", forth))
            tasks.create_task(self.read(stream, f"{self.seed} {name} back", back))
        # Last, because whoever opened a stream cannot come back to it after this.
        self.streams.write("ending", name)
        await stream.close_writing()
        await stream.wait_done()
        self.streams.write("ended", name)

    async def accept(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            async for stream in self.node.streams(BULK):
                tasks.create_task(self.one_accepted(stream))

    async def one_accepted(self, stream: p4.Stream) -> None:
        forth, back = sizes(self.seed, stream.name)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.read(stream, f"{self.seed} {stream.name} forth", forth))
                tasks.create_task(self.write_all(stream, f"{self.seed} {stream.name} back", back))
            await stream.wait_done()
        except* p4.StreamError as group:
            for error in group.exceptions:
                if not isinstance(error, p4.StreamError) or error.code != "cancelled" or stream.position:
                    self.fault(f"{stream!r} at {self.name} ended: {error!r}")

    async def write_all(self, stream: p4.Stream, key: str, size: int) -> None:
        await self.write(stream, key, size)
        await stream.close_writing()

    async def write(self, stream: p4.Stream, key: str, size: int) -> None:
        most = self.chance.choice((100_000, 400_000, 1_500_000))
        if stream.written > size:
            self.fault(f"{stream!r} at {self.name} has more than {size} bytes")
        while (offset := stream.written) < size:
            if self.chance.random() < 0.2:
                for _ in range(20):
                    offset = stream.written
                    await stream.write(content(key, offset, min(self.chance.randint(1, 300), size - offset)))
                    if stream.written >= size:
                        return
                continue
            data = content(key, offset, min(self.chance.randint(1, most), size - offset))
            await stream.write(self.chance.choice((bytes, bytearray, memoryview))(data))
            if stream.written != offset + len(data):
                self.fault(f"{stream!r} at {self.name}: {len(data)} bytes at {offset} became others")
            await asyncio.sleep(self.chance.uniform(0, 0.05))

    async def read(self, stream: p4.Stream, key: str, size: int) -> None:
        stream.consume_explicitly = self.chance.random() < 0.5
        slow = self.chance.random() < 0.3
        most = self.chance.choice((20_000, 65_536, 500_000))
        path = self.own / f"{stream.id:016x}"
        path.touch()
        if path.stat().st_size < stream.position:
            self.fault(f"{stream!r} at {self.name} skips bytes: {path.stat().st_size} were received")
        with path.open("r+b") as file:
            while data := await stream.read(most):
                offset = stream.position - len(data)
                if data != content(key, offset, len(data)):
                    self.fault(
                        f"{stream!r} at {self.name} has other bytes from {offset}, {len(data)} of them"
                    )
                file.seek(offset)
                file.write(data)
                file.flush()
                if stream.consume_explicitly:
                    os.fsync(file.fileno())
                    await stream.consumed()
                if slow and not self.finish.exists():
                    await asyncio.sleep(len(data) / SLOW_RATE)
        if stream.position != size:
            self.fault(f"{stream!r} at {self.name} ends after {stream.position} of {size} bytes")


class _Faults(logging.Handler):
    """What the node itself thinks is a mistake in it."""

    def __init__(self, faults: Journal) -> None:
        super().__init__(logging.ERROR)
        self._faults = faults

    def emit(self, record: logging.LogRecord) -> None:
        self._faults.write(self.format(record))


def main(place: str, name: str, other: str, seed: str, port: str, spool_bytes: str) -> None:
    """Run until SIGTERM, a kill or a fault."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    limits.STREAM_SPOOL_BYTES = int(spool_bytes)
    # In proportion, so that files begin and end often.
    segment.SEGMENT_BYTES = min(segment.SEGMENT_BYTES, int(spool_bytes) // 8)
    program = Program(Path(place), name, other, seed, int(port))
    logging.getLogger().addHandler(_Faults(program.faults))
    asyncio.run(program.run())


if __name__ == "__main__":
    main(*sys.argv[1:])
