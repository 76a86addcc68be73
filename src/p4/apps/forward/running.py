"""A tunnel that is at work, whatever it carries."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from errno import EACCES, EADDRINUSE, EADDRNOTAVAIL
from typing import Protocol as Structure

from p4.apps.forward.carrying import Sockets
from p4.apps.forward.names import Endpoint
from p4.apps.forward.tcp import TcpForward, TcpServed
from p4.apps.forward.tunnel import Figures, Kind, Protocol, Tunnel
from p4.apps.forward.udp import UdpForward, UdpServed
from p4.core import limits
from p4.errors import LocalError
from p4.node.node import BaseNode

__all__ = ["Running", "make"]


class _Work(Structure):
    figures: Figures

    async def open(self) -> None: ...
    async def close(self) -> None: ...


class Running:
    """One tunnel, open or waiting for its port to become free.

    Args:
        work: one of the four kinds there are.
        told: of every problem, with this object.
    """

    def __init__(self, tunnel: Tunnel, told: Callable[[Running, str], None]) -> None:
        self.tunnel = tunnel
        self.work: _Work
        self.problem = ""
        """The latest, as a sentence."""
        self.trouble: LocalError | None = None
        """Why it is not open."""
        self._told = told

    @property
    def figures(self) -> Figures:
        """What it has carried."""
        return self.work.figures

    @property
    def listening(self) -> Endpoint | None:
        """Where a forward listens."""
        work = self.work
        port = work.port if isinstance(work, TcpForward | UdpForward) else None
        return None if port is None else Endpoint(self.tunnel.endpoint.host, port)

    async def open(self) -> None:
        """Begin; ``trouble`` says why that was not possible."""
        before, self.trouble = self.trouble, None
        try:
            await self.work.open()
        except OSError as error:
            self.trouble = _explain(error, self.tunnel.endpoint)
            if before is None:
                self.failed(self.trouble.message)

    async def close(self) -> None:
        """End it with all its connections."""
        await self.work.close()

    def failed(self, text: str) -> None:
        """Something went wrong."""
        self.problem = text
        self._told(self, text)

    def goes_by(self, reference: str) -> bool:
        """Whether a person may mean this one: by its served name, or the port where it listens."""
        if reference == str(self.tunnel.endpoint):
            return True
        if self.tunnel.kind is Kind.SERVE:
            return reference == self.tunnel.name
        return self.listening is not None and reference in (str(self.listening), str(self.listening.port))

    async def sweep(self, gone: set[str]) -> None:
        """Forget what was silent for long, and end connections with contacts that were away too long."""
        work = self.work
        if isinstance(work, UdpForward | UdpServed):
            work.sweep()
        elif isinstance(work, TcpForward | TcpServed):
            for contact in work.connections.contacts & gone:
                await work.connections.end(contact)


def make(
    node: BaseNode, tunnel: Tunnel, sockets: Sockets, boot: str, told: Callable[[Running, str], None]
) -> Running:
    """A tunnel that is not open yet.

    Args:
        boot: names this run of the program.
        told: of every problem.
    """
    running = Running(tunnel, told)
    match tunnel.kind, tunnel.protocol:
        case Kind.FORWARD, Protocol.TCP:
            running.work = TcpForward(node, tunnel, sockets, boot, running.failed)
        case Kind.FORWARD, Protocol.UDP:
            first = secrets.randbelow(2 ** (8 * limits.TUNNEL_HEADER_BYTES))
            running.work = UdpForward(node, tunnel, first, running.failed)
        case Kind.SERVE, Protocol.TCP:
            running.work = TcpServed(node, tunnel, sockets, running.failed)
        case _:
            running.work = UdpServed(node, tunnel, running.failed)
    return running


def _explain(error: OSError, endpoint: Endpoint) -> LocalError:
    """Why a port cannot be listened on."""
    if error.errno == EADDRINUSE:
        return LocalError(
            f"Another program uses port {endpoint.port} of {endpoint.host} already. Choose another one, or "
            "0 for any that is free.",
            code="port-in-use",
        )
    if error.errno == EACCES:
        return LocalError(
            f"This user may not listen on port {endpoint.port}: those below 1024 belong to the system. "
            "Choose a higher one.",
            code="port-in-use",
        )
    if error.errno == EADDRNOTAVAIL:
        return LocalError(
            f"{endpoint.host} is no address of this machine. Choose one that is, or 127.0.0.1.",
            code="bad-address",
        )
    return LocalError(f"{endpoint} cannot be listened on: {error.strerror or error}.", code="bad-address")
