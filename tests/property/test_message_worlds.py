"""Every interleaving of two message machines in small worlds (design: exhaustive small worlds).

In each reachable state, links and disks that work from then on bring everything to the other side.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from tests.counts import MESSAGE_STATES, explored
from tests.property.message_side import text
from tests.property.message_world import World

from p4.core.session.messages import sending
from p4.core.session.messages.machine import MessageMachine

TWO = [(text(1),), (text(2),)]
AT_ONCE = [(text(1), text(2))]
LATEST = [(text(1, key="k"),), (text(2, key="k"),)]
SHORT_LIVED = [(text(1, expires_ms=2_000), text(2))]
LAST_SHORT_LIVED = [(text(1), text(2, expires_ms=2_000))]
AT_THE_DOOR = [(text(1, service="door"), text(2))]


def after_backup(*restored: int) -> World:
    """The disks of these sides, one after the other, go back to where one message had been delivered."""
    world = World(MessageMachine, [[(text(1),)], []])
    world.calm()
    backups = [side.disk.copy() for side in world.sides]
    number = 1
    for index in restored:
        number += 1
        world.sides[0].script.append((text(number),))
        world.calm()
        world.restore(index, backups[index])
        if index != restored[-1]:
            world.calm()
    world.sides[0].script.append((text(number + 1),))
    world.flaps, world.crashes = 1, 0
    return world


WORLDS: dict[str, Callable[[], World]] = {
    "a link breaks": lambda: World(MessageMachine, [TWO, []], flaps=1),
    "a link breaks twice": lambda: World(MessageMachine, [AT_ONCE, []], flaps=2),
    "a process dies": lambda: World(MessageMachine, [TWO, []], crashes=1),
    "a process dies after a link broke": lambda: World(MessageMachine, [AT_ONCE, []], flaps=1, crashes=1),
    "a frame comes twice and a link breaks": lambda: World(MessageMachine, [AT_ONCE, []], flaps=1, repeats=1),
    "both send": lambda: World(MessageMachine, [AT_ONCE, AT_ONCE]),
    "both send and a link breaks": lambda: World(MessageMachine, [[(text(1),)], [(text(1),)]], flaps=1),
    "the latest value and a link that breaks": lambda: World(MessageMachine, [LATEST, []], flaps=1),
    "the latest value and a death": lambda: World(MessageMachine, [LATEST, []], crashes=1),
    "time to live": lambda: World(MessageMachine, [SHORT_LIVED, []], flaps=1, expiry=True),
    "the sender is restored": lambda: after_backup(0),
    "the sender is restored twice": lambda: after_backup(0, 0),
    "the receiver is restored": lambda: after_backup(1),
    "the receiver is restored after the sender": lambda: after_backup(0, 1),
    "time to live of the last": lambda: World(MessageMachine, [LAST_SHORT_LIVED, []], crashes=1, expiry=True),
    "a grant is taken back": lambda: World(MessageMachine, [AT_THE_DOOR, []], flaps=1, refusal=True),
    "messages are taken": lambda: World(MessageMachine, [AT_ONCE, []], flaps=1, takes=True),
}
WHOLLY = 60_000
"""More states than any of these worlds has."""


def explore(world: World, *, most_states: int) -> int:
    """Visit every state that can be reached, in an order by chance but always the same; returns how many.

    So the first states are not only those near the beginning: what is left out of a world that is explored in
    part is of all kinds.
    """
    chance = random.Random(0)
    start = world.frozen()
    seen = {hash(start)}
    waiting: list[tuple[bytes, tuple[str, ...]]] = [(start, ())]
    while waiting and len(seen) < most_states:
        place = chance.randrange(len(waiting))
        waiting[place], waiting[-1] = waiting[-1], waiting[place]
        state, path = waiting.pop()
        step = "calm"
        try:
            World.thawed(state).calm()
            for step, move in World.thawed(state).moves():
                following = World.thawed(state)
                move(following)
                frozen = following.frozen()
                if hash(frozen) not in seen:
                    seen.add(hash(frozen))
                    waiting.append((frozen, (*path, step)))
        except AssertionError as error:
            raise AssertionError(f"{error}\nafter:\n" + "\n".join((*path, step))) from error
    return len(seen)


def test_two_messages_arrive_whatever_the_order_of_events() -> None:
    states = explore(World(MessageMachine, [TWO, []]), most_states=WHOLLY)
    assert 100 < states < WHOLLY


def test_a_frame_that_comes_twice_changes_nothing() -> None:
    states = explore(World(MessageMachine, [AT_ONCE, []], repeats=1), most_states=WHOLLY)
    assert 100 < states < WHOLLY


@pytest.mark.parametrize("name", WORLDS)
@explored(MESSAGE_STATES)
def test_every_order_of_events_is_survived(name: str, count: int) -> None:
    assert_explored(explore(WORLDS[name](), most_states=count), count)


@explored(MESSAGE_STATES)
def test_a_window_that_is_narrow_is_kept_in_every_order_of_events(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "SEND_WINDOW_MESSAGES", 1)
    monkeypatch.setattr(sending, "READ_MESSAGES", 2)
    world = World(MessageMachine, [[(text(1), text(2), text(3))], []], flaps=1)
    assert_explored(explore(world, most_states=count), count)


def assert_explored(states: int, most: int) -> None:
    """Something happened; in a long run, all that can."""
    assert states > 100
    assert states < most or most < WHOLLY, "the world was not explored wholly"
