"""Fakes and laboratories for tests of P4 and of applications built on it (docs/api.md, "Testing").

An application needs `simulate`, `start_node` and what they give it; the rest is for tests of P4 itself.

- `run`, `VirtualTimeLoop`, `VirtualClock`, `SeededEntropy`: time that jumps, chance that repeats.
- `simulate`, `SimulatedNetwork`, `SimulatedHost`, `Conditions`, `Chaos`: hosts, paths and their faults.
- `SimulatedNode`, `start_node`: whole nodes on it, for tests of applications.
- `MemoryStore`, `MemoryDisk`: durable memory that a crash cuts short.
- `SimulatedMonitor`: tells of changed addresses and of sleep when the test says so; whole nodes get theirs
  from `SimulatedNetwork.move`.
- `SimulatedPortMapper`: a router that maps ports when the test says so.
- `PrivateTorNetwork`: a real Tor network that never leaves this machine.
"""

from __future__ import annotations

from p4.testing.chaos import Chaos
from p4.testing.memory_store import MemoryDisk, MemoryStore
from p4.testing.network import Conditions, CrashedError, SimulatedHost, SimulatedNetwork, simulate
from p4.testing.simulated_mapper import SimulatedPortMapper
from p4.testing.simulated_monitor import SimulatedMonitor
from p4.testing.simulated_node import SimulatedNode, simulated_identity, simulated_invite, start_node
from p4.testing.tor_network import PrivateTorNetwork
from p4.testing.virtual_time import SeededEntropy, VirtualClock, VirtualTimeError, VirtualTimeLoop, run

__all__ = [
    "Chaos",
    "Conditions",
    "CrashedError",
    "MemoryDisk",
    "MemoryStore",
    "PrivateTorNetwork",
    "SeededEntropy",
    "SimulatedHost",
    "SimulatedMonitor",
    "SimulatedNetwork",
    "SimulatedNode",
    "SimulatedPortMapper",
    "VirtualClock",
    "VirtualTimeError",
    "VirtualTimeLoop",
    "run",
    "simulate",
    "simulated_identity",
    "simulated_invite",
    "start_node",
]
