"""Making the two sides meet: the plans of `p4.core.punch_plan` on real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from p4.adapters.net.punch.sockets import drain, open_many
from p4.adapters.net.stun.codec import Address
from p4.core import limits
from p4.core.punch import NatNote, Packets, Role
from p4.core.punch_plan import EasyPlan, HardPlan, Sending
from p4.errors import LinkError

__all__ = ["Pair", "search_as_easy", "search_as_hard"]

Pair = tuple[socket.socket, Address]
"""The socket on our side and the outer address of the other's."""


async def search_as_easy(
    waiting: socket.socket, theirs: NatNote, packets: Packets, seed: bytes, clock: Callable[[], float]
) -> Pair:
    """Try ports of the hard side until one of them is ours.

    Args:
        waiting: the socket whose outer address was announced; it becomes the pair's. Nobody else reads it.
        theirs: the hard side.
        seed: decides the order of ports.
        clock: monotonic seconds.

    Raises:
        LinkError: code ``punch-failed``. The caller closes the socket.
    """
    plan = EasyPlan(seed, clock())

    def send(sending: Sequence[Sending]) -> None:
        for kind, port in sending:
            with suppress(OSError):  # lost: a full buffer, no route just now, or an ICMP message
                waiting.sendto(packets.write(kind), (theirs.host, port))

    def arrived() -> None:
        for data, source in drain(waiting):
            kind = packets.read(data, Role.HARD)
            if kind is not None and source[0] == theirs.host:
                send(plan.received(kind, source[1], clock()))

    await _run(plan, [(waiting, arrived)], send, clock)
    assert plan.pair is not None  # noqa: S101 - how _run ends
    return waiting, (theirs.host, plan.pair)


async def search_as_hard(theirs: NatNote, packets: Packets, clock: Callable[[], float]) -> Pair:
    """Open many ports towards the easy side until it has found one of them.

    Raises:
        LinkError: code ``punch-failed``.
    """
    target = (theirs.host, theirs.port)
    sockets = open_many(target)
    plan = HardPlan(len(sockets), clock())

    def send(sending: Sequence[Sending]) -> None:
        for kind, number in sending:
            with suppress(OSError):  # as above
                sockets[number].send(packets.write(kind))

    def arrived(number: int) -> None:
        for data, source in drain(sockets[number]):
            kind = packets.read(data, Role.EASY)
            if kind is not None and source == target:
                send(plan.received(kind, number))

    chosen: socket.socket | None = None
    try:
        readers = [(each, partial(arrived, number)) for number, each in enumerate(sockets)]
        await _run(plan, readers, send, clock)
        assert plan.pair is not None  # noqa: S101 - how _run ends
        chosen = sockets[plan.pair]
    finally:
        for each in sockets:
            if each is not chosen:
                each.close()
    return chosen, target


async def _run(
    plan: EasyPlan | HardPlan,
    readers: Sequence[tuple[socket.socket, Callable[[], None]]],
    send: Callable[[Sequence[Sending]], None],
    clock: Callable[[], float],
) -> None:
    """Drive a plan to its pair."""
    loop = asyncio.get_running_loop()
    met = asyncio.Event()

    def read(arrived: Callable[[], None]) -> None:
        arrived()
        if plan.pair is not None:
            met.set()

    for each, arrived in readers:
        loop.add_reader(each.fileno(), read, arrived)
    try:
        while plan.pair is None:
            if plan.over(clock()):
                raise LinkError(
                    "No path through the two NATs was found by guessing ports. A TURN server or IPv6 would "
                    "help; another attempt may as well.",
                    code="punch-failed",
                )
            send(plan.due(clock()))
            with suppress(TimeoutError):
                await asyncio.wait_for(met.wait(), limits.PUNCH_TICK_SECONDS)
    finally:
        for each, _ in readers:
            loop.remove_reader(each.fileno())
