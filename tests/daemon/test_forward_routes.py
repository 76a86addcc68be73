"""Forwards and served ports through the API: real daemons, real sockets, real programs behind them."""

from __future__ import annotations

import asyncio
import http.server
import json
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import aiohttp
import httpx
import pytest
from tests.daemon.conftest import SECONDS, RunningDaemon

from p4.client import Client, connect
from p4.client.forwards import Forwards, forward, served
from p4.errors import InputError, StreamError
from p4.testing.free_ports import free_ports

Pair = tuple[RunningDaemon, RunningDaemon]


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@contextmanager
def web_server(directory: Path) -> Iterator[int]:
    """A real HTTP server in a thread; gives its port."""
    handler = partial(QuietHandler, directory=str(directory))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@asynccontextmanager
async def client_of(daemon: RunningDaemon) -> AsyncIterator[Client]:
    async with connect(daemon.directory) as client:
        yield client


async def serve(daemon: RunningDaemon, name: str, port: int, *to: str, **more: Any) -> dict[str, Any]:
    answer = await daemon.http.post("/v1/forwards", json=served(name, "127.0.0.1", port, to=to, **more))
    assert answer.status_code == 201, answer.text
    for contact in to:
        if (peer := daemon.node.peer(contact)).connected:
            await peer.ping()  # by then it knows what it may use
    return dict(answer.json())


async def forward_to(daemon: RunningDaemon, contact: str, name: str, **more: Any) -> int:
    """Begin a forward; gives the port where it listens."""
    answer = await daemon.http.post("/v1/forwards", json=forward(contact, name, "127.0.0.1", 0, **more))
    assert answer.status_code == 201, answer.text
    return int(answer.json()["port"])


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SECONDS):
        while not await true():  # noqa: ASYNC110 - of another process, as far as the test can see
            await asyncio.sleep(0.02)


async def records(daemon: RunningDaemon) -> list[dict[str, Any]]:
    return list((await daemon.http.get("/v1/forwards")).json()["forwards"])


async def test_a_web_server_through_a_forward_while_the_link_is_dropped_again_and_again(
    pair: Pair, tmp_path: Path
) -> None:
    laptop, phone = pair
    site = tmp_path / "site"
    site.mkdir()
    film = bytes(range(256)) * 4096 * 12
    (site / "film").write_bytes(film)
    (site / "small").write_bytes(b"small")
    with web_server(site) as web_port:
        await serve(laptop, "web", web_port, "phone")
        port = await forward_to(phone, "laptop", "web")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as browser:
            assert (await browser.get("/small")).content == b"small"
            drops = 0
            came = bytearray()
            async with browser.stream("GET", "/film") as answer:
                async for piece in answer.aiter_bytes():
                    came += piece
                    if len(came) > (drops + 1) * 2_000_000:
                        drops += 1
                        phone.node.peer("laptop").drop()
            assert bytes(came) == film
            assert drops >= 5
            answers = await asyncio.gather(*(browser.get("/small") for _ in range(50)))
            assert [one.content for one in answers] == [b"small"] * 50
    (state,) = await records(phone)
    assert state["figures"]["received"] > len(film)
    assert state["figures"]["refused"] == 0


async def test_a_contact_without_the_grant_reaches_nothing(pair: Pair) -> None:
    laptop, phone = pair
    reached = asyncio.Event()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        target = server.sockets[0].getsockname()[1]
        state = await serve(laptop, "secret", target)
        assert state["allowed"] == []
        await serve(laptop, "public", target, "phone")
        assert laptop.node.peer("phone").grants == ("chat", "ping", "tcp.public")
        for name in ("secret", str(target), "public.secret"):
            if "." in name:
                bad = forward("laptop", name, "127.0.0.1", 0)
                assert (await phone.http.post("/v1/forwards", json=bad)).status_code == 400
                continue
            port = await forward_to(phone, "laptop", name)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"let me in")
            with pytest.raises(ConnectionError):
                await reader.readexactly(1)
            writer.close()
        # Nor by the streams themselves, without the forward of the official program.
        for name in ("tcp.secret", "tcp", "tcp.127.0.0.1:22"):
            with pytest.raises((StreamError, InputError)) as refused:
                await phone.node.peer("laptop").stream(name, "127.0.0.1:22")
            assert refused.value.code in {"not-granted", "bad-service"}
        assert not reached.is_set()
    assert any("tcp.secret" in one["problem"] for one in await records(phone))


async def test_a_revoked_right_ends_connections_at_once(pair: Pair) -> None:
    laptop, phone = pair

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        try:
            await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(keep, "127.0.0.1", 0) as server:
        await serve(laptop, "web", server.sockets[0].getsockname()[1], "phone")
        port = await forward_to(phone, "laptop", "web")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.readexactly(5) == b"hello"
        await laptop.http.delete("/v1/contacts/phone/grants/tcp.web")
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(5):
                await reader.readexactly(1)
        writer.close()


async def test_removing_ends_connections_and_takes_rights_back(pair: Pair) -> None:
    laptop, phone = pair
    await serve(laptop, "web", 9, "phone")
    await laptop.node.peer("phone").grant("tcp.other")
    await serve(laptop, "other", 9, "phone")
    for name in ("web", "other"):
        gone = await laptop.http.delete(f"/v1/forwards/{name}")
        assert gone.status_code == 200
    assert laptop.node.peer("phone").grants == ("chat", "ping", "tcp.other"), "what was there before stays"
    assert (await laptop.http.delete("/v1/forwards/web")).status_code == 404
    taken = await forward_to(phone, "laptop", "web")
    again = await phone.http.post("/v1/forwards", json=forward("laptop", "web", "127.0.0.1", taken))
    assert again.json()["error"]["code"] == "port-in-use"
    assert len(await records(phone)) == 1


async def test_kept_ones_are_back_after_a_restart_and_held_ones_are_not(
    start_daemon: Callable[..., Awaitable[RunningDaemon]],
) -> None:
    laptop, phone = await start_daemon("laptop"), await start_daemon("phone")
    laptop.node.add_contact(phone.node.invite(), "phone")
    phone.node.add_contact(laptop.node.invite(), "laptop")
    (port,) = free_ports(1)
    await serve(laptop, "web", 9, "phone")
    await phone.http.post("/v1/forwards", json=forward("laptop", "web", "127.0.0.1", port, udp=True))
    async with client_of(laptop) as client, Forwards(client).hold(served("held", "::1", 9, to=["phone"])):
        assert laptop.node.peer("phone").grants == ("chat", "ping", "tcp.web", "tcp.held")
        assert [one["name"] for one in await records(laptop)] == ["web", "held"]
        await laptop.daemon.close()
        await phone.daemon.close()
    laptop, phone = await start_daemon("laptop"), await start_daemon("phone")
    assert [(one["name"], one["kept"]) for one in await records(laptop)] == [("web", True)]
    assert laptop.node.peer("phone").grants == ("chat", "ping", "tcp.web")
    (kept,) = await records(phone)
    assert (kept["protocol"], kept["port"], kept["active"]) == ("udp", port, True)
    assert phone.node.peer("laptop").grants == ("chat", "ping", "udp-reply.web")
    await phone.http.delete(f"/v1/forwards/{port}")
    assert phone.node.peer("laptop").grants == ("chat", "ping")


async def test_one_that_is_held_ends_with_whoever_holds_it(pair: Pair) -> None:
    laptop, _ = pair
    async with client_of(laptop) as client:
        async with Forwards(client).hold(served("web", "127.0.0.1", 9, to=["phone"])) as held:
            assert held.record["allowed"] == ["phone"]
            with pytest.raises(InputError) as refused:
                async with Forwards(client).hold(served("web", "127.0.0.1", 9)):
                    pass
            assert refused.value.code == "name-taken"
            assert len(await Forwards(client).list()) == 1
        await until(lambda: _none(laptop))
        assert "tcp.web" not in laptop.node.peer("phone").grants

        async with Forwards(client).hold(served("web", "127.0.0.1", 9)) as held:
            await Forwards(client).remove("web")
            async with asyncio.timeout(5):
                assert [record async for record in held] == []


async def _none(daemon: RunningDaemon) -> bool:
    return not await records(daemon)


async def test_an_app_token_may_not_touch_forwards(daemon: RunningDaemon) -> None:
    made = await daemon.http.post("/v1/tokens", json={"app": "notes", "services": None, "contacts": None})
    app = await daemon.over_tcp(made.json()["token"])
    assert (await app.get("/v1/forwards")).status_code == 403
    assert (await app.post("/v1/forwards", json=served("x", "127.0.0.1", 22))).status_code == 403
    assert (await app.delete("/v1/forwards/x")).status_code == 403
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {made.json()['token']}"}) as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{daemon.base_url}/v1/forwards/hold")
        assert refused.value.status == 403


async def test_events_tell_of_forwards_with_their_figures(pair: Pair) -> None:
    laptop, phone = pair
    kinds: list[str] = []
    figures: dict[str, int] = {}

    async def watch() -> None:
        async with client_of(phone) as client:
            async for event in client.events():
                if event.kind.startswith("forward."):
                    kinds.append(event.kind)
                    figures.update(event.data["figures"])

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0.3)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(4) * 2)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        await serve(laptop, "web", server.sockets[0].getsockname()[1], "phone")
        port = await forward_to(phone, "laptop", "web")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"ping")
        assert await reader.read() == b"pingping"
        writer.close()

        async def told() -> bool:
            return figures.get("received") == 8 and figures.get("open") == 0

        await until(told)
        assert (figures["sent"], figures["connections"]) == (4, 1)
        await phone.http.delete(f"/v1/forwards/{port}")

        async def removed() -> bool:
            return kinds[-1] == "forward.removed"

        await until(removed)
        assert kinds[0] == "forward.added"
        assert "forward.changed" in kinds
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_udp_there_and_back_for_several_programs(pair: Pair) -> None:
    laptop, phone = pair
    loop = asyncio.get_running_loop()

    class Shout(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast("asyncio.DatagramTransport", transport)

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            self.transport.sendto(data.upper(), addr)

    transport, _ = await loop.create_datagram_endpoint(Shout, local_addr=("127.0.0.1", 0))
    await serve(laptop, "dns", transport.get_extra_info("sockname")[1], "phone", udp=True)
    port = await forward_to(phone, "laptop", "dns", udp=True)
    programs = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
    for number, program in enumerate(programs):
        program.setblocking(False)
        program.connect(("127.0.0.1", port))
        for attempt in range(10):  # datagrams may be lost, and the link learns of the grant in its own time
            program.send(b"question %d" % number)
            try:
                async with asyncio.timeout(1):
                    assert await loop.sock_recv(program, 2000) == b"QUESTION %d" % number
                break
            except TimeoutError:
                assert attempt < 9
    programs[0].send(bytes(1097))
    programs[0].send(b"x" * 1096)
    async with asyncio.timeout(5):
        while (came := await loop.sock_recv(programs[0], 2000)) != b"X" * 1096:
            assert came.startswith(b"QUESTION")  # of an attempt that was thought lost
    (state,) = await records(phone)
    assert state["figures"]["too_large"] == 1
    assert state["figures"]["open"] == 3
    assert "1096" in state["problem"]
    (state,) = await records(laptop)
    assert state["figures"]["open"] == 3
    for program in programs:
        program.close()
    transport.close()


async def test_who_may_not_use_a_udp_port_reaches_nothing(pair: Pair) -> None:
    laptop, phone = pair
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as target:
        target.bind(("127.0.0.1", 0))
        target.setblocking(False)
        await serve(laptop, "dns", target.getsockname()[1], udp=True)
        port = await forward_to(phone, "laptop", "dns", udp=True)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as program:
            for _ in range(5):
                program.sendto(b"x", ("127.0.0.1", port))
        await phone.node.peer("laptop").ping()
        link = phone.node.peer("laptop").relation._link
        assert link is not None
        from p4.core.session.session_frames import Datagram, encode

        assert link.send_datagram(encode(Datagram("udp.dns", b"\0\0\0\1forged")))
        await phone.node.peer("laptop").ping()
        with pytest.raises(BlockingIOError):
            target.recv(100)
    (state,) = await records(phone)
    assert state["figures"]["dropped"] == 5
    assert "udp.dns" in state["problem"]


def test_the_json_of_a_forward_is_what_its_model_says() -> None:
    from p4.apps.forward import Endpoint, Figures, Kind, Protocol, Tunnel, TunnelState
    from p4.daemon.routes.forwards import ForwardModel

    tunnel = Tunnel("1", Kind.SERVE, Protocol.TCP, "web", Endpoint("::1", 80))
    state = TunnelState(tunnel, Figures())
    assert json.loads(ForwardModel.of(state).model_dump_json()) == state.as_json()


async def test_bytes_are_nothing_to_hold(daemon: RunningDaemon) -> None:
    connector = aiohttp.UnixConnector(daemon.daemon.endpoint.unix_path or "")
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.ws_connect("http://p4/v1/forwards/hold") as socket,
    ):
        await socket.send_bytes(b"{}")
        assert (await socket.receive_json(timeout=SECONDS))["error"]["code"] == "bad-request"
