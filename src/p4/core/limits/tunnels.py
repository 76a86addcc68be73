"""Forwarded ports and pipes (spec/forward.md)."""

from __future__ import annotations

__all__ = [
    "PIPE_NAME_BYTES",
    "PIPE_PAUSE_SECONDS",
    "PIPE_READ_BYTES",
    "PIPE_SYNC_BYTES",
    "TUNNELS",
    "TUNNEL_ACCEPT_SECONDS",
    "TUNNEL_ASK_SECONDS",
    "TUNNEL_AWAY_SECONDS",
    "TUNNEL_BUFFER_BYTES",
    "TUNNEL_CONNECT_SECONDS",
    "TUNNEL_DATAGRAM_BYTES",
    "TUNNEL_FIGURES_SECONDS",
    "TUNNEL_HEADER_BYTES",
    "TUNNEL_NAME_BYTES",
    "TUNNEL_SOURCES",
    "TUNNEL_SOURCE_SECONDS",
]

TUNNEL_NAME_BYTES = 54
"""Longest name of a served port: with ``udp-reply.`` before it, it is the name of a service."""

TUNNEL_HEADER_BYTES = 4
"""Before the bytes of a UDP packet: which source it came from, or goes back to."""

TUNNEL_DATAGRAM_BYTES = 1096
"""Longest UDP packet that is carried: `DATAGRAM_BYTES` less the header."""

TUNNEL_SOURCES = 256
"""UDP sources at a time, of a forward and of a contact at a served port; then the longest silent goes."""

TUNNEL_SOURCE_SECONDS = 300.0
"""A UDP source that is silent for so long is forgotten (RFC 4787, section 4.3, recommends this time)."""

TUNNEL_BUFFER_BYTES = 256 * 1024
"""Bytes of one TCP connection in memory, each way, before the side that sends has to wait."""

TUNNEL_CONNECT_SECONDS = 10.0
"""How long the program behind a served port may take to accept a connection."""

TUNNEL_ACCEPT_SECONDS = 30.0
"""How long a connection waits for the contact to accept it: a link that is being renewed is back by then."""

TUNNEL_ASK_SECONDS = 0.5
"""A contact that has not accepted a connection by then is asked whether it serves the port at all."""

TUNNEL_AWAY_SECONDS = 12 * 3600.0
"""Connections with a contact that is away for so long end: a laptop that slept over night keeps its own."""

TUNNELS = 256
"""Forwards and served ports at a time."""

TUNNEL_FIGURES_SECONDS = 1.0
"""Figures of a forward that change are told this often."""

PIPE_NAME_BYTES = 59
"""Longest name of a pipe: with ``pipe.`` before it, it is the name of a service."""

PIPE_READ_BYTES = 64 * 1024
"""Read from a pipe's input at a time."""

PIPE_SYNC_BYTES = 1024 * 1024
"""Given to a pipe's output before it is brought to the disk and confirmed, if no pause comes first."""

PIPE_PAUSE_SECONDS = 0.05
"""A pause of what arrives that is long enough for that."""
