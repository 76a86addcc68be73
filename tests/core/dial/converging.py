"""Where a small world of two dial machines begins, and how it comes to rest."""

from __future__ import annotations

from enum import Enum

from tests.core.dial.two_machines import Budget, World

from p4.core import limits
from p4.core.dial import Wake

__all__ = ["Order", "converge", "linked_world", "starting_world"]


def starting_world(budget: Budget) -> World:
    """Both have just started and dial each other."""
    world = World(budget)
    for index in (0, 1):
        world.feed(index, Wake())
    return world


def linked_world(budget: Budget) -> World:
    """Both have had a link for a while."""
    world = converge(starting_world(Budget(0, 0, 0, 0)), Order.OLDEST_FIRST)
    world.budget = budget
    world.now += 10 * limits.STABLE_SECONDS
    world.flying = ()
    world.answered = frozenset()
    return world


class Order(Enum):
    """In which order what is ready happens."""

    OLDEST_FIRST = 0
    NEWEST_FIRST = -1
    IN_STEP = None
    """Everything that is ready happens at the same moment, on both sides."""


def converge(world: World, order: Order, *, seconds: float = 90.0, most: int = 400) -> World:
    """Let the world go on kindly: everything arrives, and only then does time pass.

    Args:
        seconds: within these both must have the same link, and want no other.

    Raises:
        AssertionError: they have not.
    """
    world = world.clone()
    until = world.now + seconds
    for _ in range(most):
        ready = world.progress()
        if ready:
            for step in ready if order.value is None else [ready[order.value]]:
                if step in world.progress():  # what happened just now may have ended it
                    world._do(step)
        elif world.joined and world.quiet:
            return world
        else:
            assert world.deadline() is not None, "both wait for ever"
            world._do(("hurry", False))
            assert world.now < until, "they do not find each other"
    raise AssertionError("they go on for ever")
