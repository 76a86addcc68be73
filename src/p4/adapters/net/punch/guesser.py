"""Finding out our own side of an attempt, and keeping a port open for it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from p4.adapters.net.punch.bridge import UdpBridge
from p4.adapters.net.punch.sockets import drain, loop_reads_sockets, open_socket
from p4.adapters.net.punch.survey import Survey
from p4.adapters.net.stun.client import StunClient
from p4.adapters.net.stun.codec import Address
from p4.adapters.net.stun.nat import own_address
from p4.core import limits
from p4.core.ice import IceSettings
from p4.core.identity import PeerId
from p4.core.punch import NatNote, Role, RunLimit

__all__ = ["UdpPortGuesser"]


@dataclass(frozen=True, slots=True)
class _Known:
    """The kind of our NAT, as found out in the network that we are in."""

    role: Role
    server: Address
    own: str
    """Our address on the way to that server."""

    @property
    def current(self) -> bool:
        """Whether we still have that address: a change may be noticed here first."""
        return own_address(self.server, socket.AF_INET) == self.own


class UdpPortGuesser:
    """Implements `p4.ports.punch.PortGuesser`.

    The kind of our NAT is remembered while we stay in a network; an attempt then needs one answer of a
    server instead of two, and the second one corrects what is remembered.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._limit = RunLimit()
        self._bridges: set[UdpBridge] = set()
        self._known: _Known | None = None
        self._nothing_until = 0.0
        """Until then it is of no use to ask."""
        self._surveys: set[Survey] = set()
        """Those that have not ended."""

    async def prepare(
        self, contact: PeerId, ice: IceSettings, theirs: NatNote | None = None
    ) -> UdpBridge | None:
        """See `p4.ports.punch.PortGuesser.prepare`."""
        if ice.relay_only or not self._limit.allows(contact, self._clock()) or not loop_reads_sockets():
            return None
        if self._clock() < self._nothing_until:
            return None
        if self._known is not None and not self._known.current:
            self.network_changed()
        if self._known is not None and theirs is not None and theirs.role is self._known.role:
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

    def network_changed(self) -> None:
        """See `p4.ports.punch.PortGuesser.network_changed`."""
        self._known = None
        self._nothing_until = 0.0
        self._limit = RunLimit()
        self._end_surveys()

    async def close(self) -> None:
        """See `p4.ports.punch.PortGuesser.close`."""
        self._end_surveys()
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
        survey = Survey(stun, ice)
        survey.then(self._surveys.discard)
        survey.then(self._learn)
        self._surveys.add(survey)
        try:
            role = await self._role(survey)
        except BaseException:
            survey.close()
            raise
        finally:
            loop.remove_reader(far.fileno())
        if role is None:
            survey.close()
            return None
        server, mapped = survey.seen[0]
        own = own_address(server, socket.AF_INET)
        note = NatNote(role, *mapped) if role is Role.EASY else NatNote(role, mapped[0])
        # Announced only as it can be read: a very low outer port is left alone.
        if own is None or NatNote.parse(note.to_object()) != note:
            survey.close()
            return None
        try:
            near = open_socket(own)
        except OSError:
            survey.close()
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

    async def _role(self, survey: Survey) -> Role | None:
        known = self._known
        if known is not None:
            return known.role if await survey.answers(1) else None
        if await survey.answers(2):
            return _role_of(survey)
        if not survey.closed:
            self._nothing_until = self._clock() + limits.PUNCH_UNKNOWN_SECONDS
        return None

    def _learn(self, survey: Survey) -> None:
        """Remember what two servers saw; if the second answered late, the bridge has read it."""
        if len(survey.seen) == 2 and not survey.closed:
            server, _ = survey.seen[0]
            own = own_address(server, socket.AF_INET)
            self._known = _Known(_role_of(survey), server, own) if own else None

    def _end_surveys(self) -> None:
        for survey in self._surveys:
            survey.close()

    def _may_start(self, contact: PeerId) -> bool:
        searching = sum(bridge.searching for bridge in self._bridges)
        return searching < limits.PUNCH_AT_A_TIME and self._limit.begin(contact, self._clock())


def _role_of(survey: Survey) -> Role:
    (_, first), (_, second) = survey.seen[:2]
    return Role.EASY if first == second else Role.HARD


def _close(each: socket.socket) -> None:
    asyncio.get_running_loop().remove_reader(each.fileno())
    each.close()
