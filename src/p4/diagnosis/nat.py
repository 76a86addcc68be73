"""Addresses, the kind of NAT, and the STUN servers: one probe answers all three."""

from __future__ import annotations

import socket

from p4.adapters.net.stun.classify import Filtering, Mapping, PathFinding
from p4.adapters.net.stun.nat import own_address, probe_nat
from p4.diagnosis.finding import Check, Finding, Level, Patient

__all__ = ["CHECK", "has_network", "path_findings"]

ANSWER_SECONDS = 2.0
"""Patience with a STUN server; silence is asked about up to four times this long."""

_ANYWHERE = {socket.AF_INET: ("192.0.2.1", 9), socket.AF_INET6: ("2001:db8::1", 9)}


def has_network() -> bool:
    """Whether this machine has an address that leads anywhere. Asks nobody."""
    return any(own_address(server, family) is not None for family, server in _ANYWHERE.items())


async def _look(patient: Patient) -> list[Finding]:
    servers = patient.options.ice.stun
    if not has_network():
        return [
            Finding(
                "network",
                Level.BAD,
                "This machine has no address that leads anywhere: it is offline.",
                "Connect it to a network. What you send meanwhile waits on disk.",
            )
        ]
    if not servers:
        text = "No STUN server is configured, so nothing beyond the local network was examined."
        return [Finding("nat", Level.WARN, text, "Name one: --stun-server stun:HOST:PORT")]
    found = await probe_nat(servers, timeout=ANSWER_SECONDS)
    findings = path_findings(found.ipv4) + path_findings(found.ipv6)
    if {found.ipv4.mapping, found.ipv6.mapping} <= {Mapping.UNASKED, Mapping.ABSENT}:
        text = (
            f"No address of {' or '.join(servers)} could be found: the name server knows none or is silent."
        )
        advice = (
            "See whether other programs reach the internet; check the spelling, or try another STUN server."
        )
        return [*findings, Finding("stun", Level.WARN, text, advice)]
    for server in servers:
        answered = server in found.ipv4.answered or server in found.ipv6.answered
        findings.append(
            Finding("stun", Level.OK, f"{server} answers.")
            if answered
            else Finding(
                "stun",
                Level.WARN,
                f"{server} does not answer.",
                "If other programs reach the internet, UDP is blocked here or the server is down; try "
                "another (--stun-server). Behind a firewall without UDP a TURN server over TLS is needed.",
            )
        )
    return findings


def path_findings(path: PathFinding) -> list[Finding]:
    """What was found over one address family, in words."""
    subject = f"ipv{path.family}"
    text, advice, level = path.sentence, "", Level.OK
    if path.mapping.is_dependent:
        level = Level.WARN
        advice = "Switch on UPnP or PCP in the router, use IPv6, or configure a TURN server (--turn-server)."
    elif path.mapping is Mapping.BLOCKED:
        level = Level.WARN
        advice = "Try another network, or configure a TURN server over TLS (--turn-server turns:HOST:PORT)."
    if path.local is not None:
        text += f" Own address {path.local[0]}"
        outer = dict.fromkeys(address for address, _ in path.external if address != path.local[0])
        text += f", seen from outside as {', '.join(outer)}." if outer else "."
    if path.filtering is not Filtering.UNKNOWN:
        text += f" Its filtering is {path.filtering.value}."
    return [Finding(subject, level, text, advice)]


CHECK = Check("nat", _look, 14.0)
