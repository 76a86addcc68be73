"""How the reference programs are started in the laboratory."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from tests.integration.nat.meeting import Meeting
from tests.integration.nat.networks import Host
from tests.integration.nat.node_process import NodeProcess
from tests.integration.nat.node_program import Settings
from tests.integration.nat.world import World

__all__ = ["aiortc_meeting", "iroh_meeting"]

_PORT = 9000
_PLACE = "tests.integration.nat.peers"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The settings of both programs; each takes what it needs."""

    calls: bool
    state: str = ""
    stun: tuple[str, ...] = ()
    signaling: str = ""
    listen: str = ""
    address: str = ""


def aiortc_meeting(
    world: World, one: tuple[Host, Settings], other: tuple[Host, Settings], late: float
) -> Meeting:
    """Two plain `aiortc` peers on the hosts of two nodes; nothing else of the nodes' settings is used."""
    path = str(world.directory / f"{one[0].namespace.name}.socket")
    program = (sys.executable, "-m", f"{_PLACE}.aiortc_program")
    chosen = Chosen(calls=True, stun=(world.turn.stun,), signaling=path)
    return _meeting(world, program, (one[0], chosen), (other[0], replace(chosen, calls=False)), late)


def iroh_meeting(
    python: Path, world: World, one: tuple[Host, Settings], other: tuple[Host, Settings], late: float
) -> Meeting:
    """Two plain `iroh` peers; the other one's router leads a UDP port to it, as there is no relay.

    Args:
        python: an interpreter that has ``iroh``.
        world: where.
        one: who calls.
        other: who is called.
        late: see `Meeting`.
    """
    network = other[0].attachment().network
    network.forward_port(_PORT, other[0], protocol="udp")
    chosen = Chosen(calls=True, listen=f"0.0.0.0:{_PORT}", address=f"{network.external}:{_PORT}")
    program = (str(python), "-m", f"{_PLACE}.iroh_program")
    return _meeting(world, program, (one[0], chosen), (other[0], replace(chosen, calls=False)), late)


def _meeting(
    world: World, program: tuple[str, ...], one: tuple[Host, Chosen], other: tuple[Host, Chosen], late: float
) -> Meeting:
    nodes = [
        NodeProcess(host, world.directory / host.namespace.name, chosen, program=program)
        for host, chosen in (one, other)
    ]
    return Meeting(*nodes, late=late, keeps=False)
