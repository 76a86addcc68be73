"""A pipe between two devices that are killed again and again, in virtual time. With mutants."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from tests.apps.pipe.pipe_ends import FileInput, MemoryOutput

from p4.apps.pipe import NoSource, Pipe, PipeStream
from p4.apps.pipe.node_stream import NodeStream
from p4.core import limits
from p4.errors import StreamError
from p4.testing import CrashedError, SimulatedNetwork, simulate, start_node

FILM = random.Random("film").randbytes(400_000)
ANSWER = b"answer " * 10_000


async def sender(network: SimulatedNetwork, output: MemoryOutput) -> None:
    """The same command, as often as it takes."""
    node = await start_node(network, "phone", "laptop")

    @asynccontextmanager
    async def stream(_: object) -> AsyncIterator[PipeStream]:
        yield NodeStream(await node.peer("laptop").stream("pipe.film"))

    await Pipe(stream, FileInput(FILM), output).run()


async def listener(network: SimulatedNetwork, output: MemoryOutput) -> None:
    node = await start_node(network, "laptop", "phone")
    await node.peer("phone").grant("pipe.film")

    @asynccontextmanager
    async def stream(_: object) -> AsyncIterator[PipeStream]:
        yield NodeStream(await anext(node.streams("pipe.film")))

    await Pipe(stream, FileInput(ANSWER, pause=0.02), output).run()


async def until_done(
    network: SimulatedNetwork, name: str, command: Callable[[], object], done: dict[str, bool]
) -> None:
    while True:
        try:
            await network.host(name).run(command())  # type: ignore[arg-type]
        except CrashedError:
            continue
        done[name] = True
        return


def play(seed: int, *, cuts: bool = True) -> None:
    """Both commands, killed at moments that the seed decides."""
    simulate(lambda network: scenario(network, random.Random(f"kills {seed}"), cuts), seed=seed)


def play_some() -> None:
    for seed in range(30):
        play(seed)


async def scenario(network: SimulatedNetwork, chance: random.Random, cuts: bool) -> None:
    film, answer = MemoryOutput(cuts=cuts), MemoryOutput(cuts=cuts)
    done: dict[str, bool] = {}
    commands = asyncio.gather(
        until_done(network, "phone", lambda: sender(network, answer), done),
        until_done(network, "laptop", lambda: listener(network, film), done),
    )
    for _ in range(12):
        await asyncio.sleep(chance.uniform(0.05, 0.6))
        victims = [name for name in ("phone", "laptop") if name not in done]
        if len(victims) < 2:
            break  # the one that has ended knows that the other has everything
        network.host(chance.choice(victims)).crash()
    await commands
    if cuts:
        assert (bytes(film.content), bytes(answer.content)) == (FILM, ANSWER)
    else:
        # Nothing is missing; what was written and not confirmed came twice.
        assert len(film.content) >= len(FILM)
        assert bytes(film.content[:1000]) == FILM[:1000]


@pytest.mark.parametrize("cuts", [True, False])
def test_the_same_commands_go_on_after_every_kill(cuts: bool) -> None:
    for seed in range(12):
        play(seed, cuts=cuts)


def test_a_mutant_that_acknowledges_before_the_output_is_safe_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def hasty(pipe: Pipe, stream: PipeStream) -> int:
        await stream.consumed(knows_end=False)
        await pipe._sink.flush()
        return 0

    monkeypatch.setattr(Pipe, "_acknowledge", hasty)
    with pytest.raises(AssertionError, match="before it was safe"):
        play_some()


def test_a_mutant_that_begins_its_input_again_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    async def from_the_start(source: FileInput, accepted: int) -> None:
        source._at = 0

    monkeypatch.setattr(FileInput, "begin", from_the_start)
    with pytest.raises(AssertionError):
        play_some()


def test_it_ends_only_when_the_other_side_has_consumed_everything() -> None:
    async def both(network: SimulatedNetwork) -> None:
        laptop = await start_node(network, "laptop", "phone")
        phone = await start_node(network, "phone", "laptop")
        await laptop.peer("phone").grant("pipe.film")

        @asynccontextmanager
        async def opened(_: object) -> AsyncIterator[PipeStream]:
            yield NodeStream(await phone.peer("laptop").stream("pipe.film"))

        sending = asyncio.ensure_future(Pipe(opened, FileInput(b"bytes"), MemoryOutput()).run())
        stream = await anext(laptop.streams("pipe.film"))
        stream.consume_explicitly = True
        await stream.close_writing()
        assert await stream.read() + await stream.read() == b"bytes"
        await asyncio.sleep(60)
        assert not sending.done()
        await stream.consumed()
        await sending

    simulate(both)


def test_a_stream_that_is_reset_ends_the_pipe() -> None:
    async def both(network: SimulatedNetwork) -> None:
        laptop = await start_node(network, "laptop", "phone")
        phone = await start_node(network, "phone", "laptop")
        await laptop.peer("phone").grant("pipe.film")

        @asynccontextmanager
        async def opened(_: object) -> AsyncIterator[PipeStream]:
            yield NodeStream(await phone.peer("laptop").stream("pipe.film"))

        sending = asyncio.ensure_future(Pipe(opened, FileInput(FILM), MemoryOutput()).run())
        stream = await anext(laptop.streams("pipe.film"))
        await stream.read()
        await stream.reset("enough")
        with pytest.raises(StreamError, match="enough"):
            await sending

    simulate(both)


def test_nothing_is_sent_without_a_source() -> None:
    async def both(network: SimulatedNetwork) -> None:
        laptop = await start_node(network, "laptop", "phone")
        phone = await start_node(network, "phone", "laptop")
        await laptop.peer("phone").grant("pipe.film")

        @asynccontextmanager
        async def opened(_: object) -> AsyncIterator[PipeStream]:
            yield NodeStream(await phone.peer("laptop").stream("pipe.film"))

        @asynccontextmanager
        async def accepted(_: object) -> AsyncIterator[PipeStream]:
            yield NodeStream(await anext(laptop.streams("pipe.film")))

        output = MemoryOutput()
        await asyncio.gather(
            Pipe(opened, FileInput(FILM, piece=50_000), MemoryOutput()).run(),
            Pipe(accepted, NoSource(), output).run(),
        )
        assert output.content == FILM
        assert output.safe == len(FILM)
        assert len(FILM) < limits.PIPE_SYNC_BYTES, "the pauses brought it to the disk"

    simulate(both)
