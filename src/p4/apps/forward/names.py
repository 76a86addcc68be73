"""How people write what is forwarded where: ports, served names, contacts (spec/forward.md)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from p4.core import limits
from p4.errors import InputError

__all__ = [
    "LOOPBACK",
    "Endpoint",
    "parse_endpoint",
    "parse_far_end",
    "reply_service",
    "require_name",
    "service_of",
]

LOOPBACK = "127.0.0.1"
"""Where forwards listen and served ports are, if nothing else is said: this machine, and nobody else's."""

_NAME = re.compile(rf"[a-z0-9_-]{{1,{limits.TUNNEL_NAME_BYTES}}}")
_HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host, by name or address, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_endpoint(text: str, *, least: int = 1) -> Endpoint:
    """``8123``, ``192.168.1.5:80``, ``printer.lan:631`` or ``[::1]:22``; without a host this machine.

    Args:
        least: lowest port; 0 where the system may choose one.

    Raises:
        InputError: ``bad-port``.
    """
    host, separator, digits = text.strip().rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise _bad_port(text)
    if separator and not host:
        raise _bad_port(text)
    if not (digits.isascii() and digits.isdigit() and least <= int(digits) <= _HIGHEST_PORT):
        raise _bad_port(text)
    return Endpoint(host or LOOPBACK, int(digits))


def parse_far_end(text: str) -> tuple[str, str]:
    """``laptop:web`` or ``laptop:8123``: a contact, and the name under which it serves a port.

    Raises:
        InputError: ``bad-target``, ``bad-name``.
    """
    contact, _, name = text.rpartition(":")
    if not contact:
        raise InputError(
            f"{text!r} names no contact. Write it as laptop:8123, or laptop:web. Nothing was done.",
            code="bad-target",
        )
    return contact, require_name(name)


def require_name(name: str) -> str:
    """The name, if a port may be served under it. Raises InputError ``bad-name``."""
    if _NAME.fullmatch(name):
        return name
    raise InputError(
        f"A port cannot be served as {name!r}: a name has 1 to {limits.TUNNEL_NAME_BYTES} small letters, "
        "digits, _ and -. Nothing was done.",
        code="bad-name",
    )


def service_of(protocol: str, name: str) -> str:
    """The service under which a port is served: ``tcp.web``."""
    return f"{protocol}.{name}"


def reply_service(name: str) -> str:
    """The service of the forwarding device to which answers to UDP packets come back."""
    return f"udp-reply.{name}"


def _bad_port(text: str) -> InputError:
    return InputError(
        f"{text!r} is no port. Write 8123, or HOST:PORT such as 192.168.1.5:80 or [::1]:22. "
        "Nothing was done.",
        code="bad-port",
    )
