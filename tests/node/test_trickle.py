"""Candidates that follow: each stream gets each of them once, and learns when these were all."""

from __future__ import annotations

import asyncio
import random

from tests.node.recorder import Recorder

from p4.core import limits
from p4.core.signaling import Candidates
from p4.node.trickle import Trickle
from p4.testing import run


def said(stream: Recorder) -> tuple[list[str], list[bool]]:
    """All candidates that a stream got, in order, and whether each message was the last."""
    messages = [message for message in stream.sent if isinstance(message, Candidates)]
    assert len(messages) == len(stream.sent)
    return [one for message in messages for one in message.candidates], [message.done for message in messages]


def test_every_stream_gets_every_candidate_once_whenever_it_joins() -> None:
    async def scenario(seed: int) -> None:
        chance = random.Random(seed)
        streams: list[Recorder] = []
        trickle = Trickle("s", lambda: [stream.conversation for stream in streams])
        found = [f"candidate:{number}" for number in range(chance.randint(0, 40))]
        for candidate in found:
            trickle.found(candidate)
            if chance.random() < 0.2:
                streams.append(Recorder())
                trickle.start()
            await asyncio.sleep(chance.choice([0.0, 0.001, 0.05]))
        trickle.found("")
        streams.append(Recorder())
        trickle.start()
        await asyncio.sleep(1)
        for stream in streams:
            candidates, done = said(stream)
            assert candidates == found
            assert done[-1], "the last message says so"
            assert not any(done[:-1])

    for seed in range(50):
        run(scenario(seed))


def test_nothing_goes_out_before_the_description() -> None:
    async def scenario() -> None:
        stream = Recorder()
        trickle = Trickle("s", lambda: [stream.conversation])
        trickle.found("candidate:1")
        await asyncio.sleep(1)
        assert stream.sent == []
        trickle.start()
        await asyncio.sleep(1)
        assert stream.sent == [Candidates("s", ("candidate:1",), False)]

    run(scenario())


def test_what_is_found_within_a_moment_goes_together() -> None:
    async def scenario() -> None:
        stream = Recorder()
        trickle = Trickle("s", lambda: [stream.conversation])
        trickle.start()
        for number in range(5):
            trickle.found(f"candidate:{number}")
            await asyncio.sleep(limits.CANDIDATES_SECONDS / 10)
        await asyncio.sleep(1)
        assert len(stream.sent) == 1

    run(scenario())


def test_no_more_is_sent_than_a_contact_takes() -> None:
    async def scenario() -> None:
        stream = Recorder()
        trickle = Trickle("s", lambda: [stream.conversation])
        trickle.start()
        for number in range(2 * limits.NEGOTIATION_CANDIDATES):
            trickle.found(f"candidate:{number}")
        trickle.found("")
        await asyncio.sleep(1)
        assert len(said(stream)[0]) == limits.NEGOTIATION_CANDIDATES
        assert all(len(m.candidates) <= 32 for m in stream.sent if isinstance(m, Candidates))

    run(scenario())


def test_a_broken_stream_costs_the_others_nothing() -> None:
    async def scenario() -> None:
        broken, ended, good = Recorder(broken=True), Recorder(), Recorder()
        ended.close()
        trickle = Trickle("s", lambda: [one.conversation for one in (broken, ended, good)])
        trickle.start()
        trickle.found("candidate:1")
        trickle.found("")
        await asyncio.sleep(1)
        assert good.sent == [Candidates("s", ("candidate:1",), True)]
        assert ended.sent == []

    run(scenario())


def test_after_its_end_nothing_is_sent() -> None:
    async def scenario() -> None:
        stream = Recorder()
        trickle = Trickle("s", lambda: [stream.conversation])
        trickle.start()
        trickle.found("candidate:1")
        trickle.close()
        trickle.found("candidate:2")
        await asyncio.sleep(1)
        assert stream.sent == []

    run(scenario())
