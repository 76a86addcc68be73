"""Applications for simulated nodes that write and read streams and call each other, and notice what is wrong.

What an application has kept survives every crash and power failure, as what is synchronised to a disk does.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.sim.simulated_node import SimulatedNode, book_for, identity_of
from tests.sim.test_chaos import ALICE, BOB, Programs

from p4.core import limits
from p4.errors import CallDeadlineError, CallError, CallRefusedError, OutcomeUnknownError, StreamError
from p4.node.calls import IncomingCall
from p4.node.streams import Stream
from p4.ports import PeerRecord
from p4.testing import SimulatedNetwork

__all__ = ["ASK", "BULK", "StreamPrograms", "Way", "small_limits"]

BULK, ASK = "bulk", "ask"
STREAMS_AT_ONCE = 3
KINDS = ("duplex", "duplex", "duplex", "request", "careless", "cancelled")
"""How the two applications use a stream.

- duplex: the opener ends its direction last;
- request: it ends its direction as soon as everything is written, and reads what comes back;
- careless: the accepter reads a part and leaves;
- cancelled: one of the two resets it some time.
"""


@contextmanager
def small_limits() -> Iterator[None]:
    """Everything that has to do with streams is small, so that little traffic meets every bound."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "STREAM_SPOOL_BYTES", 40_000)
        patch.setattr(limits, "STREAM_FIRST_WINDOW_BYTES", 8_000)
        patch.setattr(limits, "STREAM_WINDOW_BYTES", 32_000)
        patch.setattr(limits, "STREAM_TURN_BYTES", 3_000)
        patch.setattr(limits, "STREAM_FETCH_BYTES", 4_000)
        patch.setattr(limits, "STREAM_RECENT_BYTES", (12_000, 20_000))
        patch.setattr(limits, "LINK_HIGH_WATER_BYTES", 10_000)
        patch.setattr(limits, "LINK_LOW_WATER_BYTES", 3_000)
        yield


@dataclass
class Way:
    """One direction of a stream: what its writer wrote, and what its reader kept."""

    size: int
    written: bytearray = field(default_factory=bytearray)
    earlier: list[bytes] = field(default_factory=list)
    """What was written at times before a failure took the end of it."""
    accepted: int = 0
    """`Stream.write` has returned for everything below."""
    flushed: int = 0
    finals: list[bytes] = field(default_factory=list)
    """All of it, each time that the writer ended it: again after its disk was put back."""
    kept: bytearray = field(default_factory=bytearray)

    @property
    def arrived(self) -> bool:
        """Whether the reader has all of it. (It may have died before it saw the end.)"""
        return self.kept in self.finals

    def end(self) -> None:
        """The writer is about to end it."""
        self.finals.append(bytes(self.written))

    def was_written(self, offset: int, data: bytes) -> bool:
        """Whether these bytes were at this offset at some time."""
        end = offset + len(data)
        return any(one[offset:end] == data for one in (self.written, *self.earlier))


@dataclass
class Film:
    """A stream as a person would see it: by its name."""

    name: str
    opener: str
    kind: str
    forth: Way
    back: Way
    id: int | None = None
    closing: bool = False
    reset: bool = False
    """Whether an application of one side wanted it gone."""
    cut_short: bool = False
    """Whether the opener opened another one in its place."""
    left: bool = False
    """Whether the accepter has gone away."""
    lost: bool = False
    """Whether somebody was told that a disk is older than what the other one knows."""
    over: set[str] = field(default_factory=set)
    """Devices whose applications have done with it."""


class StreamPrograms(Programs):
    """Messages as in `Programs`, and streams and calls both ways.

    Args:
        power_fails: whether bytes that were not synchronised may be lost.
    """

    def __init__(self, network: SimulatedNetwork, *, power_fails: bool) -> None:
        super().__init__(network)
        self.may_lose = power_fails
        self.restored = False
        """Whether a disk was put back to an earlier state."""
        self.films: dict[str, Film] = {}
        self.asked: dict[int, str] = {}
        """By number of the call: how it ended."""
        self.executed: Counter[int] = Counter()
        self._counts = itertools.count(1)
        for name in (ALICE, BOB):
            record = PeerRecord(grants=("*",))
            network.host(name).disk.peers[identity_of(self.other(name)).peer_id] = record

    def fault(self, text: str) -> None:
        self.network.world.note(f"fault: {text}")
        self.faults.append(text)

    async def start(self, name: str) -> None:
        host = self.network.host(name)
        node = SimulatedNode(host, book_for(self.network, name, [self.other(name)]))
        node.serve(ASK, self._answer)
        await host.run(node.start())
        self.nodes[name] = node
        work: list[Coroutine[Any, Any, None]] = [
            self._receive(name, node),
            self._send(name, node),
            self._listen(name, node),
            self._receive_values(name, node),
            self._open(name, node),
            self._accept(name, node),
            self._ask(name, node),
            self._weigh(name, node),
        ]
        for part in work:
            host.spawn(part)

    @property
    def chance(self) -> random.Random:
        return self.network.world.random

    # -- calls -----------------------------------------------------------------------------------------

    async def _answer(self, call: IncomingCall) -> object:
        number = int(call.argument)
        self.executed[number] += 1
        await asyncio.sleep(self.chance.choice((0.0, 0.0, 0.2, 3.0)))
        return number

    async def _ask(self, name: str, node: SimulatedNode) -> None:
        while True:
            await asyncio.sleep(self.chance.uniform(0.2, 4.0))
            if self.sending:
                self.network.host(name).spawn(self._one_call(name, node, next(self._counts)))

    async def _one_call(self, name: str, node: SimulatedNode, number: int) -> None:
        now = asyncio.get_running_loop().time
        patience = self.chance.choice((1.0, 10.0, 30.0))
        began = now()
        self.asked[number] = "unanswered"
        outcome = "caller died"
        try:
            answer = await node.peer(self.other(name)).call(ASK, number, deadline=patience)
            outcome = "done" if answer == number else f"answered {answer!r}"
        except (CallRefusedError, CallDeadlineError, OutcomeUnknownError) as error:
            outcome = error.code if error.may_have_run else "not executed"
        except CallError as error:
            outcome = f"{error!r}"
        finally:
            self.asked[number] = outcome
        if now() - began > patience + 1.0:
            self.fault(f"call {number} took {now() - began} s of {patience} s")

    def check_calls(self) -> None:
        for number, outcome in self.asked.items():
            times = self.executed[number]
            least, most = {"done": (1, 1), "not executed": (0, 0)}.get(outcome, (0, 1))
            assert least <= times <= most, f"call {number} ended as {outcome} and was executed {times} times"
            assert outcome in {"done", "not executed", "deadline", "outcome-unknown", "caller died"}, outcome

    # -- memory ----------------------------------------------------------------------------------------

    async def _weigh(self, name: str, node: SimulatedNode) -> None:
        """A reader never holds more than its window, whatever the contact sends."""
        hub = node.peer(self.other(name)).relation.streams
        while True:
            await asyncio.sleep(0.5)
            for driver in hub._drivers.values():
                if (held := driver.machine.reader.held) > limits.STREAM_WINDOW_BYTES:
                    self.fault(f"{name} holds {held} bytes of one stream")

    # -- streams, at the opener ----------------------------------------------------------------------------

    async def _open(self, name: str, node: SimulatedNode) -> None:
        room = asyncio.Semaphore(STREAMS_AT_ONCE)

        async def one(film: Film) -> None:
            try:
                await self._opened(film, node)
            finally:
                room.release()

        for film in [film for film in self.films.values() if film.opener == name and name not in film.over]:
            await room.acquire()
            self.network.host(name).spawn(one(film))
        while True:
            await room.acquire()
            await asyncio.sleep(self.chance.uniform(0.0, 5.0))
            if not self.sending:
                return
            self.network.host(name).spawn(one(self._new_film(name)))

    def _new_film(self, name: str) -> Film:
        chance = self.chance
        sizes = [chance.choice((0, 1, 500, 9_000, 60_000)) for _ in range(2)]
        film = Film(f"film {len(self.films)}", name, chance.choice(KINDS), Way(sizes[0]), Way(sizes[1]))
        self.films[film.name] = film
        return film

    async def _opened(self, film: Film, node: SimulatedNode) -> None:
        name = film.opener
        stream = await node.peer(self.other(name)).stream(BULK, film.name)
        if film.id is None:
            film.id = stream.id
        elif film.id != stream.id:
            # The first one is over, and this application died before it noted that.
            film.lost |= self.restored
            if not ((film.closing and film.back.arrived) or film.reset or film.lost):
                self.fault(f"{film.name} of {name} is another stream, although it was not ended")
            film.cut_short = True
            await stream.reset("not needed")
            film.over.add(name)
            return
        try:
            if film.kind == "cancelled":
                self._cancel_some_time(film, stream, name)
            async with asyncio.TaskGroup() as tasks:
                writing = tasks.create_task(self._write(film.forth, stream, f"{film.name} forth"))
                if film.kind == "request":
                    await writing
                    film.closing = True
                    film.forth.end()
                    await stream.close_writing()
                tasks.create_task(self._read(film.back, stream, f"{film.name} back"))
            film.closing = True
            film.forth.end()
            await stream.close_writing()
            await stream.wait_done()
        except* StreamError as group:
            self._ended(film, name, group)
        film.over.add(name)

    # -- streams, at the accepter --------------------------------------------------------------------------

    async def _accept(self, name: str, node: SimulatedNode) -> None:
        async for stream in node.streams(BULK):
            film = self.films[stream.name]
            if film.id == stream.id:
                self.network.host(name).spawn(self._accepted(film, stream, name))
            elif film.id is None:
                self.fault(f"{film.name} was accepted before it was opened")

    async def _accepted(self, film: Film, stream: Stream, name: str) -> None:
        try:
            if film.kind == "cancelled":
                self._cancel_some_time(film, stream, name)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._write_all(film.back, stream, f"{film.name} back"))
                if film.kind == "careless":
                    await self._read_some(film.forth, stream)
                    film.left = True
                else:
                    tasks.create_task(self._read(film.forth, stream, f"{film.name} forth"))
            if film.left:
                await stream.aclose()
            await stream.wait_done()
        except* StreamError as group:
            self._ended(film, name, group)
        film.over.add(name)

    async def _read_some(self, way: Way, stream: Stream) -> None:
        while stream.position < way.size // 2 and (data := await stream.read(2000)):
            self._keep_bytes(way, stream, data, "read carelessly")

    def _keep_bytes(self, way: Way, stream: Stream, data: bytes, what: str) -> None:
        offset = stream.position - len(data)
        if not way.was_written(offset, data):
            self.fault(f"{what}: other bytes from {offset}, {len(data)} of them")
        way.kept[offset : offset + len(data)] = data

    # -- streams, either way -------------------------------------------------------------------------------

    async def _write_all(self, way: Way, stream: Stream, what: str) -> None:
        await self._write(way, stream, what)
        way.end()
        await stream.close_writing()

    async def _write(self, way: Way, stream: Stream, what: str) -> None:
        """Go on where the stream ends. What was lost is written anew with other bytes, so that it shows."""
        at = stream.written
        if not self.restored and at < (way.flushed if self.may_lose else way.accepted):
            self.fault(f"{what}: {at} bytes are left of {way.accepted} accepted, {way.flushed} flushed")
        if at > len(way.written):
            self.fault(f"{what}: {at} bytes, and only {len(way.written)} were written")
        if at < len(way.written):
            way.earlier.append(bytes(way.written))
            del way.written[at:]
        way.accepted = at
        quick = self.chance.random() < 0.5
        while len(way.written) < way.size:
            size = min(self.chance.choice((1, 100, 3_000, 20_000)), way.size - len(way.written))
            data = self.chance.randbytes(size)
            way.written += data
            await stream.write(self.chance.choice((bytes, bytearray, memoryview))(data))
            way.accepted = len(way.written)
            if stream.written != way.accepted:
                self.fault(f"{what}: {way.accepted} bytes became {stream.written}")
            if self.chance.random() < 0.1:
                await stream.flush()
                way.flushed = max(way.flushed, way.accepted)
            await asyncio.sleep(0.0 if quick else self.chance.uniform(0.0, 1.0))

    async def _read(self, way: Way, stream: Stream, what: str) -> None:
        stream.consume_explicitly = self.chance.random() < 0.5
        pace = self.chance.choice(("fast", "fast", "slow", "pausing"))
        most = self.chance.choice((1_000, 30_000))
        if stream.position > len(way.kept):
            self.fault(f"{what}: begins at {stream.position}, and only {len(way.kept)} bytes were kept")
        while data := await stream.read(most):
            self._keep_bytes(way, stream, data, what)
            if stream.consume_explicitly:
                await stream.consumed()
            if pace == "slow":
                await asyncio.sleep(len(data) / 8_000)
            elif pace == "pausing" and self.chance.random() < most / 150_000:
                # What was read last is not consumed as long as this takes.
                await asyncio.sleep(self.chance.uniform(0.0, 15.0))
        if not way.arrived:
            self.fault(f"{what}: {len(way.written)} bytes were written, {len(way.kept)} others came")

    def _cancel_some_time(self, film: Film, stream: Stream, name: str) -> None:
        async def cancel(after: float) -> None:
            await asyncio.sleep(after)
            film.reset = True
            await stream.reset("changed my mind")

        if self.chance.random() < 0.6:
            self.network.host(name).spawn(cancel(self.chance.uniform(0.0, 20.0)))

    def _ended(self, film: Film, name: str, group: BaseExceptionGroup[StreamError]) -> None:
        for error in group.exceptions:
            assert isinstance(error, StreamError)
            film.lost |= error.code == "lost"
            wanted = film.reset or film.cut_short
            if not (error.code == "cancelled" and wanted) and not (error.code == "lost" and self.may_lose):
                self.fault(f"{film.name} at {name} ended: {error!r}")

    def left(self) -> list[str]:
        """What is still to come, or still on a disk."""
        found = [f"call {number}" for number, outcome in self.asked.items() if outcome == "unanswered"]
        found += [
            f"{film.name} at {film.opener}" for film in self.films.values() if film.opener not in film.over
        ]
        for name in (ALICE, BOB):
            disk = self.network.host(name).disk
            for records in disk.streams.values():
                found += [f"record of {record.name} at {name}: {record}" for record in records.values()]
            found += [
                f"{spool.end - spool.start} bytes of {key} at {name}" for key, spool in disk.spools.items()
            ]
        return found

    def check_streams(self) -> None:
        for film in self.films.values():
            if film.reset or film.lost:
                continue
            forth = film.forth.arrived or film.left
            back = film.back.arrived
            assert forth, f"{film} did not arrive at its accepter"
            assert back, f"{film} did not arrive at its opener"
