"""The one interface that everything measured is put behind, so that all are measured by the same code."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from p4.core import limits

HIGH_WATER = limits.LINK_HIGH_WATER_BYTES
LOW_WATER = limits.LINK_LOW_WATER_BYTES


class Exchange:
    """A loopback connection between the two workers: commands, and what raw WebRTC signals."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, value: Any) -> None:
        self._writer.write(json.dumps(value).encode() + b"\n")

    async def receive(self) -> Any:
        line = await self._reader.readline()
        if not line:
            raise ConnectionError("the other worker has ended")
        return json.loads(line)

    def close(self) -> None:
        self._writer.close()


class Pipe(ABC):
    """One open connection that carries messages in order. Assign ``on_message`` to receive them."""

    on_message: Callable[[bytes], None]

    def __init__(self) -> None:
        self.on_message = lambda message: None

    @abstractmethod
    def send(self, message: bytes) -> None:
        """Queue a message; look at `full` before."""

    @property
    @abstractmethod
    def full(self) -> bool:
        """So much is queued that a sender should wait for `drained`."""

    @abstractmethod
    async def drained(self) -> None:
        """Wait until little is queued."""

    async def flush(self) -> None:  # noqa: B027 - most have no confirmations
        """Wait until the other side has confirmed everything, where there are confirmations."""

    @abstractmethod
    async def close(self) -> None:
        """Close, and wait until a new connection may be made."""


class Stack(ABC):
    """One way to connect two processes. ``dial`` runs in worker a, ``accept`` in worker b."""

    def __init__(self, role: str, exchange: Exchange) -> None:
        self.role = role
        self.exchange = exchange

    async def start(self) -> None:  # noqa: B027 - some have nothing to start
        """What is done once in the life of a process and belongs to no connection."""

    @abstractmethod
    async def dial(self) -> Pipe:
        """Connect; returns when a message can be sent."""

    @abstractmethod
    async def accept(self) -> Pipe:
        """Be connected to. Calls ``self.ready()`` as soon as the other side may dial."""

    async def stop(self) -> None:  # noqa: B027 - and then nothing to stop
        """End what `start` began."""

    def ready(self) -> None:
        self.exchange.send("ready")
