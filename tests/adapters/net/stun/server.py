"""A small STUN server with the tests of RFC 5780, on four real sockets of this machine.

It stands behind a pretended NAT: what it says about a client's address, and which of its answers get
through, are functions of the test.
"""

from __future__ import annotations

import asyncio
import ipaddress
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from p4.adapters.net.stun.codec import Address

__all__ = ["COOKIE", "PretendedServer", "answer_bytes", "attribute", "packed_address", "pretended_server"]

COOKIE = b"\x21\x12\xa4\x42"
MAPPED, XOR_MAPPED, OTHER, CHANGE = 0x0001, 0x0020, 0x802C, 0x0003


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def packed_address(address: Address, mask: bytes = bytes(16)) -> bytes:
    packed = ipaddress.ip_address(address[0]).packed
    hidden = bytes(byte ^ other for byte, other in zip(packed, mask, strict=False))
    port = address[1] ^ int.from_bytes(mask[:2], "big")
    return struct.pack("!BBH", 0, 1 if len(packed) == 4 else 2, port) + hidden


def answer_bytes(transaction: bytes, *attributes: bytes, kind: int = 0x0101) -> bytes:
    body = b"".join(attributes)
    return struct.pack("!HH", kind, len(body)) + COOKIE + transaction + body


@dataclass
class PretendedServer:
    """Hosts 0 and 1, ports 0 and 1 of each."""

    sees: Callable[[Address, Address], Address] = lambda client, server: client
    """What the server at the second address sees of a client at the first."""
    passes: Callable[[Address, Address], bool] = lambda asked, answering: True
    """Whether the answer of the second address to a question to the first gets through."""
    offers_other: bool = True
    swallow: int = 0
    """Requests that are lost from now on."""
    ports: tuple[int, int] = (0, 0)
    hosts: tuple[str, str] = ("127.0.0.1", "127.0.0.2")
    asked: list[Address] = field(default_factory=list)
    sockets: dict[Address, asyncio.DatagramTransport] = field(default_factory=dict)

    def url(self, host: int = 0, port: int = 0) -> str:
        return f"stun:{self.hosts[host]}:{self.ports[port]}"

    def request(self, data: bytes, client: Address, here: Address) -> None:
        self.asked.append(here)
        if self.swallow:
            self.swallow -= 1
            return
        flags, at = 0, 20
        while at < len(data):
            kind, length = struct.unpack_from("!HH", data, at)
            if kind == CHANGE:
                flags = data[at + 7]
            at += 4 + length + -length % 4
        host, port = self.hosts.index(here[0]), self.ports.index(here[1])
        source = (self.hosts[host ^ bool(flags & 4)], self.ports[port ^ bool(flags & 2)])
        transaction = data[8:20]
        seen = packed_address(self.sees(client, here), COOKIE + transaction)
        attributes = [attribute(XOR_MAPPED, seen)]
        if self.offers_other:
            other = (self.hosts[host ^ 1], self.ports[port ^ 1])
            attributes.append(attribute(OTHER, packed_address(other)))
        if self.passes(here, source):
            self.sockets[source].sendto(answer_bytes(transaction, *attributes), client)


class _Socket(asyncio.DatagramProtocol):
    def __init__(self, server: PretendedServer, here: Address) -> None:
        self.server, self.here = server, here

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.server.request(data, (addr[0], addr[1]), self.here)


@asynccontextmanager
async def pretended_server() -> AsyncIterator[PretendedServer]:
    server, loop = PretendedServer(), asyncio.get_running_loop()
    ports: list[int] = []
    try:
        for _ in range(2):
            chosen = 0
            for host in server.hosts:
                here = (host, chosen)
                transport, protocol = await loop.create_datagram_endpoint(
                    lambda here=here: _Socket(server, here),  # type: ignore[misc]
                    local_addr=here,
                )
                chosen = transport.get_extra_info("sockname")[1]
                protocol.here = (host, chosen)
                server.sockets[host, chosen] = transport
            ports.append(chosen)
        server.ports = (ports[0], ports[1])
        yield server
    finally:
        for transport in server.sockets.values():
            transport.close()
