"""Whether the configured TURN servers really give us a relay."""

from __future__ import annotations

import asyncio
import time

from p4.adapters.net.turn.allocation import try_allocation
from p4.core.ice import TurnServer
from p4.diagnosis.finding import Check, Finding, Level, Patient
from p4.errors import UnreachableError

__all__ = ["CHECK"]

ANSWER_SECONDS = 6.0

_ADVICE = {
    "turn-login": "Compare user name and password (or the secret) with the server's configuration. "
    "Credentials made from a secret also fail if this machine's clock, or the server's, is wrong.",
    "turn-wants-login": "Give it: --turn-username with --turn-password, or --turn-secret.",
    "turn-name": "Check the spelling of its name, and this network's name server.",
    "turn-certificate": "Renew the certificate, or use a name that it is made out to. wrtc accepts only "
    "public authorities.",
    "turn-silent": "Check its address and port, and whether a firewall is in between; TLS on port 443 "
    "passes most.",
    "turn-closed": "Check its address and port, and that the server runs.",
    "turn-refused": "Ask who runs the server.",
}


async def _look(patient: Patient) -> list[Finding]:
    servers = patient.options.ice.turn
    if not servers:
        text = "No TURN server is configured. Most contacts are reached without; two difficult NATs need one."
        return [Finding("turn", Level.OK, text)]
    return list(await asyncio.gather(*map(_try, servers)))


async def _try(server: TurnServer) -> Finding:
    try:
        found = await try_allocation(server.address, server.credentials(time.time()), timeout=ANSWER_SECONDS)
    except UnreachableError as error:
        return Finding("turn", Level.BAD, error.message, _ADVICE.get(error.code or "", ""))
    text = f"{server.address.text} gave a relay ({found.relayed[0]}) within {found.seconds * 1000:.0f} ms."
    return Finding("turn", Level.OK, text)


CHECK = Check("turn", _look, 10.0)
