"""The doorway: one port for both families, the same from start to start."""

from __future__ import annotations

import asyncio
import socket

import pytest

from p4.adapters.net.doorway import TcpDoorway, mapping_secret, usual_port
from p4.ports import SignalStream
from p4.testing.free_ports import free_ports


async def echo(stream: SignalStream) -> None:
    while (line := await stream.receive_line()) is not None:
        await stream.send_line(line)


async def said(host: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"hello\n")
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return line


async def test_it_serves_both_families_on_the_port_that_it_was_given() -> None:
    (wanted,) = free_ports(1)
    doorway = TcpDoorway(wanted)
    try:
        assert await doorway.start(echo) == wanted
        assert await said("127.0.0.1", wanted) == b"hello\n"
        if socket.has_ipv6:
            assert await said("::1", wanted) == b"hello\n"
    finally:
        await doorway.close()
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await asyncio.open_connection("127.0.0.1", wanted)


async def test_where_the_port_is_taken_it_takes_another() -> None:
    (wanted,) = free_ports(1)
    first, second = TcpDoorway(wanted), TcpDoorway(wanted)
    try:
        assert await first.start(echo) == wanted
        other = await second.start(echo)
        assert other not in {0, wanted}
        assert await said("127.0.0.1", other) == b"hello\n"
    finally:
        await first.close()
        await second.close()


def test_a_device_has_its_own_port_and_keeps_it() -> None:
    ports = {usual_port(bytes([number]) * 32) for number in range(50)}
    assert all(49152 <= port <= 65535 for port in ports)
    assert len(ports) > 45
    assert usual_port(b"x" * 32) == usual_port(b"x" * 32)
    assert mapping_secret(b"x" * 32) != mapping_secret(b"y" * 32)
