"""Finding out our own side of an attempt, and keeping a port open for it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from contextlib import suppress

from p4.adapters.net.punch.bridge import UdpBridge
from p4.adapters.net.punch.sockets import drain, loop_reads_sockets, open_socket
from p4.adapters.net.stun.client import StunClient, resolve_server
from p4.adapters.net.stun.codec import Address, BindingAnswer
from p4.adapters.net.stun.nat import may_follow, own_address
from p4.core import limits
from p4.core.ice import IceSettings
from p4.core.identity import PeerId
from p4.core.punch import NatNote, Role, RunLimit
from p4.errors import UnreachableError

__all__ = ["UdpPortGuesser"]

_MOST_SERVERS = 4
"""Addresses of STUN servers that are asked: two that answer are enough."""


class UdpPortGuesser:
    """Implements `p4.ports.punch.PortGuesser`.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._limit = RunLimit()
        self._bridges: set[UdpBridge] = set()

    async def prepare(self, contact: PeerId, ice: IceSettings) -> UdpBridge | None:
        """See `p4.ports.punch.PortGuesser.prepare`."""
        if ice.relay_only or not self._limit.allows(contact, self._clock()) or not loop_reads_sockets():
            return None
        try:
            far = open_socket()
        except OSError:
            return None
        try:
            bridge = await self._examine(far, contact, ice)
        except BaseException:
            _close(far)
            raise
        if bridge is None:
            _close(far)
        return bridge

    async def close(self) -> None:
        """See `p4.ports.punch.PortGuesser.close`."""
        for bridge in list(self._bridges):
            bridge.close()

    async def _examine(self, far: socket.socket, contact: PeerId, ice: IceSettings) -> UdpBridge | None:
        def send(data: bytes, server: Address) -> None:
            far.sendto(data, server)

        stun = StunClient(send)

        def arrived() -> None:
            for data, source in drain(far):
                stun.received(data, source)

        loop = asyncio.get_running_loop()
        loop.add_reader(far.fileno(), arrived)
        try:
            seen = await _two_answers(stun, ice)
        finally:
            loop.remove_reader(far.fileno())
        if len(seen) < 2:
            return None
        (server, first), (_, second) = seen
        own = own_address(server, socket.AF_INET)
        if own is None:
            return None
        note = NatNote(Role.EASY, *first) if first == second else NatNote(Role.HARD, first[0])
        # Announced only as it can be read: a very low outer port is left alone.
        if NatNote.parse(note.to_object()) != note:
            return None
        try:
            near = open_socket(own)
        except OSError:
            return None
        bridge = UdpBridge(
            note,
            near,
            far,
            (stun, server),
            may_start=lambda: self._may_start(contact),
            clock=self._clock,
            ended=self._bridges.discard,
        )
        self._bridges.add(bridge)
        return bridge

    def _may_start(self, contact: PeerId) -> bool:
        searching = sum(bridge.searching for bridge in self._bridges)
        return searching < limits.PUNCH_AT_A_TIME and self._limit.begin(contact, self._clock())


async def _two_answers(stun: StunClient, ice: IceSettings) -> list[tuple[Address, Address]]:
    """Servers at two different addresses and what they saw: the first that answer, or fewer."""
    found: dict[str, tuple[Address, Address]] = {}
    with suppress(TimeoutError):
        async with asyncio.timeout(limits.PUNCH_STUN_SECONDS):
            resolved = await asyncio.gather(*(resolve_server(url, socket.AF_INET) for url in ice.stun))
            # One address of each server first, then their others.
            turns = [each[turn] for turn in range(_MOST_SERVERS) for each in resolved if turn < len(each)]
            servers = list(dict.fromkeys(turns))[:_MOST_SERVERS]
            asking = {asyncio.ensure_future(_ask(stun, server)) for server in servers}
            try:
                while asking and len(found) < 2:
                    done, asking = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
                    for server, answer in filter(None, (each.result() for each in done)):
                        if answer.mapped is not None:
                            found.setdefault(server[0], (server, answer.mapped))
                        if (
                            not asking
                            and len(found) == 1
                            and answer.other
                            and may_follow(server, answer.other)
                        ):
                            asking.add(asyncio.ensure_future(_ask(stun, answer.other)))
            finally:
                for each in asking:
                    each.cancel()
    return list(found.values())[:2]


async def _ask(stun: StunClient, server: Address) -> tuple[Address, BindingAnswer] | None:
    try:
        return server, await stun.ask(server, timeout=limits.PUNCH_STUN_SECONDS)
    except UnreachableError:
        return None


def _close(each: socket.socket) -> None:
    asyncio.get_running_loop().remove_reader(each.fileno())
    each.close()
