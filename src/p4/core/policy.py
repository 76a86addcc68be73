"""Which paths to a contact may be used (spec/signaling.md, Ways to a contact)."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Policy"]


class Policy(StrEnum):
    """What a contact may learn about our addresses, chosen per contact."""

    DIRECT = "direct"
    """Any path; the contact sees the addresses of this device. The default."""
    RELAY_ONLY = "relay-only"
    """Only over TURN servers, and signaling only over the address of its invite: it sees none of ours."""
    LAN_ONLY = "lan-only"
    """Only within a local network: nothing is asked of servers in the Internet."""
