"""The L1 cases and what they run on."""

from __future__ import annotations

import base64
from asyncio import Task
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from conformance.command import Answer, Command
from conformance.devices import Device, DevicePair
from conformance.protocol import needs_client

__all__ = ["CASES", "Pair", "Side", "case", "data", "decode"]

CLIENT = "me"
"""Handle of the owner's client in each command."""


@dataclass
class Side:
    """One device, and the command that uses it.

    Args:
        contact: what it calls the other device.
    """

    device: Device
    command: Command
    contact: str

    def begin(self, operation: str, **arguments: Any) -> Task[Answer]:
        """As `Command.begin`; the client is the owner's if none is named."""
        if needs_client(operation):
            arguments.setdefault("client", CLIENT)
        return self.command.begin(operation, **arguments)

    async def ask(self, operation: str, **arguments: Any) -> Answer:
        """As `Command.ask`; the client is the owner's if none is named."""
        return await self.begin(operation, **arguments)

    async def to_contact(self, operation: str, **arguments: Any) -> Answer:
        """As `ask`, for operations that name the other device."""
        return await self.ask(operation, contact=self.contact, **arguments)


@dataclass
class Pair:
    """Two devices that know each other, and grant each other `service`, used by one language."""

    laptop: Side
    phone: Side
    service: str
    """Begins the names of all services that a case uses; another one for each case."""
    devices: DevicePair


Run = Callable[[Pair], Awaitable[None]]

CASES: dict[str, Run] = {}
"""By name, in the order in which they run."""


def case(name: str) -> Callable[[Run], Run]:
    """Makes a function an L1 case."""

    def register(run: Run) -> Run:
        CASES[f"L1 {name}"] = run
        return run

    return register


def data(content: bytes) -> str:
    """Bytes as the protocol has them."""
    return base64.b64encode(content).decode()


def decode(text: str) -> bytes:
    """Bytes out of an answer."""
    return base64.b64decode(text, validate=True)
