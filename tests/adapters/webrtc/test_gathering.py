"""Which candidates a description holds, and how long that may take, with STUN and TURN servers that
answer, stay silent or refuse. The servers are sockets of this test; nothing leaves the machine."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Iterator

import pytest
import webrtc
from tests.adapters.webrtc.harness import NO_SERVERS, connected, two_ends, with_candidate

from p4.adapters.webrtc import aiortc_backend, aiortc_gathering, loopback, select_backend, wrtc_backend
from p4.core import limits
from p4.core.ice import IceSettings, TurnServer
from p4.errors import LinkError

BACKENDS = ["wrtc", "aiortc"]
backends = pytest.mark.parametrize("name", BACKENDS)


class StunServer(asyncio.DatagramProtocol):
    """Tells everybody that their public address is 203.0.113.7:40000 (RFC 8489 section 14.2)."""

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, sender: tuple[str, int]) -> None:
        cookie, transaction = data[4:8], data[8:20]
        address = struct.unpack("!I", socket.inet_aton("203.0.113.7"))[0] ^ struct.unpack("!I", cookie)[0]
        port = 40000 ^ struct.unpack("!H", cookie[:2])[0]
        attribute = struct.pack("!HHBBHI", 0x0020, 8, 0, 1, port, address)
        reply = struct.pack("!HH", 0x0101, len(attribute)) + cookie + transaction + attribute
        self._transport.sendto(reply, sender)


@pytest.fixture
async def stun() -> AsyncIterator[str]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        StunServer, local_addr=("127.0.0.1", 0)
    )
    yield f"stun:127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    transport.close()


@pytest.fixture
def silent() -> Iterator[str]:
    """Host and port of a socket, UDP and TCP, that takes everything and answers nothing."""
    with socket.socket(type=socket.SOCK_DGRAM) as udp, socket.socket(type=socket.SOCK_STREAM) as tcp:
        udp.bind(("127.0.0.1", 0))
        tcp.bind(udp.getsockname())
        tcp.listen()
        yield f"127.0.0.1:{udp.getsockname()[1]}"


async def gathered(name: str, ice: IceSettings) -> tuple[str, float]:
    """An offer and the seconds it took."""
    backend = select_backend(name)
    link = backend.create(ice, lambda _: None)
    begin = time.monotonic()
    try:
        return await link.offer("chat"), time.monotonic() - begin
    finally:
        link.close()
        await backend.close()


@backends
async def test_without_servers_an_offer_takes_no_time_and_says_that_it_is_complete(name: str) -> None:
    sdp, seconds = await gathered(name, NO_SERVERS)
    assert "typ host" in sdp
    assert sdp.endswith("a=end-of-candidates\r\n")
    assert seconds < limits.GATHER_SECONDS


@backends
async def test_silent_servers_delay_the_offer_no_longer_than_the_cap(name: str, silent: str) -> None:
    turn = [
        TurnServer(url, username="u", password="p")
        for url in (f"turn:{silent}", f"turn:{silent}?transport=tcp", f"turns:{silent}")
    ]
    sdp, seconds = await gathered(name, IceSettings(stun=(f"stun:{silent}",), turn=tuple(turn)))
    assert "typ host" in sdp
    assert limits.GATHER_SECONDS - 0.1 < seconds < limits.GATHER_SECONDS + 1


@backends
async def test_a_silent_server_does_not_hide_what_another_one_answered(
    name: str, silent: str, stun: str
) -> None:
    sdp, seconds = await gathered(name, IceSettings(stun=(f"stun:{silent}", stun)))
    assert " 203.0.113.7 40000 typ srflx" in sdp
    assert seconds < limits.GATHER_SECONDS + 1


@backends
async def test_two_servers_with_the_same_answer_give_one_candidate(name: str, stun: str) -> None:
    sdp, seconds = await gathered(name, IceSettings(stun=(stun, stun)))
    assert sdp.count("203.0.113.7 40000 typ srflx") == 1
    assert seconds < limits.GATHER_SECONDS


@backends
async def test_a_server_name_that_does_not_resolve_is_passed_over(name: str) -> None:
    sdp, seconds = await gathered(name, IceSettings(stun=("stun:no-such-host.invalid:3478",)))
    assert "typ host" in sdp
    assert seconds < limits.GATHER_SECONDS + 1


@backends
async def test_where_only_relays_are_allowed_and_none_answers_the_error_says_so(
    name: str, silent: str
) -> None:
    server = TurnServer(f"turn:{silent}", username="u", password="p")
    with pytest.raises(LinkError, match="TURN servers did not answer") as refusal:
        await gathered(name, IceSettings(stun=(), turn=(server,), relay_only=True))
    assert refusal.value.code == "gathering-failed"


async def test_closing_while_gathering_gives_up_the_questions(silent: str) -> None:
    for name in BACKENDS:
        ice = IceSettings(stun=(f"stun:{silent}",), turn=(TurnServer(f"turn:{silent}", secret="s"),))
        async with two_ends((name, name), ice) as (offerer, _):
            work = asyncio.ensure_future(offerer.link.offer("chat"))
            assert not (await asyncio.wait({work}, timeout=0.3))[0]
            begin = time.monotonic()
            offerer.link.close()
            with pytest.raises(LinkError):
                await work
            assert time.monotonic() - begin < 1
    assert asyncio.all_tasks() == {asyncio.current_task()}


@backends
async def test_an_answerer_asks_its_servers_too(name: str, stun: str, silent: str) -> None:
    """While the offerer cannot be reached: wrtc stops gathering as soon as it has found a way."""
    async with two_ends((name, name), NO_SERVERS, answerer_ice=IceSettings(stun=(stun,))) as (
        offerer,
        answerer,
    ):
        host, port = silent.split(":")
        offer = with_candidate(await offerer.link.offer("chat"), (host, int(port)))
        assert "203.0.113.7 40000 typ srflx" in await answerer.link.answer(offer)


ADDRESSES = ["HOST", "a_b.example.", "192.0.2.1:65535", "[2001:db8::1]:1", "x" * 63 + ".example"]


@pytest.mark.parametrize("address", ADDRESSES)
async def test_every_address_that_the_core_accepts_is_accepted_by_wrtc(address: str) -> None:
    turn = TurnServer(f"TURN:{address}", username="u" * 508, password="p")
    ice = IceSettings(stun=(f"STUN:{address}",), turn=(turn, TurnServer(f"turns:{address}", secret="s")))
    configuration = wrtc_backend.WrtcBackend()._configuration(ice)
    webrtc.RTCPeerConnection(configuration).close()


# --- credentials ---------------------------------------------------------------------------------------


async def test_each_link_gets_credentials_of_its_own_time() -> None:
    """Two links at different times log in with different expiry; v1 derived them once for ever."""
    moments = iter([1000.0, 2000.0])
    ice = IceSettings(stun=(), turn=(TurnServer("turn:127.0.0.1:9", secret="s", ttl_seconds=60),))
    wrtc = wrtc_backend.WrtcBackend(wall_seconds=lambda: next(moments))
    names = [wrtc.create(ice, print)._configuration.ice_servers[0].username for _ in range(2)]
    assert names == ["1060:p4", "2060:p4"]

    moments = iter([1000.0, 2000.0])
    aiortc = aiortc_backend.AiortcBackend(wall_seconds=lambda: next(moments))
    assert [aiortc.create(ice, print)._logins[0][1] for _ in range(2)] == ["1060:p4", "2060:p4"]


async def test_wrtc_says_once_that_it_cannot_use_a_server_without_credentials() -> None:
    said: list[str] = []
    backend = select_backend("wrtc", warn=said.append)
    for _ in range(2):
        backend.create(IceSettings(stun=(), turn=(TurnServer("turn:relay.example"),)), print)
    assert len(said) == 1
    assert "turn:relay.example" in said[0]


# --- loopback ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("addresses", "needed"),
    [
        (["127.0.0.1", "::1"], True),
        (["127.0.0.1", "127.0.0.53", "fe80::1%eth0"], True),
        (["127.0.0.1", "192.0.2.2"], False),
        (["::1", "fd00::2"], False),
        ([], True),
    ],
)
def test_loopback_is_offered_where_there_is_nothing_else(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str], needed: bool
) -> None:
    class Entry:
        def __init__(self, address: str) -> None:
            self.address = address
            self.family = socket.AF_INET6 if ":" in address else socket.AF_INET

    interfaces = {f"if{number}": [Entry(address)] for number, address in enumerate(addresses)}
    monkeypatch.delenv("P4_ALLOW_LOOPBACK", raising=False)
    monkeypatch.setattr("psutil.net_if_addrs", lambda: interfaces)
    assert loopback.loopback_needed() is needed
    monkeypatch.setenv("P4_ALLOW_LOOPBACK", "1")
    assert loopback.loopback_needed()


async def test_aiortc_links_over_loopback_when_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("P4_ALLOW_LOOPBACK", "1")
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: [])
    async with connected(("aiortc", "aiortc")) as (offerer, answerer):
        offerer.link.send("chat", "on this machine")
        assert (await answerer.message()).data == "on this machine"


async def test_a_machine_without_any_address_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("P4_ALLOW_LOOPBACK", raising=False)
    monkeypatch.setattr(aiortc_gathering, "loopback_needed", lambda: False)
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: [])
    with pytest.raises(LinkError, match="Is it connected to a network"):
        await gathered("aiortc", NO_SERVERS)


@backends
async def test_a_silent_server_does_not_slow_the_next_offer_as_much(name: str, silent: str) -> None:
    backend, ice = select_backend(name), IceSettings(stun=(f"stun:{silent}",))
    taken = []
    for _ in range(2):
        link = backend.create(ice, lambda event: None)
        begun = time.monotonic()
        assert "typ host" in await link.offer("chat")
        taken.append(time.monotonic() - begun)
        link.close()
    await backend.close()
    assert taken[1] < taken[0] - (limits.GATHER_SECONDS - limits.GATHER_SILENT_SECONDS) / 2
