"""A computer behind a router: listens on a TCP and a UDP port and keeps both mapped.

    python mapping_child.py TCP-PORT UDP-PORT [upnp]

Prints the mappings as one JSON list per change; ends with its standard input. With ``upnp`` nothing else
is tried. Whoever connects, or sends a datagram, gets ``here`` back.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from p4.adapters.net.mapping import RouterPortMapper, pcp
from p4.ports.mapping import LocalPort, Mapping, PortProtocol

NOBODY = 9
"""A port of the router where nobody answers PCP and NAT-PMP."""


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(b"here", addr)  # type: ignore[attr-defined] # what the loop makes


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"here")
    writer.close()


async def main() -> None:
    tcp, udp = int(sys.argv[1]), int(sys.argv[2])
    loop = asyncio.get_running_loop()
    servers = [await asyncio.start_server(serve, host, tcp) for host in ("0.0.0.0", "::")]  # noqa: S104 - the point
    await loop.create_datagram_endpoint(Echo, local_addr=("::", udp))  # takes IPv4 too
    mapper = RouterPortMapper(port=NOBODY if "upnp" in sys.argv else pcp.PORT)
    began = time.monotonic()

    def tell(mappings: frozenset[Mapping]) -> None:
        print(
            json.dumps(
                {
                    "seconds": time.monotonic() - began,
                    "mappings": [
                        [one.protocol, one.external_host, one.external_port, one.method]
                        for one in sorted(mappings, key=lambda one: (one.protocol, one.local_address))
                    ],
                }
            ),
            flush=True,
        )

    await mapper.start([LocalPort(PortProtocol.TCP, tcp), LocalPort(PortProtocol.UDP, udp)], tell)
    await loop.run_in_executor(None, sys.stdin.read)
    await mapper.close()
    for server in servers:
        server.close()


if __name__ == "__main__":
    asyncio.run(main())
