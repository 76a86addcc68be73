"""Listening and dialling for lanes over TLS and TCP."""

from __future__ import annotations

import asyncio
import hmac
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Protocol

from p4.adapters.tls_lane.addresses import loopback_needed, own_addresses
from p4.adapters.tls_lane.certificate import client_context, fingerprint, server_context
from p4.adapters.tls_lane.connection import FrameConnection
from p4.core import limits
from p4.core.session.lane_addresses import dialable, offerable
from p4.core.session.lane_frames import IpAddress, LaneAddress, LaneInvitation, encode_received
from p4.errors import LinkError
from p4.ports.lane import Lane, LaneClosed, LaneEvent, LaneReady, LaneSink

__all__ = ["PortLender", "TlsStreamLanes"]


class PortLender(Protocol):
    """Has a router pass connections on to ports of ours."""

    async def lend(self, inner: LaneAddress) -> LaneAddress | None:
        """The address outside that leads to this one of ours, or None if that cannot be done.

        It has a second for it; cancelled, it leaves nothing behind.
        """

    def give_back(self, inner: LaneAddress) -> None:
        """What `lend` gave is needed no more."""


_MAPPING_SECONDS = 1.0
_STAGGER_SECONDS = 0.1
"""Head start of each address before the next one is tried."""


class TlsStreamLanes:
    """Makes lanes over TLS.

    Args:
        ports: makes listeners reachable through a router, if there is one.
        addresses: those of this machine.
    """

    def __init__(
        self,
        ports: PortLender | None = None,
        addresses: Callable[[], list[IpAddress]] = own_addresses,
    ) -> None:
        self._ports = ports
        self._addresses = addresses
        self._listeners: set[_Listener] = set()
        self._client: ssl.SSLContext | None = None

    async def listen(
        self, token: bytes, sink: LaneSink, *, local_only: bool = False
    ) -> tuple[Lane, LaneInvitation]:
        """Wait for one dialler that shows the token; give what it has to know.

        Raises:
            LinkError: ``no-address``.
        """
        context, print_ = await asyncio.to_thread(server_context)
        listener = _Listener(token, context, sink, self._listeners.discard)
        reachable = listener.bind(
            offerable(self._addresses(), loopback=loopback_needed(), local_only=local_only)
        )
        if not reachable:
            raise LinkError("There is no address at which others could reach us.", code="no-address")
        self._listeners.add(listener)
        listener.start()
        try:
            mapped = [] if local_only else await self._mapped(listener, reachable)
        except BaseException:
            listener.close()
            raise
        addresses = (*mapped, *reachable)[: limits.LANE_ADDRESSES]
        return listener, LaneInvitation(print_, token, addresses)

    async def dial(self, invitation: LaneInvitation, sink: LaneSink, *, local_only: bool = False) -> Lane:
        """Connect to a listener, make sure that it is the right one, and show it the token.

        Raises:
            LinkError: ``not-reached``.
        """
        if self._client is None:
            self._client = client_context()
        context = self._client
        addresses = dialable(invitation.addresses, loopback=loopback_needed(), local_only=local_only)
        attempts = {
            asyncio.create_task(_attempt(at, context, invitation.fingerprint, _STAGGER_SECONDS * index))
            for index, at in enumerate(addresses)
        }
        found: FrameConnection | None = None
        try:
            async with asyncio.timeout(limits.LANE_TOKEN_SECONDS):
                for attempt in asyncio.as_completed(list(attempts)):
                    with suppress(OSError, LinkError):
                        found = await attempt
                        break
        except TimeoutError:
            pass
        finally:
            for task in attempts:
                task.cancel()
                task.add_done_callback(partial(_close_loser, winner=found))
        if found is None or not found.show(invitation.token, sink):
            raise LinkError(
                "The contact could not be reached by TCP. Streams go on over the link.", code="not-reached"
            )
        return found

    async def close(self) -> None:
        """End every listener; lanes that are open belong to their links, which end them."""
        for listener in list(self._listeners):
            listener.close()

    async def _mapped(self, listener: _Listener, reachable: list[LaneAddress]) -> list[LaneAddress]:
        inner = next((at for at in reachable if at.ip.version == 4 and at.ip.is_private), None)
        if self._ports is None or inner is None:
            return []
        outer: LaneAddress | None = None
        with suppress(TimeoutError):
            async with asyncio.timeout(_MAPPING_SECONDS):
                outer = await self._ports.lend(inner)
        if outer is None:
            return []
        # Until the lane has ended: some routers cut connections whose mapping goes.
        listener.unmap = partial(self._ports.give_back, inner)
        return [outer]


class _Listener:
    """Listens until one dialler has shown the token; then is the lane to it."""

    def __init__(
        self,
        token: bytes,
        context: ssl.SSLContext,
        sink: LaneSink,
        ended: Callable[[_Listener], None],
    ) -> None:
        self._token = token
        self._context = context
        self._sink = sink
        self._ended = ended
        self._sockets: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._strangers = asyncio.Semaphore(limits.LANE_STRANGERS)
        self._greeted: list[FrameConnection] = []
        self._greetings: dict[FrameConnection, asyncio.Task[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._admitted: FrameConnection | None = None
        self._closed = False
        self.unmap: Callable[[], None] | None = None
        """Has the router pass nothing on any more."""

    def bind(self, addresses: list[IpAddress]) -> list[LaneAddress]:
        """Listen on these addresses, as far as they can be had."""
        bound = []
        for ip in addresses:
            family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
            with suppress(OSError):  # it went away meanwhile, or is not usable yet
                listening = socket.create_server((str(ip), 0), family=family, backlog=limits.LANE_STRANGERS)
                listening.setblocking(False)
                self._sockets.append(listening)
                bound.append(LaneAddress(ip, listening.getsockname()[1]))
        return bound

    def start(self) -> None:
        """Take connections from now on."""
        for listening in self._sockets:
            task = asyncio.get_running_loop().create_task(self._accept(listening))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._timer = asyncio.get_running_loop().call_later(limits.LANE_OPEN_SECONDS, self._give_up)

    def send(self, frame: bytes) -> None:
        """See `Lane.send`."""
        if self._admitted is None:
            raise LinkError("The lane is not open.", code="not-open")
        self._admitted.send(frame)

    def close(self) -> None:
        """See `Lane.close`."""
        self._closed = True
        self._stop_listening()
        self._end_mapping()
        if self._admitted is not None:
            self._admitted.close()

    # -- inside -----------------------------------------------------------------------------------------

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):  # the socket was closed
            while True:
                # No further one is taken while there are so many: the system's queue is short, too.
                await self._strangers.acquire()
                try:
                    connected, _ = await loop.sock_accept(listening)
                except BaseException:
                    self._strangers.release()
                    raise
                connection = FrameConnection(partial(self._event, len(self._greeted)), self._admit)
                self._greeted.append(connection)
                task = loop.create_task(self._greet(connection, connected))
                self._tasks.add(task)
                self._greetings[connection] = task
                task.add_done_callback(partial(self._end_greeting, connection, connected))

    async def _greet(self, connection: FrameConnection, connected: socket.socket) -> None:
        """Give a connection its time to show the token."""
        with suppress(OSError, TimeoutError, LinkError):
            async with asyncio.timeout(limits.LANE_TOKEN_SECONDS):
                await asyncio.get_running_loop().connect_accepted_socket(
                    lambda: connection,
                    connected,
                    ssl=self._context,
                    ssl_handshake_timeout=limits.LANE_TOKEN_SECONDS,
                )
                await connection.opened

    def _end_greeting(
        self, connection: FrameConnection, connected: socket.socket, task: asyncio.Task[None]
    ) -> None:
        self._tasks.discard(task)
        self._greetings.pop(connection, None)
        self._strangers.release()
        if connection is not self._admitted:
            connection.close()
            connected.close()

    def _admit(self, shown: bytes) -> bool:
        """Whether this is the token, which counts once."""
        return hmac.compare_digest(shown, self._token) and self._admitted is None and not self._closed

    def _event(self, number: int, event: LaneEvent) -> None:
        connection = self._greeted[number]
        if self._admitted is None and isinstance(event, LaneReady):
            self._admitted = connection
            connection.send(encode_received(0))
            self._stop_listening()
        if connection is self._admitted and not self._closed:
            if isinstance(event, LaneClosed):
                self._end_mapping()
            self._sink(event)

    def _end_mapping(self) -> None:
        if self.unmap is not None:
            self.unmap()
            self.unmap = None

    def _stop_listening(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        # The token may arrive with the end of the handshake, which is then still waited for.
        spared = self._greetings.get(self._admitted) if self._admitted is not None else None
        for task in self._tasks:
            if task is not spared:
                task.cancel()
        for listening in self._sockets:
            listening.close()
        self._sockets.clear()
        self._ended(self)

    def _give_up(self) -> None:
        if self._admitted is None and not self._closed:
            self.close()
            self._sink(LaneClosed("nobody came"))


async def _attempt(
    address: LaneAddress, context: ssl.SSLContext, expected: bytes, delay: float
) -> FrameConnection:
    """Connect to one address; only the right certificate counts.

    Raises:
        OSError: no connection, or no TLS 1.3. LinkError: somebody else's certificate.
    """
    await asyncio.sleep(delay)
    connection = FrameConnection(_nothing)
    try:
        transport, _ = await asyncio.get_running_loop().create_connection(
            lambda: connection, str(address.ip), address.port, ssl=context, server_hostname=""
        )
    except BaseException:
        connection.close()
        raise
    shown = fingerprint(transport.get_extra_info("ssl_object"))
    if not hmac.compare_digest(shown, expected):
        connection.close()
        raise LinkError("Somebody else answered where the contact should listen.", code="wrong-peer")
    return connection


def _close_loser(task: asyncio.Task[FrameConnection], *, winner: FrameConnection | None) -> None:
    """What came second is not needed."""
    if not task.cancelled() and task.exception() is None and task.result() is not winner:
        task.result().close()


def _nothing(event: LaneEvent) -> None:
    """Whoever is at the other end has not shown yet that it is the right one."""
