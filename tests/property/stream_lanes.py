"""Lanes that end, in a world of two streams' ends: a frame that was under way may have arrived or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.property.stream_world import World

__all__ = ["end_lane", "moves", "report", "reports"]


def moves(world: World) -> Iterator[tuple[str, Callable[[World], None]]]:
    """The ways in which a lane can end now."""
    for index in (0, 1) if world.left["lane"] else ():
        for position in range(len(world.bulk[index])):
            for arrives in (False, True):
                name = f"lane to {index} ends {'behind' if arrives else 'with'} {position}"
                yield name, partial(end_lane, index=index, position=position, arrives=arrives)


def reports(world: World) -> Iterator[tuple[str, Callable[[World], None]]]:
    """Sides may notice that a lane has ended."""
    for index in (0, 1):
        if world.reports[index]:
            yield f"report {index}", partial(report, index=index)


def end_lane(world: World, index: int, position: int, *, arrives: bool) -> None:
    """A lane ends that has carried one frame to this side, or not; nobody told the writer that it has."""
    world.left["lane"] -= 1
    frame = world.bulk[index].pop(position)
    world.reports[1 - index].append(frame)
    if arrives:
        world.receive(index, frame)


def report(world: World, index: int) -> None:
    """A side notices that a lane has ended."""
    _, offset, data = world.reports[index].pop(0)
    machine = world.sides[index].machine
    if machine is not None:
        machine.writer.lost(offset, offset + len(data))
