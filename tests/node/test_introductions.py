"""Contacts that have both moved find each other through a third one, which learns no more than it must."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.node.harness import id_of, received, start, until
from tests.node.introducing import (
    BOTH,
    NOBODY,
    Three,
    asked,
    come_back,
    introductions,
    known,
    link,
    listen_in,
    outcome,
    overheard,
    run,
)

from p4.core import limits
from p4.core.identity import PeerId
from p4.core.policy import Policy
from p4.core.reach import KnownReach, recognised
from p4.core.session.introduction_frames import INTRODUCE, CeaseReason, Introduce
from p4.node.crossing import Crossing
from p4.node.introduced_stream import IntroducedStream
from p4.node.introduction_link import IntroductionLink
from p4.node.introductions import Introductions
from p4.node.veiled_stream import VeiledStream
from p4.testing.virtual_time import VirtualTimeError


def test_two_that_both_moved_come_back_through_a_third() -> None:
    run(come_back, *BOTH)


@pytest.mark.parametrize("seed", range(1, 9))
def test_it_works_however_things_fall(seed: int) -> None:
    run(come_back, *BOTH, seed=seed)


def test_without_a_common_contact_they_do_not() -> None:
    async def scenario(world: Three) -> None:
        world.move()
        await asyncio.sleep(60)
        assert not world.joined

    run(scenario, "alice")


def test_a_restarted_node_remembers_whom_to_ask() -> None:
    async def scenario(world: Three) -> None:
        world.network.host("alice").crash()
        world.move()
        world.alice = await start(world.network, "alice", "bob", "carol")
        world.alice._parts.rendezvous[0]._leave()  # type: ignore[union-attr]
        assert known(world.alice, "bob") == (id_of("carol"),)
        assert await until(lambda: world.joined, seconds=20) < 3.0

    run(scenario, *BOTH)


def test_whoever_has_no_right_learns_nothing_about_the_contacts() -> None:
    async def scenario(world: Three) -> None:
        answers = {await asked(world.alice, one) for one in (id_of("bob"), NOBODY, id_of("carol"))}
        assert answers == {"refused"}

    run(scenario, "bob")


def test_whom_the_right_was_not_given_is_as_good_as_absent() -> None:
    async def scenario(world: Three) -> None:
        answers = {await asked(world.alice, one) for one in (id_of("bob"), NOBODY, id_of("alice"))}
        assert answers == {"not-linked"}

    run(scenario, "alice")


def test_a_right_that_is_taken_back_ends_what_rests_on_it() -> None:
    async def scenario(world: Three) -> None:
        stream = IntroducedStream(link(world.alice), "a test")
        stream.ask_for(id_of("bob"))
        await until(lambda: bool(introductions(world.carol)._crossings))
        await world.carol.peer("bob").revoke(INTRODUCE)
        assert await outcome(stream) == "refused"
        assert await asked(world.alice, id_of("bob")) == "not-linked"
        await until(lambda: known(world.alice, "bob") == ())

    run(scenario, *BOTH)


def test_a_contact_that_was_removed_is_not_introduced() -> None:
    async def scenario(world: Three) -> None:
        stream = IntroducedStream(link(world.alice), "a test")
        stream.ask_for(id_of("bob"))
        await until(lambda: bool(introductions(world.carol)._crossings))
        await world.network.host("carol").run(world.carol.remove_contact("bob"))
        assert await outcome(stream) == "over"
        assert await asked(world.alice, id_of("bob")) == "not-linked"

    run(scenario, *BOTH)


def test_a_common_contact_that_goes_away_in_the_middle_costs_only_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario(world: Three) -> None:
        crashed: list[float] = []
        pass_on = Crossing.pass_on

        def crash(self: Crossing, came: Any, line: bytes) -> None:
            if crashed:
                pass_on(self, came, line)
            else:
                crashed.append(asyncio.get_running_loop().time())
                asyncio.get_running_loop().call_soon(world.network.host("carol").crash)

        monkeypatch.setattr(Crossing, "pass_on", crash)
        await world.alice.peer("bob").send("on the way")
        world.move()
        await until(lambda: bool(crashed))
        await asyncio.sleep(5)
        assert not world.joined
        world.carol = await start(world.network, "carol", "alice", "bob")
        await until(lambda: world.joined, seconds=60)
        assert await received(world.bob, 1) == ["on the way"]

    run(scenario, *BOTH)


def test_a_flood_costs_the_common_contact_and_the_victim_little() -> None:
    async def scenario(world: Three) -> None:
        most = 0
        streams = []
        for _ in range(200):
            stream = IntroducedStream(link(world.alice), "a flood")
            stream.ask_for(id_of("bob"))
            await stream.send_line(b"x" * 1000)
            streams.append(stream)
        for _ in range(50):
            await asyncio.sleep(0.01)
            most = max(most, len(introductions(world.carol)._crossings))
            assert world.bob._listener is not None
            assert world.bob._listener.strangers <= limits.INTRODUCTION_STREAMS
        assert 0 < most <= limits.INTRODUCTION_STREAMS
        ends = await asyncio.gather(*(outcome(stream) for stream in streams[limits.INTRODUCTION_BURST :]))
        assert set(ends) == {"refused"}
        assert world.joined
        assert world.alice.peer("carol").connected
        # Bytes as well: one stream that never ends its line.
        await asyncio.sleep(limits.INTRODUCTION_SECONDS)
        stream = IntroducedStream(link(world.alice), "a flood")
        stream.ask_for(id_of("bob"))
        for _ in range(40):
            await stream.send_line(b"x" * limits.CONVEYED_LINE_BYTES)
        assert await outcome(stream) in {"refused", "over"}
        assert world.alice.peer("carol").connected
        assert world.bob.peer("carol").connected

    run(scenario, *BOTH)


def test_a_stream_ends_after_its_time() -> None:
    async def scenario(world: Three) -> None:
        stream = IntroducedStream(link(world.alice), "a test")
        stream.ask_for(id_of("bob"))
        began = asyncio.get_running_loop().time()
        assert await outcome(stream) == "over"
        assert asyncio.get_running_loop().time() - began == pytest.approx(limits.INTRODUCTION_SECONDS, abs=1)

    run(scenario, *BOTH)


def test_the_common_contact_sees_who_wants_to_reach_whom_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frames = overheard(monkeypatch, "carol")
    run(lambda world: listen_in(world, frames), *BOTH)


def test_a_common_contact_that_writes_lines_of_its_own_reaches_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario(world: Three) -> None:
        pass_on = Crossing.pass_on

        def forge(self: Crossing, came: Any, line: bytes) -> None:
            pass_on(self, came, line[:-20] + b"A" * 18 + line[-2:])

        monkeypatch.setattr(Crossing, "pass_on", forge)
        world.move()
        await asyncio.sleep(20)
        assert not world.joined
        assert world.alice.peer("carol").connected
        monkeypatch.setattr(Crossing, "pass_on", pass_on)
        await until(lambda: world.joined, seconds=60)

    run(scenario, *BOTH)


def test_a_number_that_was_used_ends_the_link() -> None:
    async def scenario(world: Three) -> None:
        down = asyncio.get_running_loop().create_future()
        end = link(world.alice)
        for number in (end._next, end._next):
            end._send(Introduce(number, NOBODY))
        events = world.carol.events()
        async with asyncio.timeout(5):
            async for event in events:
                if type(event).__name__ == "LinkDown":
                    down.set_result(event)
                    break
        assert "impossible number" in down.result().reason

    run(scenario, *BOTH)


def test_announcements_name_common_contacts_to_those_who_know_them() -> None:
    async def scenario(world: Three) -> None:
        context = world.alice._context
        assert context is not None
        for policy in Policy:
            announcement = context.announce(policy)
            assert announcement.reach is not None
            found = recognised(announcement.reach, announcement.nonce, [id_of("carol"), id_of("mallory")])
            assert found == [id_of("carol")]
        first, second = (context.announce(Policy.DIRECT).reach for _ in range(2))
        assert first is not None
        assert second is not None
        assert first.common_contacts != second.common_contacts, "nobody can follow a mark"

    run(scenario, *BOTH)


def test_what_is_remembered_is_read_again_also_from_an_older_program() -> None:
    older = '{"at":["192.0.2.1:4000"],"via":["0123456789abcdef"]}'
    read = KnownReach.from_text(older)
    assert [str(endpoint.host) for endpoint in read.endpoints] == ["192.0.2.1"]
    assert read.introducers == ()
    whole = KnownReach(read.endpoints, (id_of("carol"),))
    assert KnownReach.from_text(whole.to_text()) == whole
    for text in ("", "[]", "{", '{"at":[],"through":[1,"x",null]}', '{"through":{}}'):
        assert KnownReach.from_text(text) == KnownReach()


# -- planted mistakes ----------------------------------------------------------------------------------------


def shows_the_lines(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(VeiledStream, "send_line", lambda self, line: self._stream.send_line(line))


def asks_nobody_for_the_right(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("p4.node.introductions._Linked.may_ask", True)


def says_first_who_is_absent(patch: pytest.MonkeyPatch) -> None:
    introduce = Introductions._introduce

    def mutant(self: Introductions, asker: PeerId, number: int, target: PeerId) -> Any:
        return introduce(self, asker, number, target) if target in self._linked else CeaseReason.NOT_LINKED

    patch.setattr(Introductions, "_introduce", mutant)


def takes_any_number_of_streams(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(limits, "INTRODUCTION_STREAMS", 10**9)
    patch.setattr(limits, "INTRODUCTION_BURST", 10**9)


def does_not_tell_the_other_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(IntroductionLink, "cease", lambda self, number, reason: self._passages.pop(number, None))


def never_asks(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Introductions, "known", lambda self, peer_ids: [])


@pytest.mark.parametrize(
    ("plant", "test"),
    [
        (never_asks, test_two_that_both_moved_come_back_through_a_third),
        (asks_nobody_for_the_right, test_whoever_has_no_right_learns_nothing_about_the_contacts),
        (says_first_who_is_absent, test_whoever_has_no_right_learns_nothing_about_the_contacts),
        (takes_any_number_of_streams, test_a_flood_costs_the_common_contact_and_the_victim_little),
        (does_not_tell_the_other_end, test_a_contact_that_was_removed_is_not_introduced),
    ],
    ids=lambda value: value.__name__,
)
def test_a_planted_mistake_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], test: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises((AssertionError, VirtualTimeError, TimeoutError)):
        test()


def test_lines_that_are_not_veiled_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    shows_the_lines(monkeypatch)
    frames = overheard(monkeypatch, "carol")
    with pytest.raises(AssertionError):
        run(lambda world: listen_in(world, frames), *BOTH)
