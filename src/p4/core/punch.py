"""Port guessing between a hard and an easy NAT: who does what, and when (spec/punch.md). Pure.

`p4.core.punch_plan` holds the two sides' behaviour as functions of time.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from p4.core import limits

__all__ = [
    "PACKET_BYTES",
    "NatNote",
    "PacketKind",
    "Packets",
    "Role",
    "RunLimit",
    "add_candidate",
    "bridge_candidate",
    "is_packet",
    "probe_ports",
    "punch_key",
    "role_between",
]

PACKET_BYTES = 18
"""Length of every packet."""

LOWEST_PORT = 1024
"""NATs give no lower outer ports to sockets that have none themselves (RFC 4787 REQ-3)."""

_FIRST_BYTE = 0xF4
_KEY_LABEL = b"P4 punch 1\0"
_PACKET_LABEL = b"P4 punch packet 1\0"
_TAG_BYTES = 16
_EASY_AT = re.compile(r"([0-9.]{7,15}):([1-9][0-9]{3,4})", re.ASCII)

_PRIORITY = 90 << 24 | 65535 << 8 | 255
"""By the formula of RFC 8445 section 5.1.2.1, below host (126), peer-reflexive (110) and server-reflexive
candidates (100) and above relayed ones (0): a path without the bridge is better, a relay is worse."""


class Role(StrEnum):
    """The side's part, and the kind of its NAT."""

    EASY = "easy"
    HARD = "hard"


class PacketKind(IntEnum):
    """The types of packets."""

    OPEN = 1
    PROBE = 2
    ANSWER = 3
    CHOSEN = 4
    HARD_KEEP = 5
    EASY_KEEP = 6

    @property
    def sender(self) -> Role:
        """The only side that sends it."""
        easy = {PacketKind.PROBE, PacketKind.CHOSEN, PacketKind.EASY_KEEP}
        return Role.EASY if self in easy else Role.HARD


@dataclass(frozen=True, slots=True)
class NatNote:
    """What a side announces about its NAT: the key ``nat`` of an announcement."""

    role: Role
    host: str
    """Outer IPv4 address in dotted decimal."""
    port: int = 0
    """Outer port of the socket kept open for the attempt; 0 for the hard side."""

    def to_object(self) -> dict[str, str]:
        """The JSON value."""
        at = f"{self.host}:{self.port}" if self.role is Role.EASY else self.host
        return {"kind": self.role.value, "at": at}

    @classmethod
    def parse(cls, value: object) -> NatNote | None:
        """Read the JSON value; None for everything that is not exactly of the form."""
        if not isinstance(value, Mapping):
            return None
        kind, at = value.get("kind"), value.get("at")
        if not isinstance(at, str) or not isinstance(kind, str):
            return None
        if kind == Role.HARD and _ipv4(at):
            return cls(Role.HARD, at)
        match = _EASY_AT.fullmatch(at)
        if kind == Role.EASY and match and _ipv4(match[1]) and LOWEST_PORT <= int(match[2]) <= 65535:
            return cls(Role.EASY, match[1], int(match[2]))
        return None


def role_between(ours: NatNote | None, theirs: NatNote | None) -> Role | None:
    """Our part in an attempt with the contact; None if there is none to make.

    A contact could name any address to have us send packets there: those that only our own network
    could reach are refused, unless the servers that we asked are in such a network themselves.
    """
    if ours is None or theirs is None or ours.role is theirs.role or ours.host == theirs.host:
        return None
    own, target = ipaddress.IPv4Address(ours.host), ipaddress.IPv4Address(theirs.host)
    if target.is_loopback or target.is_link_local or target.is_multicast or target.is_unspecified:
        return None
    if target.is_reserved or not (target.is_global or not own.is_global):
        return None
    return ours.role


def punch_key(offer_nonce: bytes, answer_nonce: bytes, session_id: str) -> bytes:
    """The 32-byte key of an attempt, from the announcements of a sealed offer and answer."""
    return hmac.digest(offer_nonce + answer_nonce, _KEY_LABEL + session_id.encode("ascii"), "sha256")


class Packets:
    """The packets of one attempt: there is one of each kind.

    Args:
        key: see `punch_key`.
    """

    def __init__(self, key: bytes) -> None:
        self._written = {kind: self._pack(key, kind) for kind in PacketKind}
        self._read = {data: kind for kind, data in self._written.items()}

    def write(self, kind: PacketKind) -> bytes:
        """The 18 bytes of a packet."""
        return self._written[kind]

    def read(self, data: bytes, sender: Role) -> PacketKind | None:
        """The kind of a packet from that side; None if it is none, or has another key's tag.

        That the look-up may take longer for some tags helps nobody: a guess costs a packet each.
        """
        kind = self._read.get(data)
        return kind if kind is not None and kind.sender is sender else None

    @staticmethod
    def _pack(key: bytes, kind: PacketKind) -> bytes:
        tag = hmac.digest(key, _PACKET_LABEL + bytes([kind]), "sha256")
        return bytes([_FIRST_BYTE, kind]) + tag[:_TAG_BYTES]


def is_packet(data: bytes | memoryview) -> bool:
    """Whether a datagram on the pair is for the bridge and not for the link."""
    return len(data) == PACKET_BYTES and data[0] == _FIRST_BYTE


def probe_ports(seed: bytes) -> Iterator[int]:
    """All ports from `LOWEST_PORT` to 65535, each once, in an order that the seed decides."""
    moved: dict[int, int] = {}
    count = 65536 - LOWEST_PORT
    # The walk of Fisher and Yates, with a dictionary in place of an array: only a few ports are ever taken.
    for position in range(count):
        if position % 8 == 0:
            block = hashlib.sha256(seed + b"ports" + position.to_bytes(4, "big")).digest()
        at = position % 8 * 4
        other = position + int.from_bytes(block[at : at + 4], "big") % (count - position)
        yield LOWEST_PORT + moved.get(other, other)
        moved[other] = moved.pop(position, position)


class RunLimit:
    """Remembers when attempts with contacts were begun."""

    def __init__(self) -> None:
        self._begun: dict[str, list[float]] = {}

    def allows(self, contact: str, now: float) -> bool:
        """Whether an attempt with this contact may begin now (monotonic seconds)."""
        return len(self._counted(contact, now)) < limits.PUNCH_RUNS

    def begin(self, contact: str, now: float) -> bool:
        """Note that one begins, if it may."""
        if not self.allows(contact, now):
            return False
        counted = {who: self._counted(who, now) for who in self._begun}
        self._begun = {who: begun for who, begun in counted.items() if begun}
        self._begun.setdefault(contact, []).append(now)
        return True

    def _counted(self, contact: str, now: float) -> list[float]:
        return [when for when in self._begun.get(contact, ()) if now - when < limits.PUNCH_RUNS_SECONDS]


def bridge_candidate(host: str, port: int) -> str:
    """The candidate of a bridge, as an SDP attribute without ``a=`` (RFC 8839 section 5.1).

    Server-reflexive, because what is behind it is found through a NAT: a link over it is no link on the local
    network, although the address is our own.
    """
    return f"candidate:4004 1 udp {_PRIORITY} {host} {port} typ srflx raddr 0.0.0.0 rport 9"


def add_candidate(sdp: str, candidate: str) -> str:
    """Add a candidate to a description of one section, before the end of candidates if that is said."""
    end = "\r\n" if "\r\n" in sdp else "\n"
    lines = sdp.removesuffix("\n").removesuffix("\r").split(end)
    at = lines.index("a=end-of-candidates") if "a=end-of-candidates" in lines else len(lines)
    return end.join([*lines[:at], f"a={candidate}", *lines[at:], ""])


def _ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
