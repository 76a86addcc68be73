"""A question and its answer on one half-closed stream, with either side killed at any moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from tests.node.streams.harness import Device, Pair

from p4.core.session.streams.reader import Reader
from p4.core.session.streams.record import StreamRecord
from p4.errors import StreamError
from p4.node.streams import Stream, StreamHub
from p4.testing.virtual_time import run

QUESTION, ANSWER = b"What is six times seven?", b"Forty-two."
STEP = 0.0004
"""A write to the disk takes 0.3 ms, a frame 1 ms on its way: each falls between two moments at least once."""
MOMENTS = 40


@dataclass
class Notes:
    """What an application has on its own disk."""

    text: bytearray = field(default_factory=bytearray)
    ids: set[int] = field(default_factory=set)
    complete: int = 0

    async def copy_from(self, stream: Stream) -> None:
        """Read to the end; what is not safe here comes again."""
        stream.consume_explicitly = True
        del self.text[stream.position :]
        while piece := await stream.read():
            self.text += piece
            await stream.consumed()


async def ask(device: Device, notes: Notes) -> None:
    records = device.disk.streams.get(device.contact, {}).values()
    if notes.complete and all(record.closed for record in records):
        return
    stream = await device.hub.open("ask", "order 17")
    if not notes.complete:
        if not stream.writing_closed:
            await stream.write(QUESTION[stream.written :])
            await stream.close_writing()
        await notes.copy_from(stream)
        notes.complete += 1
    await stream.aclose()


async def answer(device: Device, notes: Notes, text: bytes) -> None:
    async for stream in device.services.incoming("ask"):
        async with stream:
            notes.ids.add(stream.id)
            await notes.copy_from(stream)
            assert notes.text == QUESTION, notes.text
            notes.complete += 1
            await stream.write(text[stream.written :])


async def asked_and_killed(kill: str, moment: float, text: bytes) -> tuple[Notes, Notes, Pair]:
    """Ask, and kill one of the two sides after a while; both go on until everything is forgotten."""
    pair = await Pair.start()
    for device in (pair.left, pair.right):
        await device.stop()
        await device.start(commit_seconds=0.0003)
    asked, answered = Notes(), Notes()
    programs: dict[str, Callable[[], asyncio.Task[None]]] = {
        "left": lambda: asyncio.create_task(ask(pair.left, asked)),
        "right": lambda: asyncio.create_task(answer(pair.right, answered, text)),
    }
    running = {name: start() for name, start in programs.items()}
    pair.link()
    await asyncio.sleep(moment)
    pair.cut()
    killed: Device = getattr(pair, kill)
    running[kill].cancel()
    killed.crash()
    await asyncio.wait([running[kill]])
    await killed.start(commit_seconds=0.0003)
    # The link is there before the application is, as it may be.
    pair.link()
    await asyncio.sleep(0.05)
    running[kill] = programs[kill]()
    await asyncio.sleep(30.0)
    assert running["left"].done(), "the answer never came"
    await running["left"]
    running["right"].cancel()
    return asked, answered, pair


def every_moment(kill: str, text: bytes) -> None:
    async def scenario(step: int) -> None:
        asked, answered, pair = await asked_and_killed(kill, step * STEP, text)
        assert asked.text == text
        assert answered.text == QUESTION
        assert answered.complete, "the accepter never learnt of the end"
        assert len(answered.ids) == 1, f"asked twice, when killed after {step} steps"
        pair.assert_forgotten()
        await pair.stop()

    for step in range(MOMENTS):
        run(scenario(step))


@pytest.mark.parametrize("text", [ANSWER, b""], ids=["an answer", "an empty one"])
@pytest.mark.parametrize("kill", ["left", "right"])
def test_a_question_is_answered_once_whoever_is_killed_and_when(kill: str, text: bytes) -> None:
    every_moment(kill, text)


def records_changed(patch: pytest.MonkeyPatch, change: Callable[[StreamRecord], StreamRecord]) -> None:
    load = StreamHub.load

    def mutant(self: StreamHub, records: list[StreamRecord]) -> None:
        load(self, [change(record) for record in records])

    patch.setattr(StreamHub, "load", mutant)


def discards_what_is_half_closed(patch: pytest.MonkeyPatch) -> None:
    records_changed(patch, lambda record: replace(record, closed=record.final))


def ends_without_telling(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reader, "end_taken", property(lambda self: True, lambda self, value: None))


def opens_another(patch: pytest.MonkeyPatch) -> None:
    """Under the name of a stream whose writing was closed."""
    patch.setattr(Reader, "has_told_all", True)


@pytest.mark.parametrize(
    ("plant", "kill", "text"),
    [
        (discards_what_is_half_closed, "left", ANSWER),
        (ends_without_telling, "left", b""),
        (opens_another, "left", ANSWER),
    ],
)
def test_a_mistake_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], kill: str, text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        every_moment(kill, text)


def test_an_accepter_that_ended_first_learns_of_the_end_after_it_was_killed() -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        mine, theirs = await pair.connected()
        theirs.consume_explicitly = True
        await mine.write(QUESTION)
        await theirs.readexactly(len(QUESTION))
        await theirs.consumed()
        await theirs.close_writing()
        pair.cut()
        pair.right.crash()
        await mine.close_writing()
        await pair.right.start()
        pair.link()
        await asyncio.sleep(1.0)
        again = await pair.accept()
        assert (again.id, again.position, again.writing_closed) == (mine.id, len(QUESTION), True)
        assert await again.read() == b""
        await again.wait_done()
        assert await mine.read() == b""
        await mine.wait_done()
        await asyncio.sleep(1.0)
        pair.assert_forgotten()
        await pair.stop()

    run(scenario())


@pytest.mark.parametrize("leaves", ["left", "right"])
def test_what_an_application_has_left_is_not_given_to_it_again(leaves: str) -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        streams = dict(zip(("left", "right"), await pair.connected(), strict=True))
        stays = "right" if leaves == "left" else "left"
        await streams[leaves].aclose()
        pair.cut()
        getattr(pair, leaves).crash()
        await getattr(pair, leaves).start()
        await streams[stays].write(QUESTION)
        await streams[stays].close_writing()
        asking = asyncio.create_task(pair.accept())
        pair.link()
        await streams[stays].wait_done()
        await asyncio.sleep(1.0)
        pair.assert_forgotten()
        assert not asking.done()
        if leaves == "left":
            assert (await pair.left.hub.open("files", "a")).id != streams["left"].id
        asking.cancel()
        await pair.stop()

    run(scenario())


def test_under_the_name_of_one_that_has_ended_another_is_opened() -> None:
    async def scenario() -> None:
        pair = await Pair.start()
        mine, theirs = await pair.connected()
        await mine.close_writing()
        assert (await pair.left.hub.open("files", "a")).id == mine.id, "an answer may come"
        with pytest.raises(StreamError, match="was announced"):
            await mine.write(b"more")
        await theirs.aclose()
        assert await mine.read() == b""
        assert (await pair.left.hub.open("files", "a")).id != mine.id
        await pair.stop()

    run(scenario())
