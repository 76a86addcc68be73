"""A real local network: a bridge between network namespaces, each of them a machine."""

from __future__ import annotations

from contextlib import ExitStack

from tests.adapters.net.namespaces import NetworkNamespace, network_namespace

__all__ = ["LocalNetwork"]


class LocalNetwork:
    """A switch and the machines at it."""

    def __init__(self, held: ExitStack) -> None:
        self._held = held
        self.switch = held.enter_context(network_namespace())
        self.switch.ip("link", "add", "lan", "type", "bridge", "mcast_snooping", "0")
        self.switch.ip("link", "set", "lan", "up")
        self._count = 0

    def machine(self, *, ipv4: bool = True, ipv6: bool = True) -> NetworkNamespace:
        """Another machine, 192.168.77.N and fd77::N, counted from 1."""
        self._count += 1
        machine = self._held.enter_context(network_namespace())
        accept_at_once = "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0"
        machine.run("sysctl", "-qw", *accept_at_once, f"net.ipv6.conf.default.disable_ipv6={int(not ipv6)}")
        port = f"port{self._count}"
        self.switch.ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", machine.name)
        self.switch.ip("link", "set", port, "master", "lan", "up")
        machine.ip("link", "set", "eth0", "up")
        if ipv4:
            machine.ip("address", "add", f"192.168.77.{self._count}/24", "dev", "eth0")
        if ipv6:
            machine.ip("address", "add", f"fd77::{self._count}/64", "dev", "eth0")
        return machine
