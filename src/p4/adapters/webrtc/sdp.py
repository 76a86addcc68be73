"""What a session description must look like before a library sees it.

A peer's SDP comes from outside, and the libraries would do more than we want with it: create audio
receivers, look up host names, probe any number of addresses. A P4 link is one data-channel section with
IP addresses in it.
"""

from __future__ import annotations

import ipaddress
import re

from p4.errors import LinkError

__all__ = [
    "CANDIDATES",
    "addresses_of",
    "candidates_of",
    "complete_description",
    "usable_candidate",
    "usable_description",
]

CANDIDATES = 100
"""Most candidates in a description. Each is an address that we shall send packets to."""


def usable_description(sdp: str, kind: str) -> str:
    """Accept one section, for data channels, with ICE credentials and a fingerprint; leave out host names.

    Browsers may hide their own addresses behind names that only multicast DNS resolves, and a peer
    could put any name there to learn who asks its name server. Both ends check each other's addresses
    anyway, so that a browser is found by the address its packets come from.

    Args:
        sdp: the peer's description.
        kind: ``offer`` or ``answer``, for the message.

    Returns:
        What may be given to a library.

    Raises:
        LinkError: code ``bad-sdp``.
    """
    lines = sdp.splitlines()
    media = [line for line in lines if line.startswith("m=")]
    candidates = [line for line in lines if line.startswith("a=candidate:")]
    if not sdp.startswith("v=0") or not sdp.isascii() or "\0" in sdp:
        reason = "it is not a session description"
    elif len(media) != 1 or not re.match(r"m=application [1-9]", media[0]):
        reason = "it must describe exactly one section, for data channels"
    elif not _has(lines, "a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:"):
        reason = "it lacks ICE credentials or a fingerprint"
    elif len(candidates) > CANDIDATES:
        reason = f"it names more than {CANDIDATES} candidates"
    else:
        named = {line for line in candidates if not _is_address(line)}
        if named:
            lines = [line for line in lines if line not in named]
        if named >= set(candidates):
            # aioice takes the end of no candidates for the end of the whole connection.
            lines = [line for line in lines if line != "a=end-of-candidates"]
        return "\r\n".join([*lines, ""])
    raise LinkError(f"The other side's {kind} cannot be used: {reason}.", code="bad-sdp")


def candidates_of(sdp: str) -> set[str]:
    """The candidates in a description, as values of their attributes: ``candidate:…``."""
    return {line[2:] for line in sdp.splitlines() if line.startswith("a=candidate:")}


def addresses_of(candidates: set[str]) -> set[str]:
    """The addresses of this machine among our candidates, in canonical form."""
    hosts = (candidate.split() for candidate in candidates)
    return {str(ipaddress.ip_address(words[4])) for words in hosts if words[7:8] == ["host"]}


def usable_candidate(candidate: str) -> bool:
    """Whether a candidate of the peer may be given to a library: it names an address, not a host."""
    return candidate.startswith("candidate:") and candidate.isascii() and _is_address(candidate)


def complete_description(sdp: str, *, more: bool = False) -> str:
    """Make our description final: it has candidates, and says that no more will come (RFC 8840).

    Without the last line aiortc goes on waiting for more after all the known ones have failed.

    Args:
        more: others follow, so that it may still have none.

    Raises:
        LinkError: code ``gathering-failed``: not one candidate was found.
    """
    lines = [line for line in sdp.splitlines() if line != "a=end-of-candidates"]
    if more:
        return "\r\n".join([*lines, ""])
    if not _has(lines, "a=candidate:"):
        raise LinkError(
            "No address was found at which the other side could reach this machine. Is it connected to a "
            "network? If links may only use relays, the TURN servers did not answer or refused the log-in.",
            code="gathering-failed",
        )
    return "\r\n".join([*lines, "a=end-of-candidates", ""])


def _has(lines: list[str], *prefixes: str) -> bool:
    return all(any(line.startswith(prefix) for line in lines) for prefix in prefixes)


def _is_address(candidate: str) -> bool:
    words = candidate.split()
    try:
        ipaddress.ip_address(words[4])
    except (IndexError, ValueError):
        return False
    return True
