"""TCP through a tunnel: bytes, ends, resets, refusals, outages, back-pressure."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from tests.apps.forward.simulated_sockets import ProgramEnd
from tests.apps.forward.two_devices import HERE, PORT, TARGET, Device, Program

from p4.apps.forward import Endpoint, TunnelState
from p4.core import limits
from p4.testing import SimulatedNetwork, simulate


async def tunnel(laptop: Device, phone: Device, program: Program | None = None) -> TunnelState:
    """Serve the port on the laptop, and forward to it on the phone."""
    if program is not None:
        laptop.sockets.listeners[PORT] = program
    await laptop.app.serve("web", TARGET, to=(laptop.node.peer("phone"),))
    return await phone.app.forward(phone.node.peer("laptop"), "web", Endpoint(HERE, 0))


async def port_of(laptop: Device, phone: Device, program: Program | None = None) -> int:
    state = await tunnel(laptop, phone, program)
    assert state.listening
    return state.listening.port


async def echo(end: ProgramEnd) -> None:
    with suppress(ConnectionError):
        while data := await end.read():
            await end.write(data)
        end.end_writing()


def test_bytes_and_half_closes_go_both_ways() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop, phone = await Device.pair(network)
        program = Program()
        port = await port_of(laptop, phone, program)
        client = await phone.connect(port)
        await client.write(b"question")
        client.end_writing()
        server = await program.connection()
        assert await server.read_all() == b"question"
        await server.write(b"answer")  # after the end of the other direction
        server.end_writing()
        assert await client.read_all() == b"answer"

        second = await phone.connect(port)
        other = await program.connection(1)
        other.end_writing()  # the target ends first
        assert await second.read_all() == b""
        await second.write(b"still heard")
        second.end_writing()
        assert await other.read_all() == b"still heard"
        assert (client.error, server.error, second.error, other.error) == (None,) * 4
        await asyncio.sleep(5)
        figures = phone.app.list()[0].figures
        assert (figures.connections, figures.open, figures.refused) == (2, 0, 0)
        assert (figures.sent, figures.received) == (len("question" + "still heard"), len("answer"))
        assert not phone.node.peer("laptop").unfinished("tcp"), "nothing is left on disk"
        assert not laptop.node.peer("phone").unfinished("tcp")

    simulate(scenario)


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_reset_of_one_end_is_a_reset_of_the_other(who: str) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop, phone = await Device.pair(network)
        program = Program()
        client = await phone.connect(await port_of(laptop, phone, program))
        server = await program.connection()
        await client.write(b"x")
        assert await server.read() == b"x"
        resetting, other = (client, server) if who == "client" else (server, client)
        resetting.abort()
        with pytest.raises(ConnectionResetError):
            await other.read()
        assert not phone.node.peer("laptop").unfinished("tcp")

    simulate(scenario)


def test_a_connection_goes_on_over_outages_and_loses_nothing() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop, phone = await Device.pair(network)
        client = await phone.connect(await port_of(laptop, phone, Program(echo)))
        sent = bytearray()

        async def write() -> None:
            for number in range(300):
                piece = b"%d," % number * 200
                sent.extend(piece)
                await client.write(piece)
                await asyncio.sleep(0.02)
            client.end_writing()

        async def trouble() -> None:
            for _ in range(6):
                await asyncio.sleep(0.7)
                phone.node.peer("laptop").drop()
                network.partition(["laptop"], ["phone"])
                await asyncio.sleep(0.3)
                network.heal()

        writing, _ = asyncio.ensure_future(write()), asyncio.ensure_future(trouble())
        came = await client.read_all()
        await writing
        assert came == bytes(sent)

    for seed in range(5):
        simulate(scenario, seed=seed)


def test_what_cannot_be_reached_is_refused_at_once_with_a_reason() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop, phone = await Device.pair(network)
        port = await port_of(laptop, phone)  # nothing listens at the target
        await phone.node.peer("laptop").wait_connected()
        began = asyncio.get_running_loop().time()
        client = await phone.connect(port)
        with pytest.raises(ConnectionResetError):
            await client.read()
        assert asyncio.get_running_loop().time() - began < 1
        await asyncio.sleep(0.1)
        said = phone.app.list()[0]
        assert "connection refused" in said.problem
        assert str(PORT) not in said.problem, "the contact does not learn what was tried"
        assert str(TARGET) in laptop.app.list()[0].problem
        assert said.figures.refused == laptop.app.list()[0].figures.refused == 1
        assert [event.kind for event in phone.events].count("problem") == 1

    simulate(scenario)


def test_a_name_that_is_not_served_is_refused_soon() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop, phone = await Device.pair(network)
        await laptop.node.peer("phone").grant("tcp.web")
        state = await phone.app.forward(phone.node.peer("laptop"), "web", Endpoint(HERE, 0))
        await phone.node.peer("laptop").wait_connected()
        assert state.listening
        client = await phone.connect(state.listening.port)
        began = asyncio.get_running_loop().time()
        with pytest.raises(ConnectionResetError):
            await client.read()
        assert asyncio.get_running_loop().time() - began < 2
        await asyncio.sleep(0.1)
        assert "p4 serve web" in phone.app.list()[0].problem
        assert not phone.node.peer("laptop").unfinished("tcp")

    simulate(scenario)


def test_a_contact_that_stays_away_is_given_up_for_this_connection() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop, phone = await Device.pair(network)
        port = await port_of(laptop, phone, Program(echo))
        network.partition(["laptop"], ["phone"])
        phone.node.peer("laptop").drop()
        began = asyncio.get_running_loop().time()
        client = await phone.connect(port)
        with pytest.raises(ConnectionResetError):
            await client.read()
        assert asyncio.get_running_loop().time() - began == pytest.approx(limits.TUNNEL_ACCEPT_SECONDS, abs=1)
        network.heal()
        again = await phone.connect(port)
        await again.write(b"x")
        assert await again.read() == b"x"

    simulate(scenario)


def test_a_connection_with_a_contact_that_never_comes_back_ends() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop, phone = await Device.pair(network)
        client = await phone.connect(await port_of(laptop, phone, Program(echo)))
        await client.write(b"x")
        assert await client.read() == b"x"
        network.partition(["laptop"], ["phone"])
        phone.node.peer("laptop").drop()
        began = asyncio.get_running_loop().time()
        with pytest.raises(ConnectionResetError):
            await client.read()
        assert asyncio.get_running_loop().time() - began == pytest.approx(limits.TUNNEL_AWAY_SECONDS, abs=60)

    original = limits.TUNNEL_AWAY_SECONDS
    limits.TUNNEL_AWAY_SECONDS = 600.0
    try:
        simulate(scenario)
    finally:
        limits.TUNNEL_AWAY_SECONDS = original


def test_a_target_that_reads_nothing_holds_up_its_client_and_no_other() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop, phone = await Device.pair(network)
        program = Program()
        port = await port_of(laptop, phone, program)
        client = await phone.connect(port)
        server = await program.connection()
        written = 0
        piece = bytes(64 * 1024)

        async def write() -> None:
            nonlocal written
            while True:
                await client.write(piece)
                written += len(piece)

        writing = asyncio.ensure_future(write())
        await asyncio.sleep(120)
        most = limits.STREAM_VOLATILE_BYTES + 2 * limits.TUNNEL_BUFFER_BYTES + 2**20
        assert limits.STREAM_FIRST_WINDOW_BYTES < written < most
        held = written
        await asyncio.sleep(60)
        assert written == held, "it stands still"

        other = await phone.connect(port)
        await other.write(b"quick")
        assert await (await program.connection(1)).read() == b"quick"

        for _ in range(100):
            await server.read()
        await asyncio.sleep(1)
        assert written > held, "it goes on when the target reads"
        writing.cancel()
        client.abort()

    simulate(scenario)


def test_fifty_connections_at_once() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop, phone = await Device.pair(network)
        port = await port_of(laptop, phone, Program(echo))

        async def one(number: int) -> None:
            client = await phone.connect(port)
            body = b"%d " % number * 5000
            await client.write(body)
            client.end_writing()
            assert await client.read_all() == body

        await asyncio.gather(*(one(number) for number in range(50)))
        assert phone.app.list()[0].figures.connections == 50

    simulate(scenario)
