"""One of the two processes of a run: ``python -m bench.worker b STACK DIR`` prints the port of its exchange,
``python -m bench.worker a STACK DIR PORT SETTINGS`` measures and prints the values as JSON."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.pipe import Exchange, Pipe, Stack

END = b"END"
BULK_BYTES, SMALL_BYTES = 16 * 1024, 100


@dataclass(frozen=True)
class Settings:
    """How long a worker measures."""

    bulk_seconds: float = 3.0
    small_seconds: float = 2.0
    round_trips: int = 2000
    round_trip_seconds: float = 3.0
    setups: int = 5
    bulk_bytes: int = BULK_BYTES


def make_stack(name: str, role: str, exchange: Exchange, directory: Path) -> Stack:
    """The stack of this name; imports only what it needs."""
    if name in {"TCP", "TLS"}:
        from bench.raw_streams import TcpStack, TlsStack

        if name == "TCP":
            return TcpStack(role, exchange)
        tls = TlsStack(role, exchange)
        tls.directory = directory
        return tls
    if name in {"wrtc", "aiortc"}:
        from bench.raw_webrtc import AiortcStack, WrtcStack

        return WrtcStack(role, exchange) if name == "wrtc" else AiortcStack(role, exchange)
    from bench.node_stack import NodeStack

    node = NodeStack(role, exchange)
    node.directory = directory / f"node-{role}"
    node.backend = name.removeprefix("P4/")
    return node


# --- worker b: does what it is told --------------------------------------------------------------------


async def serve(stack: Stack) -> None:
    """Accept, count or echo until told to quit."""
    pipe: Pipe | None = None
    await stack.start()
    while (command := await stack.exchange.receive()) != "quit":
        if command == "accept":
            pipe = await stack.accept()
        elif pipe is None:
            raise RuntimeError(f"{command} without a connection")
        elif command == "close":
            await pipe.close()
        elif command == "echo":
            pipe.on_message = pipe.send
        else:
            pipe.on_message = _counter(pipe)
        stack.exchange.send("done")
    await stack.stop()


def _counter(pipe: Pipe) -> Callable[[bytes], None]:
    count, cpu = 0, time.process_time()

    def receive(message: bytes) -> None:
        nonlocal count, cpu
        if message == END:
            pipe.send(b"%d %.6f" % (count, time.process_time() - cpu))
            count, cpu = 0, time.process_time()
        else:
            count += 1

    return receive


# --- worker a: measures --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Flow:
    """Messages in one direction.

    Args:
        rate: messages a second.
        cpu_sending: CPU seconds of the whole sending process for each.
        cpu_receiving: likewise of the receiving process, from the news before to this.
    """

    rate: float
    cpu_sending: float
    cpu_receiving: float


class Measurement:
    """Drives worker b and takes the times."""

    def __init__(self, stack: Stack, settings: Settings) -> None:
        self._stack = stack
        self._settings = settings

    async def run(self) -> dict[str, float]:
        """Set-ups, then bulk, small messages and round trips on the last connection."""
        await self._stack.start()
        pipe, seconds = await self._connect()
        setups = [seconds]
        for _ in range(self._settings.setups - 1):
            await pipe.close()
            await self._command("close")
            pipe, seconds = await self._connect()
            setups.append(seconds)
        await self._command("count")
        size = self._settings.bulk_bytes
        bulk = await self._stream(pipe, size, self._settings.bulk_seconds)
        small = await self._stream(pipe, SMALL_BYTES, self._settings.small_seconds)
        await self._command("echo")
        trips = sorted(await self._round_trips(pipe))
        await pipe.close()
        await self._command("close")
        self._stack.exchange.send("quit")
        await self._stack.stop()
        return {
            "bulk": bulk.rate * size / 1e6,
            "bulk CPU sending": bulk.cpu_sending,
            "bulk CPU receiving": bulk.cpu_receiving,
            "small": small.rate,
            "small CPU sending": small.cpu_sending,
            "small CPU receiving": small.cpu_receiving,
            "round trip p50": statistics.median(trips) * 1e6,
            "round trip p99": trips[int(len(trips) * 0.99)] * 1e6,
            "set-up": statistics.median(setups) * 1e3,
        }

    async def _connect(self) -> tuple[Pipe, float]:
        self._stack.exchange.send("accept")
        await self._expect("ready")
        begun = time.perf_counter()
        pipe = await self._stack.dial()
        seconds = time.perf_counter() - begun
        await self._expect("done")
        return pipe, seconds

    async def _command(self, command: str) -> None:
        self._stack.exchange.send(command)
        await self._expect("done")

    async def _expect(self, word: str) -> None:
        received = await self._stack.exchange.receive()
        if received != word:
            raise RuntimeError(f"expected {word!r}, received {received!r}")

    async def _stream(self, pipe: Pipe, size: int, seconds: float) -> Flow:
        """From the first sent to the news that the last has arrived."""
        counted: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        pipe.on_message = counted.set_result
        message, sent = b"x" * size, 0
        begun, cpu = time.perf_counter(), time.process_time()
        while time.perf_counter() - begun < seconds:
            for _ in range(32):
                if pipe.full:
                    await pipe.drained()
                pipe.send(message)
                sent += 1
            await asyncio.sleep(0)
        pipe.send(END)
        await pipe.flush()
        count, cpu_receiving = (await counted).split()
        elapsed, cpu = time.perf_counter() - begun, time.process_time() - cpu
        if int(count) != sent:
            raise RuntimeError(f"{sent} messages of {size} bytes were sent, {int(count)} arrived")
        return Flow(sent / elapsed, cpu / sent, float(cpu_receiving) / sent)

    async def _round_trips(self, pipe: Pipe) -> list[float]:
        loop = asyncio.get_running_loop()
        message = b"x" * SMALL_BYTES
        trips: list[float] = []
        echoed: asyncio.Future[None]
        pipe.on_message = lambda _: echoed.set_result(None)
        warm_up = 50
        deadline = time.perf_counter() + self._settings.round_trip_seconds
        while len(trips) < warm_up + self._settings.round_trips and time.perf_counter() < deadline:
            echoed = loop.create_future()
            begun = time.perf_counter()
            pipe.send(message)
            await echoed
            trips.append(time.perf_counter() - begun)
        return trips[warm_up:] or trips


async def _main(role: str, name: str, directory: Path, rest: list[str]) -> None:
    if role == "b":
        accepted: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()

        def serve_exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted.set_result(Exchange(reader, writer))

        server = await asyncio.start_server(serve_exchange, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await serve(make_stack(name, role, await accepted, directory))
    else:
        exchange = Exchange(*await asyncio.open_connection("127.0.0.1", int(rest[0]), limit=2**20))
        settings = Settings(**json.loads(rest[1]))
        values = await Measurement(make_stack(name, role, exchange, directory), settings).run()
        print(json.dumps(values), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4:]))
