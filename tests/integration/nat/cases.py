"""What the recovery report measures: its sections and rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.integration.nat.events import Scene, scene
from tests.integration.nat.line import Conditions
from tests.integration.nat.networks import Host
from tests.integration.nat.node_program import Settings
from tests.integration.nat.peers.reference import aiortc_meeting, iroh_meeting
from tests.integration.nat.port_mapping import run_port_mapping
from tests.integration.nat.rules import Ipv6, NatKind
from tests.integration.nat.world import World

from p4.testing.tor_network import PrivateTorNetwork

__all__ = [
    "BESIDE",
    "QUICK",
    "TOR",
    "Case",
    "Connect",
    "Ground",
    "LongPath",
    "cases",
    "connects",
    "long_paths",
]

RATE = 4.0
"""Messages a second each way."""
GAP_RATE = 20.0
"""Where an interruption shorter than the pace of the messages is to be seen."""
SILENT_SECONDS = 3.0
"""Of a blackhole, of sleep."""

QUICK = "A quick way at hand"
TOR = "Tor alone"
BESIDE = "Beside others"

HOMES = (NatKind.PORT_RESTRICTED, NatKind.PORT_RESTRICTED)
HARD = (NatKind.SYMMETRIC, NatKind.PORT_RESTRICTED)


@dataclass
class Ground:
    """Where everything is measured."""

    world: World
    tor: PrivateTorNetwork | None = None
    iroh_python: Path | None = None
    """An interpreter that has ``iroh``."""

    def onion(self, host: Host, **fields: Any) -> Settings:
        """A node with Tor."""
        assert self.tor is not None
        return self.world.onion(self.tor, **fields)


Build = Callable[[Ground], AbstractAsyncContextManager[Scene]]


@dataclass(frozen=True, slots=True)
class Case:
    """Events that happen one after the other to one conversation."""

    section: str
    pair: str
    events: tuple[str, ...]
    build: Build = field(repr=False)
    share: float = 1.0
    """Of the runs asked for; there is at least one."""
    rate: float = RATE
    tor: bool = False

    @property
    def name(self) -> str:
        """What ``--only`` searches."""
        return f"{self.section}: {self.pair}: {', '.join(self.events)}"


@dataclass(frozen=True, slots=True)
class Connect:
    """A pair of NATs: how long the first link takes."""

    kinds: tuple[NatKind, NatKind]
    way: str = "direct"
    turn: bool = False

    @property
    def name(self) -> str:
        """What ``--only`` searches, and the row's first cell."""
        return f"{self.kinds[0].value} × {self.kinds[1].value}"


@dataclass(frozen=True, slots=True)
class LongPath:
    """A bad line: how long the first link takes, and what becomes of a conversation."""

    name: str
    conditions: Conditions
    """Of every network's line; a way goes over two."""


def cases(*, iroh: bool) -> list[Case]:
    """All events; those of `iroh` where it is there."""
    forwarded = "TCP port forwarded"
    found = [
        Case(
            QUICK,
            forwarded,
            ("one roams", "router reboot", "blackhole", "one sleeps", "one restarts"),
            _plain,
        ),
        Case(QUICK, forwarded, ("the other roams",), _plain),
        Case(QUICK, forwarded, ("renumber",), _plain, share=0.5),
        Case(QUICK, forwarded, ("make before break", "another network is preferred"), _plain, rate=GAP_RATE),
        Case(
            QUICK,
            "routers map ports on request",
            ("one roams", "the other roams"),
            _mapping,
            share=0.5,
            tor=True,
        ),
        Case(QUICK, "IPv6 without firewalls", ("one roams",), _six, share=0.5, tor=True),
        Case(
            QUICK,
            "a common contact",
            ("one roams", "both roam at once"),
            _common_contact,
            share=0.5,
            tor=True,
        ),
        Case(QUICK, "symmetric × home, TURN", ("one roams",), _relayed, share=0.5),
        Case(TOR, "homes", ("one roams", "both roam at once", "router reboot"), _onion, tor=True),
    ]
    reference = ("one roams", "blackhole")
    found.append(Case(BESIDE, "aiortc alone", reference, _aiortc, share=0.2))
    if iroh:
        found.append(Case(BESIDE, "iroh alone", reference, _iroh, share=0.2))
    return found


def connects() -> list[Connect]:
    """The pairs of NATs: with TCP signaling, so that the time is that of finding a path."""
    return [
        Connect((NatKind.NONE, NatKind.NONE)),
        Connect(HOMES),
        Connect((NatKind.SYMMETRIC, NatKind.ADDRESS_RESTRICTED)),
        Connect(HARD, way="direct, guessed ports"),
        Connect((NatKind.SYMMETRIC, NatKind.SYMMETRIC), way="TURN udp", turn=True),
        Connect((NatKind.UDP_BLOCKED, NatKind.PORT_RESTRICTED), way="TURN tcp", turn=True),
    ]


def long_paths() -> list[LongPath]:
    """The bad lines."""
    return [
        LongPath("round trip 1 s", Conditions(delay_ms=250)),
        LongPath("round trip 2 s", Conditions(delay_ms=500)),
        LongPath("30 % loss", Conditions(loss=1 - 0.7**0.5)),
    ]


# --- how the scenes are built ----------------------------------------------------------------------------


@asynccontextmanager
async def _plain(ground: Ground) -> AsyncIterator[Scene]:
    yield scene(ground.world, ground.world.direct, silent_seconds=SILENT_SECONDS)


@asynccontextmanager
async def _relayed(ground: Ground) -> AsyncIterator[Scene]:
    turn = (ground.world.turn.server("udp"),)
    settings = partial(ground.world.direct, turn=turn, extra={"port_guessing": False})
    yield scene(ground.world, settings, kinds=HARD, silent_seconds=SILENT_SECONDS)


@asynccontextmanager
async def _onion(ground: Ground) -> AsyncIterator[Scene]:
    yield scene(ground.world, ground.onion, silent_seconds=SILENT_SECONDS)


@asynccontextmanager
async def _mapping(ground: Ground) -> AsyncIterator[Scene]:
    acted = scene(ground.world, ground.onion, silent_seconds=SILENT_SECONDS)
    async with AsyncExitStack() as stack:
        for network in acted.networks:
            directory = ground.world.directory / network.namespace.name
            stack.enter_context(run_port_mapping(network, directory))
        yield acted


@asynccontextmanager
async def _six(ground: Ground) -> AsyncIterator[Scene]:
    yield scene(ground.world, ground.onion, ipv6=Ipv6.OPEN, silent_seconds=SILENT_SECONDS)


@asynccontextmanager
async def _common_contact(ground: Ground) -> AsyncIterator[Scene]:
    """Eve's computer has a public address; she lets both ask for each other."""
    host = ground.world.laboratory.server("eve")
    acted = scene(ground.world, ground.onion, silent_seconds=SILENT_SECONDS)
    acted.common = ground.world.node(host, ground.onion(host))
    yield acted


@asynccontextmanager
async def _aiortc(ground: Ground) -> AsyncIterator[Scene]:
    meet = partial(aiortc_meeting, ground.world)
    yield scene(ground.world, ground.world.direct, meet=meet, silent_seconds=SILENT_SECONDS)


@asynccontextmanager
async def _iroh(ground: Ground) -> AsyncIterator[Scene]:
    assert ground.iroh_python is not None
    meet = partial(iroh_meeting, ground.iroh_python, ground.world)
    yield scene(ground.world, ground.world.direct, meet=meet, silent_seconds=SILENT_SECONDS)
