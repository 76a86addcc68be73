"""Ports carried over streams, beside the streams alone and beside TCP alone.

The program that measures and the one that answers are threads of this process with blocking sockets: they
stand for a browser and a web server, and add as little of their own as they can.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.session.place import MESSAGE_BYTES
from bench.session.remote import connected_pair
from bench.session.scale import Scale

FORWARDS = 50
HERE = "127.0.0.1"
PIECE = bytes(range(256)) * 256
PATIENCE_SECONDS = 30.0
WARM_UP = 50

Values = dict[str, dict[str, float]]


async def round_trips(directory: Path, scale: Scale) -> Values:
    """Round trips of 100 bytes: TCP on this machine, an open stream, a forward, and 50 forwards at once."""
    names = [f"port{number}" for number in range(FORWARDS)]
    arguments = {"count": scale.trips, "seconds": scale.trip_seconds}
    with _echo_server() as port:
        plain = await asyncio.to_thread(_trips, port, scale.trips)
        async with connected_pair(directory) as (near, far):
            echoing = far.begin("echo_stream", name="echo")
            stream = await near.ask("stream_trips", name="echo", **arguments)
            await echoing
            await near.ask("start_forwards")
            await far.ask("start_forwards")
            await far.ask("serve_ports", names=names, port=port)
            ports = await near.ask("forward_ports", names=names)
            forward = await asyncio.to_thread(_trips, ports[0], scale.trips)
            few = max(scale.trips // FORWARDS, 20)
            crowd = await asyncio.gather(*(asyncio.to_thread(_trips, port, few, few // 4) for port in ports))
            await near.ask("stop_forwards")
            await far.ask("stop_forwards")
    return {
        "TCP": _figures(plain),
        "P4 stream": _figures(stream[WARM_UP:]),
        "P4 forward": {**_figures(forward), "added": _added(forward, stream)},
        f"{FORWARDS} P4 forwards": _figures([trip for trips in crowd for trip in trips]),
    }


async def bulk(directory: Path, scale: Scale) -> Values:
    """Bytes through one forward as fast as they go, until the program at the other end has them."""
    with _sink_server() as port:
        async with connected_pair(directory) as (near, far):
            reading = far.begin("read", name="bulk")
            written = await near.ask("write", name="bulk", seconds=scale.bulk_seconds)
            read = await reading
            stream = written["bytes"] / (max(written["ended"], read["ended"]) - written["began"])
            await near.ask("start_forwards")
            await far.ask("start_forwards")
            await far.ask("serve_ports", names=["bulk"], port=port)
            (here,) = await near.ask("forward_ports", names=["bulk"])
            forward = await asyncio.to_thread(_pour, here, scale.bulk_seconds)
            await near.ask("stop_forwards")
            await far.ask("stop_forwards")
    return {"P4 stream": {"bytes": stream / 1e6}, "P4 forward": {"bytes": forward / 1e6}}


def _figures(trips: list[float]) -> dict[str, float]:
    ordered = sorted(trips)
    return {"p50": statistics.median(ordered) * 1e6, "p99": ordered[int(len(ordered) * 0.99)] * 1e6}


def _added(forward: list[float], stream: list[float]) -> float:
    return (statistics.median(forward) - statistics.median(stream[WARM_UP:])) * 1e6


def _connect(port: int) -> socket.socket:
    connection = socket.create_connection((HERE, port), timeout=PATIENCE_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _trips(port: int, count: int, warm_up: int = WARM_UP) -> list[float]:
    """Round trips on one connection, in seconds."""
    body = PIECE[:MESSAGE_BYTES]
    trips = []
    with _connect(port) as connection:
        for _ in range(count + warm_up):
            began = time.perf_counter()
            connection.sendall(body)
            missing = MESSAGE_BYTES
            while missing:
                missing -= len(connection.recv(missing))
            trips.append(time.perf_counter() - began)
    return trips[warm_up:]


def _pour(port: int, seconds: float) -> float:
    """Bytes a second, until the far end has said how many it got."""
    with _connect(port) as connection:
        began = time.perf_counter()
        sent = 0
        while time.perf_counter() - began < seconds:
            connection.sendall(PIECE)
            sent += len(PIECE)
        connection.shutdown(socket.SHUT_WR)
        told = b"".join(iter(lambda: connection.recv(100), b""))
        if int(told) != sent:
            raise ValueError(f"{sent} bytes were sent, {told!r} arrived")
        return sent / (time.perf_counter() - began)


@contextlib.contextmanager
def _server(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    with socket.create_server((HERE, 0), backlog=2 * FORWARDS) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):  # closed: the measurement is over
                while True:
                    connection, _ = listener.accept()
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _echo_server() -> contextlib.AbstractContextManager[int]:
    def echo(connection: socket.socket) -> None:
        with connection, contextlib.suppress(ConnectionError):
            while data := connection.recv(65536):
                connection.sendall(data)

    return _server(echo)


def _sink_server() -> contextlib.AbstractContextManager[int]:
    def count(connection: socket.socket) -> None:
        with connection, contextlib.suppress(ConnectionError):
            size = 0
            while data := connection.recv(1024 * 1024):
                size += len(data)
            connection.sendall(b"%d" % size)

    return _server(count)
