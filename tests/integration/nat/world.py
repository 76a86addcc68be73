"""The internet that most tests share, and two nodes in it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.integration.nat.laboratory import Laboratory
from tests.integration.nat.meeting import Meeting
from tests.integration.nat.networks import Host, Network
from tests.integration.nat.node_process import NodeProcess, node_settings
from tests.integration.nat.node_program import Settings
from tests.integration.nat.turn import Turn

from p4.testing.tor_network import PrivateTorNetwork, RelayPlace

__all__ = ["World", "tor_in"]

_SIGNAL_PORT = 7000
_RELAYS = 4


@dataclass
class World:
    """A laboratory with a server, STUN and TURN; each test builds its own networks in it.

    Args:
        laboratory: where everything is.
        server: a computer with public addresses, where coturn runs.
        turn: that coturn.
        directory: for the states and logs of nodes; a new one for each test.
    """

    laboratory: Laboratory
    server: Host
    turn: Turn
    directory: Path
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def direct(self, host: Host, **fields: Any) -> Settings:
        """Settings of a node that is dialled over TCP, at a forwarded port of its router or its own address.

        The address stays what it is now: after the router has another one, or the host has roamed, others
        dial in vain and only the host's own dialling helps.

        Args:
            host: where it will run.
            fields: as for `node_settings`.
        """
        network: Network = host.attachment().network
        port = _SIGNAL_PORT + next(self._numbers)
        if network.kind.routed:
            address = host.address
        else:
            address = network.external
            network.forward_port(port, host)
        place = {"transport": "direct", "signal_port": port, "advertise": (str(address), port)}
        return node_settings(**{"stun": self.turn.stuns, **place, **fields})

    def at_port(self, settings: Settings, port: int) -> Settings:
        """The same settings, with another port of the same address for others to dial."""
        assert settings.advertise is not None
        return replace(settings, advertise=(settings.advertise[0], port))

    def local(self, host: Host, **fields: Any) -> Settings:
        """Settings of a node that is dialled at its own address, from within its network; no STUN.

        Args:
            host: where it will run.
            fields: as for `node_settings`.
        """
        port = _SIGNAL_PORT + next(self._numbers)
        place = {"transport": "direct", "signal_port": port, "advertise": (str(host.address), port)}
        return node_settings(**{**place, **fields})

    def onion(self, tor: PrivateTorNetwork, **fields: Any) -> Settings:
        """Settings of a node that is dialled through the simulated internet's Tor network.

        Args:
            tor: from `tor_in`.
            fields: as for `node_settings`.
        """
        return node_settings(**{"stun": self.turn.stuns, "torrc_lines": tor.client_torrc_lines, **fields})

    def node(
        self, host: Host, settings: Settings, environment: Mapping[str, str] | None = None
    ) -> NodeProcess:
        """A node on a host, not running yet."""
        directory = self.directory / f"{host.name}-{next(self._numbers)}"
        return NodeProcess(host, directory, settings, environment)

    def meeting(
        self, one: tuple[Host, Settings], other: tuple[Host, Settings], *, late: float = 0.3
    ) -> Meeting:
        """A meeting of two nodes on two hosts."""
        return Meeting(self.node(*one), self.node(*other), late=late)


def tor_in(laboratory: Laboratory, directory: Path) -> PrivateTorNetwork:
    """A private Tor network, not running yet, each relay with an address and a line of its own.

    So each hop takes 40 ms, as between the homes. Relays listen on port 443, which every firewall lets out.
    """
    hosts = [laboratory.server(f"relay{number}", ipv6=False) for number in range(_RELAYS)]
    places = [RelayPlace(str(host.address), host.namespace.command, 443) for host in hosts]
    return PrivateTorNetwork(directory, places=places)
