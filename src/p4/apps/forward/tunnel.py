"""What a forward or a served port is, and what is known of it while it runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from p4.apps.forward.names import Endpoint, reply_service, service_of

__all__ = ["Figures", "Kind", "Protocol", "Tunnel", "TunnelState"]


class Kind(StrEnum):
    """Which end of a tunnel this device has."""

    FORWARD = "forward"
    """Listens here and leads to a contact's port."""
    SERVE = "serve"
    """Offers a port to contacts."""


class Protocol(StrEnum):
    """What it carries."""

    TCP = "tcp"
    UDP = "udp"


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A forward or a served port, as somebody asked for it.

    Args:
        id: short and random; for `remove`.
        name: under which the port is served, on whichever device.
        endpoint: of a forward, where it listens (port 0: any); of a served port, what is reached.
        contact: of a forward, the id of the contact; empty for a served port.
        kept: whether it is there again after the next start.
        granted: ids of contacts whose right to use it was given with it, and goes with it.
    """

    id: str
    kind: Kind
    protocol: Protocol
    name: str
    endpoint: Endpoint
    contact: str = ""
    kept: bool = False
    granted: tuple[str, ...] = ()

    @property
    def service(self) -> str:
        """The service that carries it, on the device that serves: ``tcp.web``."""
        return service_of(self.protocol, self.name)

    @property
    def grant(self) -> str:
        """What the other side must be allowed here for it: the service, or to answer packets."""
        return self.service if self.kind is Kind.SERVE else reply_service(self.name)


@dataclass(slots=True)
class Figures:
    """What a tunnel has carried since it began. ``sent`` is towards contacts, ``received`` from them."""

    open: int = 0
    """TCP connections, or UDP sources, at present."""
    connections: int = 0
    """All so far, those that were refused too."""
    refused: int = 0
    """Connections that came to nothing."""
    sent: int = 0
    """Bytes."""
    received: int = 0
    """Bytes."""
    packets_sent: int = 0
    """UDP packets."""
    packets_received: int = 0
    """UDP packets."""
    too_large: int = 0
    """UDP packets that were dropped because a datagram cannot hold them."""
    dropped: int = 0
    """UDP packets that were dropped for any other reason: no link, a busy one, a silent target."""


@dataclass(frozen=True, slots=True)
class TunnelState:
    """A tunnel and how it is."""

    tunnel: Tunnel
    figures: Figures
    listening: Endpoint | None = None
    """Where a forward listens; None for a served port, or while it does not."""
    problem: str = ""
    """The latest thing that went wrong, as a sentence; empty if nothing has since it began."""
    contact_name: str = ""
    """What our user calls the contact of a forward."""
    allowed: tuple[str, ...] = field(default=())
    """Names of the contacts that may use a served port."""

    def as_json(self) -> dict[str, Any]:
        """For the API: plain values."""
        tunnel = self.tunnel
        contact = {"id": tunnel.contact, "name": self.contact_name} if tunnel.contact else None
        return {
            "id": tunnel.id,
            "kind": tunnel.kind.value,
            "protocol": tunnel.protocol.value,
            "name": tunnel.name,
            "service": tunnel.service,
            "contact": contact,
            "host": tunnel.endpoint.host,
            "port": self.listening.port if self.listening else tunnel.endpoint.port,
            "active": self.listening is not None or tunnel.kind is Kind.SERVE,
            "kept": tunnel.kept,
            "allowed": list(self.allowed),
            "problem": self.problem,
            "figures": asdict(self.figures),
        }
