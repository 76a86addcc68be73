"""Whether a router opens ports for us."""

from __future__ import annotations

import asyncio
import socket

from p4.adapters.net.mapping.mapper import RouterPortMapper
from p4.diagnosis.finding import Check, Finding, Level, Patient
from p4.diagnosis.nat import has_network
from p4.ports.mapping import LocalPort, PortProtocol

__all__ = ["CHECK"]

ANSWER_SECONDS = 6.0
"""PCP and NAT-PMP answer in milliseconds; a UPnP device may take 3 s to be found and one to be asked."""


async def _look(patient: Patient) -> list[Finding]:
    if not has_network():
        return [Finding("port mapping", Level.WARN, "Not examined: this machine is offline.")]
    mapper, granted = RouterPortMapper(), asyncio.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        ours.bind(("0.0.0.0", 0))  # noqa: S104 - a port to ask for; nobody reads what arrives on it
        try:
            wanted = LocalPort(PortProtocol.UDP, ours.getsockname()[1])
            await mapper.start([wanted], lambda mappings: granted.set() if mappings else None)
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await granted.wait()
            except TimeoutError:
                advice = "Not needed with a friendly NAT. Else: switch on UPnP, NAT-PMP or PCP in the router."
                return [Finding("port mapping", Level.OK, mapper.detail, advice)]
            mapping = min(mapper.mappings, key=str)
            if mapping.external_host is None:
                text = (
                    f"The router opens ports ({mapping.method.value}), but it does not stand at the internet "
                    "itself: there is another NAT before it."
                )
                return [Finding("port mapping", Level.OK, text)]
            where = f"({mapping.method.value}), at {mapping.external_host}"
            text = f"The router opens ports for this machine {where}."
            return [Finding("port mapping", Level.OK, text)]
        finally:
            await mapper.close()


CHECK = Check("port mapping", _look, 9.0)
