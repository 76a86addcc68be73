"""What the daemon's API costs: from a program's request to a message that is on disk.

    python -m bench.daemon [--messages 500] [--json FILE]

Two daemons in direct mode, with a link, and a program, each in a process of its own as on a person's devices.
The other device's state is in memory where the system has a place for that: its disk is not this one's.
In turns one message is sent by the node itself, by the program through the API over the unix socket, and by
the client that the command line uses; and one request is made that touches no disk.
Target: median of the API at most 2 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import p4
from p4.client import connect
from p4.daemon.server import Daemon

TARGET_MS = 2.0
MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of its own is made there
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
    """HTTP/1.1 on one blocking socket, and nothing more: what is measured is the daemon."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)

    def request(self, method: str, path: str, body: object = None) -> int:
        """The status of the answer, when all of it has arrived."""
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: p4\r\nContent-Type: application/json\r\n"
        self._socket.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._socket.recv(65536)
        top, _, rest = answer.partition(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in top.split(b"\r\n") if line.startswith(b"content-length")
        )
        while len(rest) < length:
            rest += self._socket.recv(65536)
        return int(top.split(b" ", 2)[1])


async def _phone(directory: Path) -> None:
    """The other device: prints its invite, reads the laptop's."""
    async with Daemon(p4.Node(directory, _options()), directory) as phone:
        print(json.dumps({"invite": phone.node.invite().to_text()}), flush=True)
        phone.node.add_contact(p4.Invite.parse(await asyncio.to_thread(sys.stdin.readline)), "laptop")
        await phone.node.peer("laptop").grant("notes")
        print("{}", flush=True)
        await asyncio.to_thread(sys.stdin.readline)


async def _program(directory: Path) -> None:
    """A program that uses the laptop's daemon: for each line one measurement of each kind."""
    bare = BareClient(str(directory / "daemon" / "api.sock"))
    async with connect(directory) as client:
        contact = client.contact("phone")

        async def by_api() -> None:
            assert bare.request("POST", "/v1/contacts/phone/messages", BODY) == 201

        async def by_client() -> None:
            await contact.send(BODY["value"], service="notes")

        async def no_disk() -> None:
            assert bare.request("GET", "/v1/identity") == 200

        ways = {"API, send": by_api, "client, send": by_client, "API, identity": no_disk}
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps({name: await _timed(way) for name, way in ways.items()}), flush=True)


async def _timed(way: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await way()
    return (time.perf_counter() - began) * 1000


@asynccontextmanager
async def _process(part: str, directory: Path) -> AsyncIterator[Callable[[str], Awaitable[Any]]]:
    """Another process of this bench; gives the way to tell it something and to have its answer."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.daemon", "--part", part, str(directory)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    stdin, stdout = child.stdin, child.stdout

    async def ask(line: str) -> Any:
        if line:
            stdin.write(f"{line}\n".encode())
        return json.loads(await stdout.readline())

    try:
        yield ask
    finally:
        stdin.close()
        await child.wait()


async def _measure(count: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = defaultdict(list)
    async with AsyncExitStack() as held:
        root = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="p4-bench-")))
        elsewhere = MEMORY if MEMORY.is_dir() else None  # noqa: ASYNC240 - before anything else runs
        other = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="p4-bench-", dir=elsewhere)))
        tell_phone = await held.enter_async_context(_process("phone", other / "phone"))
        laptop = await held.enter_async_context(Daemon(p4.Node(root / "laptop", _options()), root / "laptop"))
        laptop.node.add_contact(p4.Invite.parse((await tell_phone(""))["invite"]), "phone")
        await tell_phone(json.dumps(json.loads(laptop.node.invite().to_text())))
        peer = laptop.node.peer("phone")
        async with asyncio.timeout(20):
            await peer.wait_connected()
        ask_program = await held.enter_async_context(_process("program", root / "laptop"))
        for turn in range(count + 20):
            by_node = await _timed(lambda: peer.send(BODY["value"], service="notes"))
            times = {"node, send": by_node, **await ask_program("go")}
            for name, value in times.items() if turn >= 20 else ():
                taken[name].append(value)
    return taken


def main() -> int:
    """Measure, print the table; 1 if the target was missed."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.daemon", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--messages", type=int, default=500, metavar="N", help="of each kind (default: 500)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the values there too")
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.part:
        part, directory = chosen.part
        asyncio.run({"phone": _phone, "program": _program}[part](Path(directory)))
        return 0
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
