"""The life of a bridge: waiting, searching, forwarding, ended."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable

from p4.adapters.net.punch.forwarder import Forwarder
from p4.adapters.net.punch.search import Pair, search_as_easy, search_as_hard
from p4.adapters.net.punch.sockets import drain
from p4.adapters.net.stun.client import StunClient
from p4.adapters.net.stun.codec import Address
from p4.core import limits
from p4.core.punch import (
    NatNote,
    PacketKind,
    Packets,
    Role,
    add_candidate,
    bridge_candidate,
    role_between,
)
from p4.errors import LinkError, UnreachableError

__all__ = ["UdpBridge"]

_UFRAG = re.compile(r"^a=ice-ufrag:([A-Za-z0-9+/]{4,256})\r?$", re.MULTILINE)


class UdpBridge:
    """Implements `p4.ports.punch.Bridge`. Made by `UdpPortGuesser.prepare`.

    Args:
        note: our side.
        near: the socket for our ICE agent, bound to an address of this machine.
        far: the socket whose outer address is announced (easy side); the hard side's is closed at the start.
        stun: the exchange on ``far``, and the server that keeps its port open.
        may_start: asked once; counts the attempt.
        clock: monotonic seconds.
        ended: told when the bridge is closed, for whatever reason.
    """

    def __init__(
        self,
        note: NatNote,
        near: socket.socket,
        far: socket.socket,
        stun: tuple[StunClient, Address],
        *,
        may_start: Callable[[], bool],
        clock: Callable[[], float],
        ended: Callable[[UdpBridge], None],
    ) -> None:
        self._note = note
        self._near = near
        self._far = far
        self._may_start = may_start
        self._clock = clock
        self._on_end = ended
        self._forwarder: Forwarder | None = None
        self._packets: Packets | None = None
        self._met: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._over = False
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(far.fileno(), self._from_stun, stun[0])
        self._task: asyncio.Task[None] = self._loop.create_task(self._wait(*stun))

    @property
    def note(self) -> NatNote:
        """See `p4.ports.punch.Bridge.note`."""
        return self._note

    @property
    def host(self) -> str:
        """The address of this machine on which the link's ICE agent finds the bridge."""
        return str(self._address[0])

    @property
    def port(self) -> int:
        """The UDP port there."""
        return int(self._address[1])

    @property
    def alive(self) -> bool:
        """See `p4.ports.punch.Bridge.alive`."""
        return self._met.done() and not self._over

    @property
    def searching(self) -> bool:
        """Whether it sends packets to find the other side just now."""
        return self._packets is not None and not self._met.done()

    @property
    def _address(self) -> Address:
        name = self._near.getsockname()
        return name[0], name[1]

    def add_to(self, sdp: str) -> str:
        """See `p4.ports.punch.Bridge.add_to`."""
        ufrag = _UFRAG.search(sdp)
        if ufrag is None:
            raise LinkError("The other side's description has no ICE user fragment.", code="bad-sdp")
        if self._over:
            return sdp
        if self._forwarder is None:
            self._forwarder = Forwarder(self._near, ufrag[1], self._received)
        return add_candidate(sdp, bridge_candidate(self.host, self.port))

    def start(self, theirs: NatNote, key: bytes) -> bool:
        """See `p4.ports.punch.Bridge.start`."""
        role = role_between(self._note, theirs)
        if self._over or role is None or self._packets is not None or not self._may_start():
            self.close()
            return False
        self._task.cancel()
        self._loop.remove_reader(self._far.fileno())
        self._packets = Packets(key)
        self._task = self._loop.create_task(self._search(role, theirs, self._packets, key))
        return True

    async def opened(self) -> None:
        """See `p4.ports.punch.Bridge.opened`."""
        await asyncio.wait({self._met})
        if not self.alive:
            raise LinkError("No path through the two NATs was found by guessing ports.", code="punch-failed")

    def close(self) -> None:
        """See `p4.ports.punch.Bridge.close`."""
        if self._over:
            return
        self._over = True
        self._task.cancel()
        if self._forwarder is not None:
            self._forwarder.close()
        for each in (self._near, self._far):
            if each.fileno() >= 0:
                self._loop.remove_reader(each.fileno())
                each.close()
        if not self._met.done():
            self._met.set_result(None)
        self._on_end(self)

    # --- before the start --------------------------------------------------------------------------------

    async def _wait(self, stun: StunClient, server: Address) -> None:
        """Keep the announced port open while the offer and its answer travel."""
        until = self._clock() + limits.PUNCH_PREPARED_SECONDS
        while self._clock() < until:
            await asyncio.sleep(limits.PUNCH_REFRESH_SECONDS)
            try:
                await stun.ask(server, timeout=limits.PUNCH_STUN_SECONDS)
            except UnreachableError:
                continue  # the request opened the NAT all the same, if there is a way at all
        self.close()

    def _from_stun(self, stun: StunClient) -> None:
        for data, source in drain(self._far):
            stun.received(data, source)

    # --- the search, then the pair -------------------------------------------------------------------------

    async def _search(self, role: Role, theirs: NatNote, packets: Packets, key: bytes) -> None:
        try:
            self._forward(await self._find(role, theirs, packets, key), role, packets)
            await self._look_after(role, packets)
        except LinkError:
            self.close()  # whoever waits in opened() is told; nobody else needs to be
        except OSError:
            self.close()  # the pair's socket lost its route between the meeting and its use

    async def _find(self, role: Role, theirs: NatNote, packets: Packets, key: bytes) -> Pair:
        if role is Role.EASY:
            return await search_as_easy(self._far, theirs, packets, key, self._clock)
        self._far.close()
        return await search_as_hard(theirs, packets, self._clock)

    def _forward(self, pair: Pair, role: Role, packets: Packets) -> None:
        self._far = pair[0]
        if self._forwarder is None:
            raise LinkError("The bridge was not added to a description.", code="punch-failed")
        self._forwarder.open(*pair)
        if role is Role.EASY:
            self._forwarder.send(packets.write(PacketKind.EASY_KEEP))
        self._met.set_result(None)

    async def _look_after(self, role: Role, packets: Packets) -> None:
        """Keep the pair open while both ends are there, and end when one is not."""
        forwarder = self._forwarder
        assert forwarder is not None  # noqa: S101 - _forward has used it
        keep = packets.write(PacketKind.EASY_KEEP if role is Role.EASY else PacketKind.HARD_KEEP)
        outward, inward = forwarder.outward, forwarder.inward
        near_seen = far_seen = self._clock()
        while True:
            await asyncio.sleep(limits.PUNCH_KEEP_SECONDS)
            now = self._clock()
            if forwarder.outward == outward:
                forwarder.send(keep)
            else:
                near_seen = now
            if forwarder.inward != inward:
                far_seen = now
            outward, inward = forwarder.outward, forwarder.inward
            if now - min(near_seen, far_seen) >= limits.PUNCH_IDLE_SECONDS:
                self.close()
                return

    def _received(self, data: bytes) -> None:
        """A packet over the pair: the easy side asks again if the confirmation was lost."""
        packets, forwarder = self._packets, self._forwarder
        if packets is None or forwarder is None:
            return
        if self._note.role is Role.HARD and packets.read(data, Role.EASY) is PacketKind.CHOSEN:
            forwarder.send(packets.write(PacketKind.HARD_KEEP))
