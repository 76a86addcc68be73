"""How the policy of a contact is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from p4.core.policy import Policy

if TYPE_CHECKING:
    from p4.core.identity import PeerId

__all__ = ["policy_line"]

_MEANING = {
    Policy.DIRECT: "any path; it sees the addresses of this device",
    Policy.RELAY_ONLY: "only over your TURN servers; it sees no address of this device",
    Policy.LAN_ONLY: "only within a local network",
}


def policy_line(peer_id: PeerId, policy: Policy) -> str:
    """One line for a person: which policy it is and what it means."""
    return f"{peer_id} policy={policy.value}: {_MEANING[policy]}"
