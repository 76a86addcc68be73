"""Which ICE candidates may be used, by what their attribute says (RFC 8839)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from p4.core.policy import Policy

__all__ = ["any_candidate", "candidate_filter", "is_local", "is_no_relay", "keep_candidates"]

_PREFIX = "a=candidate:"


def any_candidate(candidate: str) -> bool:
    """Every candidate may be used."""
    return bool(candidate)


def is_no_relay(candidate: str) -> bool:
    """Not an address of a TURN server."""
    words = candidate.split()
    return len(words) > 7 and words[7] != "relay"


def is_local(candidate: str) -> bool:
    """A device's own address that reaches no further than a local network (RFC 1918, RFC 4193, RFC 4291)."""
    words = candidate.split()
    if len(words) < 8 or words[7] != "host":
        return False
    try:
        address = ipaddress.ip_address(words[4])
    except ValueError:
        return False
    return address.is_private or address.is_link_local


def candidate_filter(policy: Policy, *, relays: bool) -> Callable[[str], bool]:
    """What a link under a policy may use, of both sides' candidates.

    Args:
        relays: whether TURN servers may be used where the policy lets them.
    """
    if policy is Policy.LAN_ONLY:
        return is_local
    if policy is Policy.DIRECT and not relays:
        return is_no_relay
    return any_candidate


def keep_candidates(sdp: str, wanted: Callable[[str], bool]) -> str:
    """A description without the candidates that may not be used.

    Args:
        wanted: given the value of an attribute, ``candidate:…``.
    """
    if wanted is any_candidate:
        return sdp
    lines = sdp.splitlines()
    kept = [line for line in lines if not line.startswith(_PREFIX) or wanted(line[2:])]
    return "\r\n".join([*kept, ""])
