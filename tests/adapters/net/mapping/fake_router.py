"""A router on a UDP socket of loopback: PCP and NAT-PMP, with the faults that routers have."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from dataclasses import dataclass, field

__all__ = ["FakeRouter"]

PCP_MAP, PMP_UDP, PMP_TCP = 1, 1, 2


@dataclass
class FakeRouter(asyncio.DatagramProtocol):
    speaks: set[str] = field(default_factory=lambda: {"pcp", "nat-pmp"})
    external: str = "8.8.4.4"
    lifetime: int = 3600
    began: float = field(default_factory=lambda: time.monotonic() - 10_000)
    lose: int = 0
    """Datagrams that are lost from now on."""
    refuse: int = 0
    """Result code of mapping requests; 0: granted."""
    forge: bool = False
    """Every PCP answer comes after one with another nonce."""
    mapped: dict[tuple[str, int, int], int] = field(default_factory=dict)
    """External port by method, protocol number and internal port."""
    nonces: dict[tuple[int, int], bytes] = field(default_factory=dict)
    heard: list[bytes] = field(default_factory=list)
    grants: int = 0
    port: int = 0

    async def open(self) -> FakeRouter:
        loop = asyncio.get_running_loop()
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind(("127.0.0.1", 0))
        made.setblocking(False)
        self.port = made.getsockname()[1]
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=made)
        return self

    def close(self) -> None:
        self._transport.close()

    def restart(self) -> None:
        self.mapped.clear()
        self.nonces.clear()
        self.began = time.monotonic()

    # --- what the event loop calls ----------------------------------------------------------------------

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.heard.append(data)
        if self.lose:
            self.lose -= 1
            return
        for answer in self.answers(data):
            self._transport.sendto(answer, addr)

    def answers(self, data: bytes) -> list[bytes]:
        epoch = int(time.monotonic() - self.began)
        if data[0] == 2:
            if "pcp" in self.speaks:
                return self.pcp(data, epoch)
            # RFC 6886 section 3.5: refused in one's own version.
            return [struct.pack("!BBHI", 0, 0x80, 1, epoch)] if "nat-pmp" in self.speaks else []
        if "nat-pmp" in self.speaks:
            return [self.nat_pmp(data, epoch)]
        return [struct.pack("!BBxBII12x", 2, 0x80, 1, 0, epoch)] if "pcp" in self.speaks else []

    def pcp(self, data: bytes, epoch: int) -> list[bytes]:
        lifetime = struct.unpack_from("!I", data, 4)[0]
        if data[1] != PCP_MAP:
            return [struct.pack("!BBxBII12x", 2, 0x80, 0, 0, epoch)]
        nonce, number, internal, suggested = struct.unpack_from("!12sB3xHH", data, 24)
        result = self.refuse
        if self.nonces.setdefault((number, internal), nonce) != nonce:
            result = 2  # somebody else's mapping
        external = self.grant("pcp", number, internal, suggested, lifetime, result)
        if result == 0 and lifetime == 0:
            self.nonces.pop((number, internal))
        packed = bytes(10) + b"\xff\xff" + socket.inet_aton(self.external)
        granted = min(lifetime, self.lifetime) if not result else 60

        def answer(nonce: bytes, external: int) -> bytes:
            header = struct.pack("!BBxBII12x", 2, 0x81, result, granted, epoch)
            return header + struct.pack("!12sB3xHH16s", nonce, number, internal, external, packed)

        return [*([answer(bytes(12), 6666)] if self.forge else []), answer(nonce, external)]

    def nat_pmp(self, data: bytes, epoch: int) -> bytes:
        if data[1] == 0:
            return struct.pack("!BBHI4s", 0, 0x80, 0, epoch, socket.inet_aton(self.external))
        internal, suggested, lifetime = struct.unpack_from("!HHI", data, 4)
        number = {PMP_UDP: 17, PMP_TCP: 6}[data[1]]
        external = self.grant("nat-pmp", number, internal, suggested, lifetime, self.refuse)
        granted = min(lifetime, self.lifetime)
        return struct.pack("!BBHIHHI", 0, 0x80 | data[1], self.refuse, epoch, internal, external, granted)

    def grant(
        self, method: str, number: int, internal: int, suggested: int, lifetime: int, result: int
    ) -> int:
        if result:
            return 0
        if lifetime == 0:
            self.mapped.pop((method, number, internal), None)
            return 0
        self.grants += 1
        # Not the suggested one at first: a client must use what it was given.
        return self.mapped.setdefault(
            (method, number, internal), suggested if suggested >= 40_000 else 40_000 + len(self.mapped)
        )
