"""Links through a real TURN server: every transport, every way to log in, both libraries."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.adapters.webrtc.harness import End, negotiate, two_ends
from tests.integration.turn.coturn import LOGIN, Coturn, run_coturn
from tests.patience import patience

from p4.adapters.webrtc import select_backend
from p4.adapters.webrtc.aiortc_backend import AiortcBackend
from p4.adapters.webrtc.wrtc_backend import WrtcBackend
from p4.core.ice import IceSettings, TurnServer
from p4.errors import LinkError
from p4.ports import ChannelOpened, LinkBackend, PathKind

pytestmark = pytest.mark.slow

Servers = dict[str, Coturn]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """One server for each way to log in."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(run_coturn(tmp_path_factory.mktemp(name), options))
            for name, options in LOGIN.items()
        }


@pytest.fixture(autouse=True)
def trust(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let OpenSSL, and so aiortc, trust the servers' own certificates, as a private authority would be."""
    bundle = servers["none"].certificate.with_name("bundle.pem")
    bundle.write_text("".join(server.certificate.read_text() for server in servers.values()))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))


def relayed(server: Coturn, login: str, *ways: str) -> IceSettings:
    """Through this server or not at all."""
    urls = [server.url(way) for way in ways]
    known = {
        "static": [TurnServer(url, username="ann", password="pass-word") for url in urls],
        "rest": [TurnServer(url, secret="north", user="ann") for url in urls],
        "none": [TurnServer(url) for url in urls],
    }
    return IceSettings(stun=(), turn=tuple(known[login]), relay_only=True)


WORKING = [
    *((("wrtc", "wrtc"), login, way) for login in ("static", "rest") for way in ("udp", "tcp")),
    *((("aiortc", "aiortc"), login, way) for login in LOGIN for way in ("udp", "tcp", "tls")),
    *((("wrtc", "aiortc"), "rest", way) for way in ("udp", "tcp")),
    (("aiortc", "wrtc"), "static", "udp"),
]


@pytest.mark.parametrize(
    ("names", "login", "way"),
    WORKING,
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else value,
)
async def test_two_ends_that_may_only_use_the_relay_exchange_messages(
    servers: Servers, names: tuple[str, str], login: str, way: str
) -> None:
    async with two_ends(names, relayed(servers[login], login, way)) as (offerer, answerer):
        for description in await negotiate(offerer, answerer):
            assert " typ relay" in description
            assert " typ host" not in description
            assert " typ srflx" not in description
        assert await offerer.next() == await answerer.next() == ChannelOpened("chat")
        for message in ("through the relay", bytes(20_000)):
            offerer.link.send("chat", message)
            assert (await answerer.message()).data == message
            answerer.link.send("chat", message)
            assert (await offerer.message()).data == message
        for end in (offerer, answerer):
            path = await end.link.path()
            assert path is not None
            assert (path.kind, path.local) == (PathKind.RELAY, "relay")
            assert path.protocol == ("udp" if way == "udp" else "tcp")
            assert path.bytes_sent > 20_000


@pytest.mark.parametrize("name", ["wrtc", "aiortc"])
async def test_of_several_servers_each_gives_a_candidate(servers: Servers, name: str) -> None:
    static, rest = servers["static"], servers["rest"]
    ice = IceSettings(
        stun=(f"stun:{static.address}:{static.port}",),
        turn=relayed(static, "static", "udp").turn + relayed(rest, "rest", "tcp").turn,
    )
    async with two_ends((name, name), ice) as (offerer, _):
        offer = await offerer.link.offer("chat")
        assert offer.count(" typ relay") >= 2
        assert " typ host" in offer


@pytest.mark.parametrize("name", ["wrtc", "aiortc"])
async def test_a_refused_log_in_says_so_and_leaves_direct_paths(servers: Servers, name: str) -> None:
    wrong = TurnServer(servers["static"].url("udp"), username="ann", password="wrong")
    async with two_ends((name, name), IceSettings(stun=(), turn=(wrong,), relay_only=True)) as (offerer, _):
        with pytest.raises(LinkError, match="refused the log-in"):
            await offerer.link.offer("chat")
    async with two_ends((name, name), IceSettings(stun=(), turn=(wrong,))) as (offerer, answerer):
        await negotiate(offerer, answerer)
        assert await offerer.next() == await answerer.next() == ChannelOpened("chat")


@pytest.mark.parametrize("kind", [WrtcBackend, AiortcBackend])
async def test_rest_credentials_expire_and_are_derived_anew_for_each_link(
    servers: Servers, kind: type[WrtcBackend | AiortcBackend]
) -> None:
    server = servers["rest"]
    ice = IceSettings(
        stun=(), turn=(TurnServer(server.url("udp"), secret="north", user=kind.__name__),), relay_only=True
    )
    moments: list[float] = []
    backend = kind(wall_seconds=lambda: time.time() + moments[-1])

    async def offer(seconds_from_now: float) -> None:
        moments.append(seconds_from_now)
        end = End(backend, ice)
        try:
            await end.link.offer("chat")
        finally:
            end.link.close()
            await backend.close()

    await offer(0)
    await offer(100)
    expiries = sorted(int(user.partition(":")[0]) for user in server.users() if user.endswith(kind.__name__))
    assert len(expiries) == 2
    assert 99 <= expiries[1] - expiries[0] <= 110

    with pytest.raises(LinkError):
        await offer(-4000)


async def test_wrtc_refuses_a_certificate_of_no_public_authority(servers: Servers) -> None:
    """Documented in the adapter: only aiortc looks into the system's trust store."""
    async with two_ends(("wrtc", "wrtc"), relayed(servers["static"], "static", "tls")) as (offerer, _):
        with pytest.raises(LinkError):
            await offerer.link.offer("chat")


async def test_aiortc_checks_certificates(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/dev/null")
    async with two_ends(("aiortc", "aiortc"), relayed(servers["static"], "static", "tls")) as (offerer, _):
        with pytest.raises(LinkError):
            await offerer.link.offer("chat")


async def test_wrtc_leaves_out_a_server_without_authentication_and_says_so(servers: Servers) -> None:
    said: list[str] = []
    end = End(select_backend("wrtc", warn=said.append), relayed(servers["none"], "none", "udp"))
    with pytest.raises(LinkError):
        await end.link.offer("chat")
    end.link.close()
    assert len(said) == 1
    assert servers["none"].url("udp") in said[0]


@pytest.mark.parametrize("name", ["wrtc", "aiortc"])
async def test_closing_does_not_wait_for_a_server_that_died(
    name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """aioice alone would wait 63 s for the server to confirm."""
    with run_coturn(tmp_path_factory.mktemp("dying"), LOGIN["static"]) as server:
        backend: LinkBackend = select_backend(name)
        offerer, answerer = (End(backend, relayed(server, "static", "udp")) for _ in range(2))
        await negotiate(offerer, answerer)
        assert await offerer.next() == await answerer.next() == ChannelOpened("chat")
        server.process.kill()
        begin = time.monotonic()
        offerer.link.close()
        answerer.link.close()
        assert time.monotonic() - begin < patience(0.2)
        await backend.close()
        assert time.monotonic() - begin < patience(1.5)
        # aioice goes on asking the dead server to forget us; the loop's end stops that.
        asking = asyncio.all_tasks() - {asyncio.current_task()}
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
