"""STUN and TURN servers and their credentials (spec/signaling.md, RFC 8489, RFC 8656)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT_STUN", "IceSettings", "TurnServer"]

DEFAULT_STUN = "stun:stun.l.google.com:19302"


@dataclass(frozen=True, slots=True)
class TurnServer:
    """One TURN server."""

    url: str
    username: str = ""
    password: str = ""
    secret: str = ""
    user: str = "p4"
    ttl_seconds: int = 3600


@dataclass(frozen=True, slots=True)
class IceSettings:
    """The servers that a link may use."""

    stun: tuple[str, ...] = (DEFAULT_STUN,)
    turn: tuple[TurnServer, ...] = ()
