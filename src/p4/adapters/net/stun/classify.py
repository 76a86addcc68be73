"""What answers of STUN servers say about a NAT, in the terms of RFC 4787. Pure.

A NAT's *mapping* decides which outer port a socket gets towards each destination: the same for all of
them (endpoint-independent) lets a peer use what a STUN server saw. Its *filtering* decides whose packets
come in through that port.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from p4.adapters.net.stun.codec import Address

__all__ = ["Filtering", "Mapping", "NatFinding", "PathFinding", "Seen", "port_step", "seen_mapping"]


class Mapping(StrEnum):
    """How outer ports are given (RFC 4787 section 4.1), or why that is not known."""

    ABSENT = "absent"
    """This machine has no address of the family that leads anywhere."""
    UNASKED = "not-asked"
    """None of the servers has an address of the family, or their names are not known here."""
    BLOCKED = "blocked"
    """No server answered: UDP does not pass, or all of them are down."""
    UNTRANSLATED = "no-nat"
    """Servers see our own address."""
    UNKNOWN = "unknown"
    """There is a NAT, and only one address answered: no comparison."""
    INDEPENDENT = "endpoint-independent"
    """One outer port for all destinations: peers can reach it by hole punching."""
    ADDRESS_DEPENDENT = "address-dependent"
    """Another outer port for each destination address."""
    PORT_DEPENDENT = "address-and-port-dependent"
    """Another outer port for each destination ("symmetric"). Also where the last two cannot be told apart."""

    @property
    def is_dependent(self) -> bool:
        """Whether a peer meets another port than the one that a STUN server saw."""
        return self in {Mapping.ADDRESS_DEPENDENT, Mapping.PORT_DEPENDENT}


class Filtering(StrEnum):
    """Whose packets come in (RFC 4787 section 5)."""

    UNKNOWN = "unknown"
    """No server with two addresses (RFC 5780) answered."""
    INDEPENDENT = "endpoint-independent"
    """Everybody's, once we sent anything from the port."""
    ADDRESS_DEPENDENT = "address-dependent"
    """Those from addresses that we sent to."""
    PORT_DEPENDENT = "address-and-port-dependent"
    """Only those from exactly where we sent to ("port-restricted")."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One observation."""

    server: Address
    own: Address
    """Where our packets to this server leave from; a machine with several addresses has several."""
    mapped: Address
    """Where the server saw them come from."""


@dataclass(frozen=True, slots=True)
class PathFinding:
    """What was found over one address family."""

    family: int
    """4 or 6."""
    mapping: Mapping
    filtering: Filtering = Filtering.UNKNOWN
    local: Address | None = None
    """Our own address towards the servers, and the port that was examined."""
    external: tuple[Address, ...] = ()
    """The different outer addresses that were seen, in the order in which they were made."""
    port_preserved: bool | None = None
    """Whether the NAT kept our own port towards the first server; None without NAT."""
    port_step: int | None = None
    """The constant distance of ports given one after the other; None without one, or if too few were seen."""
    answered: tuple[str, ...] = ()
    """Servers that answered, as they were given."""
    silent: tuple[str, ...] = ()
    """Servers that did not, or that have no address of this family."""

    @property
    def sentence(self) -> str:
        """For a person: what it is, what it means, what to do."""
        name = f"IPv{self.family}"
        match self.mapping:
            case Mapping.ABSENT:
                return f"This network gives this machine no {name}."
            case Mapping.UNASKED:
                return f"No STUN server with an {name} address is known, so {name} was not examined."
            case Mapping.BLOCKED:
                return (
                    f"No STUN server answered over {name}: this network lets no UDP through, or the servers "
                    "are down. Direct paths may fail here; a TURN server over TCP or TLS would still work."
                )
            case Mapping.UNTRANSLATED:
                return f"Over {name} servers see this machine's own address: there is no NAT on the way."
            case Mapping.UNKNOWN:
                return (
                    f"There is a NAT on the way over {name}. Only one server address answered, so its kind "
                    "is not known; name a second STUN server to learn it."
                )
            case Mapping.INDEPENDENT:
                return f"The NAT on the way over {name} is friendly: direct paths to nearly everybody open."
        return (
            f"The NAT on the way over {name} gives another port for each destination (symmetric): paths to "
            "contacts behind a friendly NAT open by guessing ports; towards another of this kind IPv6, a "
            "port mapping or a TURN server is needed."
        )


@dataclass(frozen=True, slots=True)
class NatFinding:
    """What stands between this machine and the internet, as far as STUN shows it."""

    ipv4: PathFinding
    ipv6: PathFinding

    @property
    def udp_blocked(self) -> bool:
        """Whether no server answered at all."""
        return not self.ipv4.answered and not self.ipv6.answered

    @property
    def sentence(self) -> str:
        """For a person; what works comes first."""
        families = [self.ipv4, self.ipv6]
        families.sort(key=lambda each: not each.answered)
        return " ".join(each.sentence for each in families)


def seen_mapping(seen: Sequence[Seen]) -> Mapping:
    """Judge the mapping by what several servers saw of one socket, in the order in which they were asked."""
    if not seen:
        return Mapping.BLOCKED
    if all(each.own == each.mapped for each in seen):
        return Mapping.UNTRANSLATED
    towards: defaultdict[str, dict[Address, Address]] = defaultdict(dict)
    for each in seen:
        towards[each.server[0]][each.server] = each.mapped
    if len({each.mapped for each in seen}) == 1:
        # Two ports of one address would also look alike behind an address-dependent mapping.
        return Mapping.INDEPENDENT if len(towards) > 1 else Mapping.UNKNOWN
    several = [set(mapped.values()) for mapped in towards.values() if len(mapped) > 1]
    if several and all(len(mapped) == 1 for mapped in several):
        return Mapping.ADDRESS_DEPENDENT
    return Mapping.PORT_DEPENDENT


def port_step(ports: Sequence[int]) -> int | None:
    """The constant distance of three or more ports, in the order in which they were given, or None."""
    steps = {after - before for before, after in pairwise(ports)}
    if len(ports) < 3 or len(steps) != 1 or steps == {0}:
        return None
    return steps.pop()
