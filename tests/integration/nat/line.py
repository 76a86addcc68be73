"""The line between all networks: delay, jitter, loss, rate, disorder, doubling; switchable while in use.

Not every kernel has netem. So everything that the simulated internet forwards goes through a TUN device to
this program, which holds it back, drops it or lets it pass:

    python -m tests.integration.nat.line DEVICE

It reads from stdin, as JSON lines, which prefixes belong to which network and the conditions of each.
"""

from __future__ import annotations

import heapq
import json
import os
import random
import select
import struct
import sys
import time
from dataclasses import asdict, dataclass, field, replace

__all__ = ["Conditions", "Line"]

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # <linux/if_tun.h>
_PACKETS_AT_ONCE = 128
_IPV4_PREFIX, _IPV6_PREFIX = 3, 6
"""Bytes of an address that name its network."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a network's line does in one direction; the way between two networks is the sum of both."""

    delay_ms: float = 10.0
    """With the default at both ends, a round trip between two networks takes 40 ms."""
    jitter_ms: float = 0.0
    """Up to so much more or less, evenly; packets stay in order."""
    loss: float = 0.0
    """The share of packets that is lost, 0 to 1, each by itself."""
    rate_kbit: float = 0.0
    """Kilobits a second; 0 is without limit."""
    queue_ms: float = 2000.0
    """How much may wait for its turn on a line with a rate; what comes then is lost."""
    disorder: float = 0.0
    """The share of packets that keep no order, so that jitter lets them overtake others."""
    doubled: float = 0.0
    """The share of packets that arrive twice."""

    def __post_init__(self) -> None:
        if not all(0 <= share <= 1 for share in (self.loss, self.disorder, self.doubled)):
            raise ValueError(f"shares go from 0 to 1: {self}")


@dataclass(slots=True)
class _Direction:
    conditions: Conditions
    busy_until: float = 0.0

    def pass_at(self, now: float, size: int, chance: random.Random) -> float | None:
        """When a packet of ``size`` bytes is through, or None if it is lost."""
        conditions = self.conditions
        if conditions.loss and chance.random() < conditions.loss:
            return None
        at = now
        if conditions.rate_kbit:
            at = max(self.busy_until, now) + size * 8 / (conditions.rate_kbit * 1000)
            if at - now > conditions.queue_ms / 1000:
                return None
            self.busy_until = at
        if conditions.jitter_ms:
            at += chance.uniform(-1, 1) * conditions.jitter_ms / 1000
        return at + conditions.delay_ms / 1000


@dataclass(slots=True)
class Line:
    """The state of all lines; time is an argument, so that it can be tested without waiting."""

    chance: random.Random = field(default_factory=random.Random)
    _network_of: dict[bytes, int] = field(default_factory=dict)
    _outward: dict[int, _Direction] = field(default_factory=dict)
    _inward: dict[int, _Direction] = field(default_factory=dict)
    _waiting: list[tuple[float, int, bytes]] = field(default_factory=list)
    _last: dict[tuple[int, int], float] = field(default_factory=dict)
    _count: int = 0

    def configure(self, command: dict[str, object]) -> None:
        """Take a command: ``{"network": 3, "prefixes": [HEX], "outward": {...}, "inward": {...}}``."""
        network = int(str(command["network"]))
        prefixes = command.get("prefixes", [])
        assert isinstance(prefixes, list)
        for prefix in prefixes:
            self._network_of[bytes.fromhex(prefix)] = network
        for name, directions in (("outward", self._outward), ("inward", self._inward)):
            fields = command[name]
            assert isinstance(fields, dict)
            # What waits already keeps its time; so does the queue of a line with a rate.
            busy = directions[network].busy_until if network in directions else 0.0
            directions[network] = _Direction(Conditions(**fields), busy)

    def take(self, packet: bytes, now: float) -> None:
        """A packet enters."""
        four = packet[0] >> 4 == 4
        source = packet[12 : 12 + _IPV4_PREFIX] if four else packet[8 : 8 + _IPV6_PREFIX]
        target = packet[16 : 16 + _IPV4_PREFIX] if four else packet[24 : 24 + _IPV6_PREFIX]
        way = (self._network_of.get(source, -1), self._network_of.get(target, -1))
        at: float | None = now
        keeps_order, times = True, 1
        for direction in (self._outward.get(way[0]), self._inward.get(way[1])):
            if direction is not None and at is not None:
                at = direction.pass_at(at, len(packet), self.chance)
                conditions = direction.conditions
                if conditions.disorder and self.chance.random() < conditions.disorder:
                    keeps_order = False
                if conditions.doubled and self.chance.random() < conditions.doubled:
                    times = 2
        if at is None:
            return
        if keeps_order:
            at = self._last[way] = max(at, self._last.get(way, 0.0))
        for _ in range(times):
            self._count += 1
            heapq.heappush(self._waiting, (at, self._count, packet))

    def due(self, now: float) -> list[bytes]:
        """The packets that leave, in order."""
        packets = []
        while self._waiting and self._waiting[0][0] <= now:
            packets.append(heapq.heappop(self._waiting)[2])
        return packets

    def next_at(self) -> float | None:
        """When the next packet leaves."""
        return self._waiting[0][0] if self._waiting else None


def command_line(
    network: int, prefixes: list[bytes], outward: Conditions, inward: Conditions | None = None
) -> bytes:
    """What the program reads. ``inward`` is as ``outward`` if it is not given."""
    both = {"outward": asdict(outward), "inward": asdict(inward or replace(outward))}
    hexes = [prefix.hex() for prefix in prefixes]
    return json.dumps({"network": network, "prefixes": hexes, **both}).encode() + b"\n"


def main(device: str) -> None:
    """Serve the TUN device until stdin ends."""
    import fcntl

    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH", device.encode(), _IFF_TUN | _IFF_NO_PI))
    print("ready", flush=True)
    line, commands = Line(), b""
    while True:
        next_at = line.next_at()
        wait = None if next_at is None else max(0.0, next_at - time.monotonic())
        readable, _, _ = select.select([tun, 0], [], [], wait)
        if 0 in readable:
            read = os.read(0, 65536)
            if not read:
                return
            *whole, commands = (commands + read).split(b"\n")
            for one in whole:
                line.configure(json.loads(one))
        if tun in readable:
            _take_all(tun, line)
        for packet in line.due(time.monotonic()):
            # Its way may be gone by now (a device that is down): then it is lost, as on a real line.
            try:
                os.write(tun, packet)
            except OSError:
                continue


def _take_all(tun: int, line: Line) -> None:
    for _ in range(_PACKETS_AT_ONCE):
        try:
            packet = os.read(tun, 65536)
        except BlockingIOError:
            return
        line.take(packet, time.monotonic())


if __name__ == "__main__":
    main(sys.argv[1])
