from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest

from p4.core import limits
from p4.core.session.session_frames import Datagram
from p4.errors import InputError
from p4.node.datagrams import DatagramServices, ReceivedDatagram, datagram

PEER: Any = "the contact"


def everything(service: str) -> bool:
    return service != ""


def received(data: bytes, service: str = "s") -> ReceivedDatagram:
    return ReceivedDatagram(PEER, service, data)


async def test_every_subscription_of_the_service_gets_it() -> None:
    services = DatagramServices()
    first, second, other = services.subscribe("s"), services.subscribe("s"), services.subscribe("s.t")
    services.received(PEER, Datagram("s", b"1"))
    services.received(PEER, Datagram("s.t", b"2"))
    assert await anext(first) == await anext(second) == received(b"1")
    assert await anext(other) == received(b"2", "s.t")


async def test_a_reader_waits_for_what_comes() -> None:
    services = DatagramServices()
    subscription = services.subscribe("s")
    waiting = asyncio.ensure_future(anext(subscription))
    await asyncio.sleep(0)
    services.received(PEER, Datagram("s", b"1"))
    services.received(PEER, Datagram("s", b"2"))
    assert await waiting == received(b"1")
    assert await anext(subscription) == received(b"2")


async def test_the_oldest_go_when_the_reader_is_slow() -> None:
    services = DatagramServices()
    slow, quick = services.subscribe("s"), services.subscribe("s")
    for number in range(limits.WAITING_DATAGRAMS + 3):
        services.received(PEER, Datagram("s", b"%d" % number))
        assert (await anext(quick)).data == b"%d" % number
    services.close()
    assert [item.data async for item in slow] == [
        b"%d" % number for number in range(3, limits.WAITING_DATAGRAMS + 3)
    ]
    assert (slow.dropped, quick.dropped) == (3, 0)


async def test_closing_ends_the_iteration() -> None:
    services = DatagramServices()
    one, other = services.subscribe("s"), services.subscribe("s")
    reader = asyncio.ensure_future(anext(one, None))
    await asyncio.sleep(0)
    one.close()
    assert await reader is None
    services.received(PEER, Datagram("s", b"1"))
    assert await anext(one, None) is None
    services.close()
    assert [item.data async for item in other] == [b"1"]
    assert await anext(services.subscribe("s"), None) is None


async def test_a_cancelled_reader_loses_nothing() -> None:
    services = DatagramServices()
    subscription = services.subscribe("s")
    reader = asyncio.ensure_future(anext(subscription))
    await asyncio.sleep(0)
    services.received(PEER, Datagram("s", b"1"))
    reader.cancel()
    await asyncio.wait([reader])
    assert (await anext(subscription)).data == b"1"


def test_nothing_is_kept_for_nobody() -> None:
    services = DatagramServices()
    subscription = services.subscribe("s")
    services.received(PEER, Datagram("unknown", b"1"))
    del subscription
    gc.collect()
    services.received(PEER, Datagram("s", b"1"))
    assert not any(services._subscriptions.values())
    assert "unknown" not in services._subscriptions


@pytest.mark.parametrize(
    ("service", "data", "granted", "code"),
    [
        ("S", b"", everything, "bad-service"),
        ("s", "text", everything, "not-bytes"),
        ("s", bytes(limits.DATAGRAM_BYTES + 1), everything, "too-large"),
        ("s", b"", "other".__eq__, "not-granted"),
    ],
)
def test_what_cannot_be_sent(service: str, data: bytes, granted: Callable[[str], bool], code: str) -> None:
    with pytest.raises(InputError) as caught:
        datagram(service, data, granted)
    assert caught.value.code == code


def test_what_can_be_sent() -> None:
    largest = bytes(limits.DATAGRAM_BYTES)
    assert datagram("s", largest, everything) == Datagram("s", largest)
    assert datagram("s", memoryview(b"x"), "s".__eq__) == Datagram("s", b"x")


def test_a_subscription_needs_a_service() -> None:
    with pytest.raises(InputError):
        DatagramServices().subscribe("no service")
