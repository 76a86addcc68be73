"""TCP over streams: the forward that listens, and the port that is served (spec/forward.md)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine

from p4.apps.forward.carrying import ByteEnd, Listening, Sockets, carry, reset
from p4.apps.forward.tunnel import Figures, Tunnel
from p4.core import limits
from p4.errors import CallError, CallRefusedError, LocalError, P4Error, StreamError
from p4.node.node import BaseNode
from p4.node.peer import Peer
from p4.node.streams import Stream

__all__ = ["ACCEPTED", "Connections", "TcpForward", "TcpServed"]

_log = logging.getLogger(__name__)

ACCEPTED = b"\x01"
"""The first byte of the direction from the serving side: the target has accepted the connection."""

_ASK_DEADLINE_SECONDS = 5.0


class Connections:
    """The connections of a tunnel, each a task with its contact.

    Args:
        figures: counts them.
        failed: told why a connection came to nothing.
    """

    def __init__(self, figures: Figures, failed: Callable[[str], None]) -> None:
        self._figures = figures
        self._failed = failed
        self._tasks: dict[asyncio.Task[None], str] = {}

    def begin(self, contact: str, work: Coroutine[None, None, None]) -> None:
        """Carry out the work of one connection with a contact (its id)."""
        self._figures.connections += 1
        self._figures.open += 1
        task = asyncio.create_task(work)
        self._tasks[task] = contact
        task.add_done_callback(self._ended)

    @property
    def contacts(self) -> set[str]:
        """Ids of those there are connections with."""
        return set(self._tasks.values())

    async def end(self, contact: str | None = None) -> None:
        """End those with a contact, or all; what they hold is reset."""
        ending = [task for task, with_whom in self._tasks.items() if contact in (None, with_whom)]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        self._figures.open -= 1
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a connection broke", exc_info=error)
            self._failed("A connection broke because of a mistake in P4; the log has it.")


class TcpForward:
    """Listens here; each connection goes to a port that a contact serves.

    Args:
        boot: names this run of the program in the names of streams.
        failed: told why connections come to nothing, in sentences.
    """

    def __init__(
        self, node: BaseNode, tunnel: Tunnel, sockets: Sockets, boot: str, failed: Callable[[str], None]
    ) -> None:
        self.figures = Figures()
        self.connections = Connections(self.figures, failed)
        self._node = node
        self._tunnel = tunnel
        self._sockets = sockets
        self._boot = f"{boot}{tunnel.id}"
        self._failed = failed
        self._listening: Listening | None = None
        self._number = 0

    @property
    def port(self) -> int | None:
        """Where it listens; None while it does not."""
        return self._listening.port if self._listening else None

    async def open(self) -> None:
        """Listen. Raises OSError."""
        host, port = self._tunnel.endpoint.host, self._tunnel.endpoint.port
        self._listening = await self._sockets.listen(host, port, self._accept)

    async def close(self) -> None:
        """Listen no more, and end all connections."""
        if self._listening is not None:
            await self._listening.close()
            self._listening = None
        await self.connections.end()

    def _accept(self, end: ByteEnd) -> None:
        self.connections.begin(self._tunnel.contact, self._serve(end))

    async def _serve(self, end: ByteEnd) -> None:
        try:
            stream = await self._connect(end)
        except ConnectionError as error:
            _log.info("%s: the program that connected went away: %s", self._tunnel.service, error)
        except P4Error as error:
            self.figures.refused += 1
            end.abort()
            self._failed(error.message)
        except asyncio.CancelledError:
            end.abort()
            raise
        else:
            await _carry(stream, end, self.figures, self._tunnel.service)

    async def _connect(self, end: ByteEnd) -> Stream:
        """The stream of a connection that the contact's target has accepted."""
        peer = self._node.peer(self._tunnel.contact)
        self._number += 1
        # A TCP connection ends with its process, so that there is nothing to keep for the next one.
        stream = await peer.stream(self._tunnel.service, f"{self._boot}.{self._number}", durable=False)
        try:
            await self._wait_accepted(peer, stream, end)
        except BaseException:
            await reset(stream, "The connection was given up before it was accepted.")
            raise
        return stream

    async def _wait_accepted(self, peer: Peer, stream: Stream, end: ByteEnd) -> None:
        answer = asyncio.create_task(stream.readexactly(len(ACCEPTED)))
        lost = asyncio.create_task(end.wait_lost())
        asking = asyncio.create_task(self._find_out(peer))
        try:
            await asyncio.wait(
                (answer, lost, asking),
                timeout=limits.TUNNEL_ACCEPT_SECONDS,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if answer.done():
                if answer.result() != ACCEPTED:
                    raise StreamError(
                        "The contact answers in a way that this version of P4 does not know. Update P4.",
                        code="failed",
                        by_contact=True,
                    )
            elif lost.done():
                lost.result()
            elif asking.done():
                asking.result()
            else:
                raise LocalError(_too_late(peer), code="no-answer")
        finally:
            for task in (answer, lost, asking):
                task.cancel()
            await asyncio.gather(answer, lost, asking, return_exceptions=True)

    async def _find_out(self, peer: Peer) -> None:
        """Ask, when the answer is late, whether the port is served at all. Ends only by an error."""
        pause = limits.TUNNEL_ASK_SECONDS
        while True:
            await asyncio.sleep(pause)
            pause *= 2
            try:
                if peer.connected:
                    said = await peer.call(self._tunnel.service, deadline=_ASK_DEADLINE_SECONDS)
                    if said == {"served": False}:
                        raise LocalError(_not_served(peer, self._tunnel), code="not-served")
            except CallRefusedError as error:
                if error.code == "not-served":
                    raise LocalError(_not_served(peer, self._tunnel), code="not-served") from None
                raise
            except CallError as error:
                _log.debug("%s: %s", self._tunnel.service, error.message)


class TcpServed:
    """Connections of contacts, led to one host and port.

    Args:
        failed: told why the target could not be reached.
    """

    def __init__(
        self, node: BaseNode, tunnel: Tunnel, sockets: Sockets, failed: Callable[[str], None]
    ) -> None:
        self.figures = Figures()
        self.connections = Connections(self.figures, failed)
        self._node = node
        self._tunnel = tunnel
        self._sockets = sockets
        self._failed = failed
        self._accepting: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Accept connections from now on."""
        self._accepting = asyncio.create_task(self._accept())

    async def close(self) -> None:
        """Accept no more, and end all connections."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.gather(self._accepting, return_exceptions=True)
            self._accepting = None
        await self.connections.end()

    async def _accept(self) -> None:
        async for stream in self._node.streams(self._tunnel.service, durable=False):
            self.connections.begin(stream.peer.peer_id, self._serve(stream))

    async def _serve(self, stream: Stream) -> None:
        try:
            end = await self._reach(stream)
        except StreamError as error:
            _log.info("%s: a connection ended before it began: %s", self._tunnel.service, error.message)
        except P4Error as error:
            self.figures.refused += 1
            self._failed(error.message)
        except asyncio.CancelledError:
            await reset(stream, "The port is not served any more.")
            raise
        else:
            await _carry(stream, end, self.figures, self._tunnel.service)

    async def _reach(self, stream: Stream) -> ByteEnd:
        """The target, after the contact was told that it has accepted."""
        target = self._tunnel.endpoint
        try:
            async with asyncio.timeout(limits.TUNNEL_CONNECT_SECONDS):
                end = await self._sockets.connect(target.host, target.port)
        except (OSError, TimeoutError) as error:
            reason = _reason(error)
            # The contact learns that nobody answers, but not where we looked.
            await reset(stream, f"The port {self._tunnel.name!r} does not answer: {reason}.")
            raise LocalError(
                f"Nothing answers at {target}: {reason}. A connection of {stream.peer.contact.label} was "
                "refused; start the program that belongs there.",
                code="target",
            ) from None
        try:
            await stream.write(ACCEPTED)
        except BaseException:
            end.abort()
            await reset(stream)
            raise
        return end


async def _carry(stream: Stream, end: ByteEnd, figures: Figures, what: str) -> None:
    """Carry one connection; how it ends is its own business and only noted."""
    try:
        await carry(stream, end, figures)
    except ConnectionError as error:
        _log.info("%s: a connection was reset: %s", what, error)
    except P4Error as error:
        _log.info("%s: a connection was ended: %s", what, error.message)


def _reason(error: OSError | TimeoutError) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {limits.TUNNEL_CONNECT_SECONDS:g} s"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return (error.strerror or "it cannot be reached").lower()


def _not_served(peer: Peer, tunnel: Tunnel) -> str:
    name = peer.contact.label
    return (
        f"{name} serves no {tunnel.protocol.value.upper()} port {tunnel.name!r} at the moment, so the "
        f"connection was refused. Begin it there: p4 serve {tunnel.name}"
    )


def _too_late(peer: Peer) -> str:
    return (
        f"{peer.contact.label} did not accept a connection within {limits.TUNNEL_ACCEPT_SECONDS:g} s "
        f"({peer.state}), so it was refused. The next one is tried again; p4 ls says more."
    )
