"""The SOCKS5 client against a small real server that says what it is told to say."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from p4.adapters.tor.socks import SOCKS_ERRORS, dial_through_tor
from p4.errors import RendezvousError
from p4.testing.free_ports import free_ports

HOST = "a" * 56 + ".onion"
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def socks_server(script: Script) -> Any:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def handshake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[bytes, bytes, int]:
    """A server's part up to the request; returns isolation, host and port."""
    assert await reader.readexactly(3) == b"\x05\x01\x02"
    writer.write(b"\x05\x02")
    assert await reader.readexactly(1) == b"\x01"
    user = await reader.readexactly((await reader.readexactly(1))[0])
    assert user
    isolation = await reader.readexactly((await reader.readexactly(1))[0])
    writer.write(b"\x01\x00")
    assert await reader.readexactly(4) == b"\x05\x01\x00\x03"
    host = await reader.readexactly((await reader.readexactly(1))[0])
    return isolation, host, int.from_bytes(await reader.readexactly(2), "big")


async def dial(endpoint: Path | int) -> Any:
    return await dial_through_tor(endpoint, HOST, 80, isolation="group", description="test")


@pytest.mark.parametrize(
    "bound", [b"\x01\0\0\0\0\0\0", b"\x04" + bytes(18), b"\x03\x05bound\0\x50"], ids=["ipv4", "ipv6", "name"]
)
async def test_a_stream_whose_first_line_came_with_the_reply(bound: bytes) -> None:
    """Nothing that the peer says early may be lost in the handshake."""
    seen: list[tuple[bytes, bytes, int]] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await handshake(reader, writer))
        writer.write(b"\x05\x00\x00" + bound + b"early line\n")
        writer.write(b"echo " + await reader.readline())

    async with socks_server(script) as port:
        stream = await dial(port)
        await stream.send_line(b"hello")
        assert await stream.receive_line() == b"early line"
        assert await stream.receive_line() == b"echo hello"
        assert await stream.receive_line() is None
        stream.close()
    assert seen == [(b"group", HOST.encode(), 80)]


@pytest.mark.parametrize("code", sorted(SOCKS_ERRORS))
async def test_every_error_code_has_its_name_and_sentence(code: int) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await handshake(reader, writer)
        writer.write(bytes([5, code, 0, 1]) + bytes(6))

    async with socks_server(script) as port:
        with pytest.raises(RendezvousError) as caught:
            await dial(port)
    assert caught.value.code == SOCKS_ERRORS[code].code
    assert caught.value.message.endswith(".")


def test_all_codes_of_tor_are_known() -> None:
    assert set(SOCKS_ERRORS) == {*range(0x01, 0x09), *range(0xF0, 0xF8)}


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x05",
        b"\x04\x02",
        b"\x05\x00",
        b"\x05\xff",
        b"HTTP/1.0 400\r\n",
        b"\x05\x02\x01",
        b"\x05\x02\x01\x01",
    ],
)
async def test_what_is_not_tor_is_an_error_and_not_a_hang(answer: bytes) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(3)
        writer.write(answer)
        await writer.drain()

    async with socks_server(script) as port, asyncio.timeout(5):
        with pytest.raises(RendezvousError) as caught:
            await dial(port)
    assert caught.value.code == "socks-broken"


@pytest.mark.parametrize(
    "reply", [b"\x05\x7f\x00\x01" + bytes(6), b"\x05\x00\x00\x09" + bytes(6), b"\x05\x00", b"\x04" + bytes(9)]
)
async def test_a_reply_that_makes_no_sense_is_an_error(reply: bytes) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await handshake(reader, writer)
        writer.write(reply)

    async with socks_server(script) as port, asyncio.timeout(5):
        with pytest.raises(RendezvousError) as caught:
            await dial(port)
    assert caught.value.code == "socks-broken"


async def test_nobody_listens(tmp_path: Path) -> None:
    for endpoint in (free_ports(1)[0], tmp_path / "absent"):
        with pytest.raises(RendezvousError) as caught:
            await dial(endpoint)
        assert caught.value.code == "tor-down"


async def test_a_cancelled_dial_closes_its_connection() -> None:
    ended = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await handshake(reader, writer)
        assert await reader.read() == b""
        ended.set()

    async with socks_server(script) as port:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await dial(port)
        await asyncio.wait_for(ended.wait(), 5)
