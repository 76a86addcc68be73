"""Two devices with streams and nothing else: hubs, stores in memory, and a path that may be cut."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from p4.core import limits
from p4.core.identity import PeerId
from p4.core.session.stream_frames import DECODERS, StreamFrame, encode
from p4.errors import FrameError
from p4.node.streams import Stream, StreamHub, StreamServices
from p4.ports import Store
from p4.testing import MemoryStore
from p4.testing.memory_disk import MemoryDisk
from p4.testing.virtual_time import SeededEntropy, VirtualClock

NAMES = PeerId("a" * 24), PeerId("b" * 24)


class Transport:
    """One end of a path: in order what is in order, and in any order what is not.

    Args:
        deliver: gives a message to the other end.
        delay: seconds until it is there.
        jitter: at most so many more for a bulk message, by chance.
    """

    def __init__(
        self, deliver: Callable[[bytes], None], device: Device, *, delay: float, jitter: float, seed: int
    ) -> None:
        self._deliver = deliver
        self._device = device
        self._delay = delay
        self._jitter = jitter
        self._chance = random.Random(seed)
        self._ordered: deque[bytes] = deque()
        self._queued = 0
        self._drained: list[asyncio.Future[None]] = []
        self.up = True
        self.data_sent = 0
        self.frames: list[StreamFrame] = []
        self.grants: set[str] | None = None
        """What the other side lets us use; None for everything."""

    def send(self, frame: StreamFrame) -> None:
        self.frames.append(frame)
        self._ordered.append(encode(frame))
        asyncio.get_running_loop().call_later(self._delay, self._arrive_in_order)

    def send_data(self, data: bytes) -> None:
        assert self.bulk_room() > 0
        self.data_sent += len(data)
        self._queued += len(data)
        late = self._delay + self._chance.uniform(0, self._jitter)
        asyncio.get_running_loop().call_later(late, self._arrive, data, len(data))

    def _arrive_in_order(self) -> None:
        self._arrive(self._ordered.popleft(), 0)

    def _arrive(self, data: bytes, queued: int) -> None:
        self._queued -= queued
        if self._queued <= limits.LINK_LOW_WATER_BYTES:
            for future in self._drained:
                if not future.done():
                    future.set_result(None)
            self._drained.clear()
        if self.up:
            self._deliver(data)

    bulk_turn = limits.STREAM_TURN_BYTES

    def bulk_room(self) -> int:
        return limits.LINK_HIGH_WATER_BYTES - self._queued

    def bulk_drained(self) -> Awaitable[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._drained.append(future)
        if self._queued <= limits.LINK_LOW_WATER_BYTES or not self.up:
            future.set_result(None)
        return future

    def granted(self, service: str) -> bool:
        return self._device.granted_known and (self.grants is None or service in self.grants)

    def fail(self, reason: str) -> None:
        raise AssertionError(reason)


class Device:
    """One process of a device, and the disk that outlives it."""

    def __init__(self, name: PeerId, contact: PeerId, disk: MemoryDisk | None = None) -> None:
        self.name = name
        self.contact = contact
        self.disk = disk or MemoryDisk()
        self.starts = 0
        self.granted_known = False
        self.refused: set[str] = set()
        """Services of ours that the contact may not use."""
        self.broken: list[FrameError] = []

    async def start(self, store: Store | None = None, *, commit_seconds: float = 0.0) -> None:
        self.starts += 1
        self.memory = MemoryStore(self.disk, commit_seconds=commit_seconds)
        self.store: Store = store or self.memory
        await self.store.open()
        self.services = StreamServices()
        self.hub = StreamHub(
            self.contact,
            store=self.store,
            clock=VirtualClock(),
            entropy=SeededEntropy(f"{self.name}{self.starts}"),
            services=self.services,
            allowed=lambda service: service not in self.refused,
            peer=self.contact,
        )
        self.hub.load((await self.store.load_streams()).get(self.contact, []))

    def receive(self, data: bytes) -> None:
        try:
            self.hub.handle(DECODERS[data[0]](data))
        except FrameError as error:
            self.broken.append(error)

    async def stop(self) -> None:
        self.services.close()
        await self.hub.close()
        await self.store.close()

    def crash(self) -> None:
        """The process ends without a word."""
        self.memory.crash()
        self.hub.link_down()
        self.hub.forget()


@dataclass
class Pair:
    """Two devices and the path between them."""

    left: Device
    right: Device
    delay: float = 0.001
    jitter: float = 0.0
    ends: tuple[Transport, Transport] | None = None
    count: int = 0

    @classmethod
    async def start(cls, *, delay: float = 0.001, jitter: float = 0.0) -> Pair:
        pair = cls(Device(*NAMES), Device(NAMES[1], NAMES[0]), delay, jitter)
        await pair.left.start()
        await pair.right.start()
        return pair

    def link(self) -> None:
        """A new link; the grants arrive a moment later."""
        self.cut()
        self.count += 1
        devices = self.left, self.right
        left, right = (
            Transport(
                other.receive, device, delay=self.delay, jitter=self.jitter, seed=2 * self.count + index
            )
            for index, (device, other) in enumerate(zip(devices, reversed(devices), strict=True))
        )
        self.ends = left, right
        for device, end in zip(devices, self.ends, strict=True):
            device.granted_known = False
            device.hub.link_up(end)
        for device in devices:
            device.granted_known = True
            asyncio.get_running_loop().call_later(self.delay, device.hub.grants_changed)

    def cut(self) -> None:
        if self.ends is not None:
            for device, end in zip((self.left, self.right), self.ends, strict=True):
                end.up = False
                device.hub.link_down()
        self.ends = None

    async def connected(self, service: str = "files", name: str = "a") -> tuple[Stream, Stream]:
        """A stream that the left device opened and the right one accepted."""
        if self.ends is None:
            self.link()
        mine = await self.left.hub.open(service, name)
        return mine, await self.accept(service)

    async def accept(self, service: str = "files") -> Stream:
        return await anext(self.right.services.incoming(service))

    async def stop(self) -> None:
        self.cut()
        await self.left.stop()
        await self.right.stop()

    def assert_forgotten(self) -> None:
        """Neither disk knows of any stream, and no memory is promised."""
        for device in (self.left, self.right):
            assert not device.disk.streams.get(device.contact), device.name
            assert not device.disk.spools, device.name
            assert not device.services.budget.used, device.name
            assert not device.broken, device.broken


async def read_all(stream: Stream) -> bytes:
    """Everything until the end."""
    return b"".join([piece async for piece in stream])
