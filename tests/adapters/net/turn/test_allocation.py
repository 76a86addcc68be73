"""The TURN client of the diagnosis: a real server, and servers that misbehave."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.integration.turn.coturn import LOGIN, run_coturn

from p4.adapters.net.turn.allocation import try_allocation
from p4.adapters.net.turn.wire import Login, allocate_request, parse_reply, reply_length
from p4.core.ice import parse_turn_url
from p4.errors import UnreachableError

TRANSACTION = bytes(range(12))


def test_requests_are_whole_whatever_the_length_of_names() -> None:
    for name in ("a", "ann", "\N{GREEK SMALL LETTER OMEGA}" * 7):
        request = allocate_request(TRANSACTION, Login(name, "secret", b"realm", b"nonce"))
        assert reply_length(request) == len(request)
        assert len(request) % 4 == 0


@pytest.mark.parametrize("size", range(60))
def test_noise_is_no_reply(size: int) -> None:
    assert parse_reply(os.urandom(size), TRANSACTION) is None
    head = b"\x01\x03" + max(0, size - 20).to_bytes(2, "big") + b"\x21\x12\xa4\x42" + TRANSACTION
    parse_reply((head + os.urandom(60))[:size], TRANSACTION)  # raises nothing


async def refusal(url: str, credentials: tuple[str, str] | None, *, timeout: float = 5) -> str:
    with pytest.raises(UnreachableError) as error:
        await try_allocation(parse_turn_url(url), credentials, timeout=timeout)
    assert error.value.message.endswith(".")
    return str(error.value.code)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["udp", "tcp", "tls"])
async def test_a_real_server(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with run_coturn(tmp_path, LOGIN["static"]) as server:
        url = server.url(way)
        if way == "tls":
            assert await refusal(url, ("ann", "pass-word")) == "turn-certificate"
            monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
        found = await try_allocation(parse_turn_url(url), ("ann", "pass-word"), timeout=5)
        assert found.relayed[0] == server.address
        assert 0 < found.seconds < 5
        assert await refusal(url, ("ann", "wrong")) == "turn-login"
        assert await refusal(url, ("nobody", "pass-word")) == "turn-login"
        assert await refusal(url, None) == "turn-wants-login"


@pytest.mark.slow
async def test_a_real_server_without_log_in(tmp_path: Path) -> None:
    with run_coturn(tmp_path, LOGIN["none"]) as server:
        await try_allocation(parse_turn_url(server.url("udp")), None, timeout=5)


@asynccontextmanager
async def answering(answer: Callable[[bytes], bytes]) -> AsyncIterator[str]:
    """A TCP server that gives one answer to everything."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(answer(await reader.read(4096)))
            await reader.read()
        except OSError:
            pass  # the client hung up
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"turn:127.0.0.1:{server.sockets[0].getsockname()[1]}?transport=tcp"
    finally:
        server.close()
        await asyncio.sleep(0.05)  # what hung up is cleaned up in the next turns of the loop


def error_reply(request: bytes, code: int) -> bytes:
    value = bytes([0, 0, code // 100, code % 100])
    return b"\x01\x13" + (8).to_bytes(2, "big") + request[4:20] + b"\x00\x09\x00\x04" + value


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda request: b"HTTP/1.1 400 Bad Request\r\n\r\n", "turn-closed"),
        (lambda request: error_reply(request, 486), "turn-refused"),
        (lambda request: b"", "turn-silent"),
        (lambda request: b"\x01\x03\x00\x00" + request[4:20], "turn-refused"),
    ],
    ids=["a web server", "over quota", "silence", "a relay without address"],
)
async def test_servers_that_give_no_relay(answer: Callable[[bytes], bytes], code: str) -> None:
    async with answering(answer) as url:
        assert await refusal(url, ("ann", "x"), timeout=0.5) == code


async def test_where_nobody_listens() -> None:
    assert await refusal("turn:127.0.0.1:9?transport=tcp", None, timeout=2) == "turn-closed"
    assert await refusal("turn:no-such-host.invalid", None, timeout=5) in {"turn-name", "turn-silent"}
