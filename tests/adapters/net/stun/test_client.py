"""The client on real sockets: repetition, time-outs, and answers that are not for it."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
from tests.adapters.net.stun.server import COOKIE, answer_bytes, attribute, packed_address, pretended_server

from p4.adapters.net.stun.client import StunClient, open_stun_socket, resolve_server
from p4.adapters.net.stun.codec import Address, BindingAnswer
from p4.errors import InputError, UnreachableError


async def test_a_server_tells_our_address() -> None:
    async with pretended_server() as server:
        client = await open_stun_socket(socket.AF_INET)
        try:
            answer = await client.ask((server.hosts[0], server.ports[0]))
        finally:
            client.close()
    assert answer.mapped == ("127.0.0.1", client.local[1])
    assert answer.other == (server.hosts[1], server.ports[1])


async def test_lost_requests_are_repeated() -> None:
    async with pretended_server() as server:
        server.swallow = 2
        client = await open_stun_socket(socket.AF_INET)
        try:
            started = time.monotonic()
            assert (await client.ask((server.hosts[0], server.ports[0]))).mapped
            assert 1.4 < time.monotonic() - started < 2.9
        finally:
            client.close()
    assert len(server.asked) == 3


async def test_silence_has_an_end() -> None:
    async with pretended_server() as server:
        server.swallow = 99
        client = await open_stun_socket(socket.AF_INET)
        try:
            with pytest.raises(UnreachableError, match="did not answer") as caught:
                await client.ask((server.hosts[0], server.ports[0]), timeout=0.2)
        finally:
            client.close()
    assert caught.value.code == "stun-silent"


class Loopback:
    """A client whose requests are answered by the test."""

    def __init__(self) -> None:
        self.client = StunClient(self.send)
        self.sent: list[tuple[bytes, Address]] = []
        self.asked = asyncio.Event()

    def send(self, data: bytes, address: Address) -> None:
        self.sent.append((data, address))
        self.asked.set()
        if len(self.sent) == 1:
            raise OSError("network is unreachable")

    def answer(self, port: int = 1) -> bytes:
        transaction = self.sent[0][0][8:20]
        mapped = packed_address(("192.0.2.1", port), COOKIE + transaction)
        return answer_bytes(transaction, attribute(0x20, mapped))


async def test_only_the_server_that_was_asked_can_answer() -> None:
    """An OSError of the first sending is no end either."""
    path = Loopback()
    question = asyncio.create_task(path.client.ask(("2001:db8::1", 3478)))
    await path.asked.wait()
    answer = path.answer()
    assert path.client.received(path.answer(9), ("2001:db8::2", 3478))
    assert path.client.received(path.answer(9), ("2001:db8::1", 3479))
    assert path.client.received(answer[:-4], ("2001:db8::1", 3478)) is False
    assert not path.client.received(b"something else", ("2001:db8::1", 3478))
    assert path.client.received(answer, ("2001:0db8:0::1", 3478))
    assert path.client.received(path.answer(2), ("2001:db8::1", 3478)), "a late copy is ours as well"
    assert await question == BindingAnswer(("192.0.2.1", 1))
    assert not path.client.received(answer, ("2001:db8::1", 3478)), "nothing is open any more"


async def test_names_and_families() -> None:
    assert await resolve_server("stun:127.0.0.1:5", socket.AF_INET) == [("127.0.0.1", 5)]
    assert await resolve_server("stun:127.0.0.1", socket.AF_INET6) == []
    assert await resolve_server("stun:[::1]", socket.AF_INET6) == [("::1", 3478)]
    assert await resolve_server("stun:nowhere.invalid", socket.AF_INET) == []
    with pytest.raises(InputError):
        await resolve_server("nonsense", socket.AF_INET)
