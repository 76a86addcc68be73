"""What the daemon's API costs: from a program's request to a message that is on disk.

    python -m bench.daemon [--messages 500] [--json FILE]

Two daemons in direct mode, with a link, all in one process. In turns one message is sent by the node itself,
through the API over its unix socket, and by the client that the command line uses; and one request is made
that touches no disk.
Target: median of the API at most 2 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import p4
from p4.client import connect
from p4.daemon.server import Daemon

TARGET_MS = 2.0
BODY = {"service": "notes", "value": "x" * 100}


def _options() -> p4.NodeOptions:
    return p4.NodeOptions(
        transport=p4.Transport.DIRECT,
        ice=p4.IceSettings(stun=()),
        direct_signaling=False,
        lan=False,
        port_guessing=False,
    )


class BareClient:
    """HTTP/1.1 on one connection, and nothing more."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def request(self, method: str, path: str, body: object = None) -> int:
        """The status of the answer, when all of it has arrived."""
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: p4\r\nContent-Type: application/json\r\n"
        self._writer.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in answer.split(b"\r\n") if line.startswith(b"content-length")
        )
        await self._reader.readexactly(length)
        return int(answer.split(b" ", 2)[1])


async def _measure(count: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = defaultdict(list)
    async with AsyncExitStack() as held:
        root = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="p4-bench-")))
        laptop, phone = [
            await held.enter_async_context(Daemon(p4.Node(root / name, _options()), root / name))
            for name in ("laptop", "phone")
        ]
        laptop.node.add_contact(phone.node.invite(), "phone")
        phone.node.add_contact(laptop.node.invite(), "laptop")
        await phone.node.peer("laptop").grant("notes")
        async with asyncio.timeout(20):
            await laptop.node.peer("phone").wait_connected()
        unix_path = laptop.endpoint.unix_path
        if unix_path is None:
            raise SystemExit("There are no unix sockets here.")
        bare = BareClient(*await asyncio.open_unix_connection(unix_path))
        client = await held.enter_async_context(connect(root / "laptop"))
        contact = client.contact("phone")
        peer = laptop.node.peer("phone")

        async def by_api() -> None:
            assert await bare.request("POST", "/v1/contacts/phone/messages", BODY) == 201

        async def by_node() -> None:
            await peer.send(BODY["value"], service="notes")

        async def by_client() -> None:
            await contact.send(BODY["value"], service="notes")

        async def no_disk() -> None:
            assert await bare.request("GET", "/v1/identity") == 200

        ways: dict[str, Callable[[], Awaitable[None]]] = {
            "node, send": by_node,
            "API, send": by_api,
            "client, send": by_client,
            "API, identity": no_disk,
        }
        for turn in range(count + 20):
            for name, way in ways.items():
                began = time.perf_counter()
                await way()
                if turn >= 20:
                    taken[name].append((time.perf_counter() - began) * 1000)
    return taken


def main() -> int:
    """Measure, print the table; 1 if the target was missed."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.daemon", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--messages", type=int, default=500, metavar="N", help="of each kind (default: 500)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the values there too")
    chosen = parser.parse_args()
    taken = asyncio.run(_measure(chosen.messages))
    base = statistics.median(taken["node, send"])
    print("| | median, ms | p95, ms | x node |\n|---|---|---|---|")
    for name, values in taken.items():
        median, late = statistics.median(values), statistics.quantiles(values, n=20)[-1]
        print(f"| {name} | {median:.2f} | {late:.2f} | {median / base:.2f} |")
    if chosen.json:
        chosen.json.write_text(json.dumps(taken), "utf-8")
    return int(statistics.median(taken["API, send"]) > TARGET_MS)


if __name__ == "__main__":
    raise SystemExit(main())
