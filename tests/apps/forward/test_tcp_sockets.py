"""Real TCP as tunnels use it: half-close, resets, back-pressure."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from p4.apps.forward.carrying import ByteEnd
from p4.apps.forward.tcp_end import SystemSockets
from p4.core import limits

SECONDS = 10.0


@asynccontextmanager
async def connection() -> AsyncIterator[tuple[ByteEnd, socket.socket]]:
    """Our end, and the bare socket of the program at the other."""
    accepted: asyncio.Queue[ByteEnd] = asyncio.Queue()
    listening = await SystemSockets().listen("127.0.0.1", 0, accepted.put_nowait)
    with socket.socket() as program:
        program.setblocking(False)
        await asyncio.get_running_loop().sock_connect(program, ("127.0.0.1", listening.port))
        end = await accepted.get()
        async with asyncio.timeout(SECONDS):
            yield end, program
        end.abort()
    await listening.close()
    await asyncio.sleep(0)


async def test_half_closes() -> None:
    loop = asyncio.get_running_loop()
    async with connection() as (end, program):
        await end.write(b"there")
        end.end_writing()
        assert await loop.sock_recv(program, 100) == b"there"
        assert await loop.sock_recv(program, 100) == b""
        await loop.sock_sendall(program, b"back")
        program.shutdown(socket.SHUT_WR)
        assert await end.read() == b"back"
        assert await end.read() == b""
        assert await end.read() == b""


async def test_abort_sends_a_reset() -> None:
    async with connection() as (end, program):
        end.abort()
        with pytest.raises(ConnectionResetError):
            await asyncio.get_running_loop().sock_recv(program, 100)


async def test_a_reset_is_noticed_while_nobody_reads() -> None:
    async with connection() as (end, program):
        lost = asyncio.create_task(end.wait_lost())
        program.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        program.close()
        with pytest.raises(ConnectionResetError):
            await lost
        with pytest.raises(ConnectionError):
            await end.write(b"x")


async def test_what_nobody_reads_waits_in_the_other_program() -> None:
    loop = asyncio.get_running_loop()
    async with connection() as (end, program):
        sent = 0

        async def send() -> None:
            nonlocal sent
            while True:
                await loop.sock_sendall(program, bytes(65536))
                sent += 65536

        sending = asyncio.create_task(send())
        held = -1
        while sent != held:
            held = sent
            await asyncio.sleep(0.1)
        assert held < limits.TUNNEL_BUFFER_BYTES * 2 + 2**24, "the kernel's buffers and ours, no more"
        came = len(await end.read())
        assert limits.TUNNEL_BUFFER_BYTES <= came <= 2 * limits.TUNNEL_BUFFER_BYTES
        while came <= held:
            came += len(await end.read())
        assert sent > held
        sending.cancel()


async def test_a_writer_waits_for_a_program_that_does_not_read() -> None:
    async with connection() as (end, program):

        async def fill() -> None:
            for _ in range(64):
                await end.write(bytes(2**20))

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(fill(), 0.5)
        loop = asyncio.get_running_loop()
        assert await loop.sock_recv(program, 2**20)


async def test_nothing_waits_to_come_together_with_more() -> None:
    async with connection() as (end, _):
        transport = end._transport  # type: ignore[attr-defined]
        assert transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
