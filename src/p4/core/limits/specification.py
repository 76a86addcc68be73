"""What both sides depend on, and what is believed of envelopes (spec/envelope.md)."""

from __future__ import annotations

# --- specification --------------------------------------------------------------------------------

PROTOCOL_VERSION = 1
"""``protocol_version`` of every envelope; version 2 announces itself in the payload (spec/envelope.md)."""

SIGNALING_LINE_BYTES = 64 * 1024
"""Longest signaling line including its newline; v1 reads no more (spec/signaling.md)."""

NONCE_BYTES = 16
"""Length of an envelope's nonce before hex coding (spec/envelope.md)."""

SAFE_INTEGER = 2**53 - 1
"""Largest integer magnitude that RFC 8785 can represent exactly; larger ones are refused."""

V1_REPLY_SECONDS = 25.0
"""How long a v1 dialler waits for a reply, and how long it may hold its lock (spec/signaling.md)."""

ONION_PORT = 80
"""Virtual port of every P4 onion service (spec/invite.md)."""

# --- envelopes and replay -------------------------------------------------------------------------

MAX_SKEW_MS = 24 * 60 * 60 * 1000
"""Accepted difference of clocks. As wide as v1's: a device with a wrong clock still reconnects, and
the persisted replay window, not the clock, is what stops replays."""

REPLAY_NONCES = 4096
"""Nonces remembered per sender; beyond it the oldest go and everything as old as they is refused."""
