"""Carrying datagrams between the ICE agent on this machine and the far end of a punched pair.

Nothing is allocated per packet but what the socket calls themselves need, and a reader callback empties
its socket: that makes the difference between 30 and several hundred Mbit/s.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from p4.adapters.net.stun.codec import Address, username_of
from p4.core.punch import PACKET_BYTES, is_packet

__all__ = ["Forwarder"]

_BATCH = 128
"""Datagrams taken in one callback, so that one busy bridge does not hold up the loop."""

_LONGEST = 65_536
"""No UDP datagram is longer; nothing is ever cut off."""

_SOCKET_BUFFER_BYTES = 1024 * 1024
"""Asked for; the system may give less. Bursts of a link are that large before its congestion control acts."""


class Forwarder:
    """Two sockets, and what passes between them.

    Args:
        near: bound to an address of this machine; the link's ICE agent sends to it.
        ufrag: the contact's ICE user fragment: who sends checks with it is our agent.
        on_packet: gets the packets of spec/punch.md that arrive over the pair.
    """

    def __init__(self, near: socket.socket, ufrag: str, on_packet: Callable[[bytes], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._near = near
        self._agent: Address | None = None
        self._far: socket.socket | None = None
        self._far_end: Address | None = None
        self._expected = f"{ufrag}:".encode("ascii")
        self._on_packet = on_packet
        self._waiting: bytes | None = None
        self._buffer = memoryview(bytearray(_LONGEST))
        self.outward = 0
        """Datagrams of the link that were sent over the pair."""
        self.inward = 0
        """Datagrams that arrived over the pair, packets of spec/punch.md included."""
        _enlarge(near)
        self._loop.add_reader(near.fileno(), self._from_agent)

    @property
    def agent(self) -> Address | None:
        """Where our ICE agent sends from, once it has sent a check."""
        return self._agent

    def open(self, far: socket.socket, far_end: Address) -> None:
        """Begin to forward over the pair. The socket belongs to the forwarder from now on."""
        self._far, self._far_end = far, far_end
        far.connect(far_end)  # the system drops what comes from elsewhere
        _enlarge(far)
        self._loop.add_reader(far.fileno(), self._from_far)
        if self._waiting is not None:
            # The agent's last check: without it the link would wait for the next.
            self.send(self._waiting)
            self._waiting = None

    def send(self, data: bytes | memoryview) -> None:
        """Send over the pair; what the system does not take is lost, as on any network."""
        if self._far is not None:
            try:
                self._far.send(data)
            except OSError:  # buffer full, no route, or an ICMP message about an earlier datagram
                return

    def close(self) -> None:
        """Close both sockets."""
        for each in (self._near, self._far):
            if each is not None and each.fileno() >= 0:
                self._loop.remove_reader(each.fileno())
                each.close()
        self._far = None

    def _from_agent(self) -> None:
        near, buffer, agent = self._near, self._buffer, self._agent
        for _ in range(_BATCH):
            try:
                size, source = near.recvfrom_into(buffer)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP message: our agent has closed its socket
            if source != agent:
                # Also what waited in the socket since before it was connected to the agent.
                if agent is not None or not self._admit(buffer[:size], source):
                    continue
                agent = source
            far = self._far
            if far is None:
                self._waiting = bytes(buffer[:size])
                continue
            try:
                far.send(buffer[:size])
            except OSError:
                continue
            self.outward += 1

    def _from_far(self) -> None:
        far, near, buffer, agent, far_end = self._far, self._near, self._buffer, self._agent, self._far_end
        for _ in range(_BATCH):
            if far is None or far.fileno() < 0:
                return
            try:
                size, source = far.recvfrom_into(buffer)
            except BlockingIOError:
                return
            except OSError:
                continue
            if source != far_end:
                continue
            self.inward += 1
            if size == PACKET_BYTES and is_packet(buffer[:size]):
                self._on_packet(bytes(buffer[:size]))
            elif agent is not None:
                try:
                    near.send(buffer[:size])
                except OSError:
                    continue

    def _admit(self, data: memoryview, source: Address) -> bool:
        if source[0] != self._near.getsockname()[0]:
            return False
        name = username_of(bytes(data))
        if name is None or not name.startswith(self._expected):
            return False
        self._agent = source
        self._near.connect(source)
        return True


def _enlarge(each: socket.socket) -> None:
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        each.setsockopt(socket.SOL_SOCKET, option, _SOCKET_BUFFER_BYTES)
