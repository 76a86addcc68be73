"""What becomes of connections when a device is killed, and of tunnels when it starts again."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

import pytest
from tests.apps.forward.simulated_sockets import ProgramEnd
from tests.apps.forward.two_devices import HERE, PORT, TARGET, Device, Program

from p4.apps.forward import Endpoint, carrying, tcp
from p4.apps.forward.udp import UdpForward
from p4.errors import InputError, LocalError
from p4.node.peer import Peer
from p4.node.streams import Stream, StreamHub
from p4.testing import SimulatedNetwork, simulate

NEAR = 7000


async def echo(end: ProgramEnd) -> None:
    with suppress(ConnectionError):
        while data := await end.read():
            await end.write(data)
        end.end_writing()


async def kept(laptop: Device, phone: Device, program: Program) -> None:
    laptop.sockets.listeners[PORT] = program
    await laptop.app.serve("web", TARGET, to=(laptop.node.peer("phone"),), keep=True)
    await phone.app.forward(phone.node.peer("laptop"), "web", Endpoint(HERE, NEAR), keep=True)


def no_streams(*devices: Device) -> bool:
    return not any(peer.unfinished("tcp") for device in devices for peer in device.node.peers())


def nothing_on_disk(network: SimulatedNetwork) -> bool:
    disks = [network.host(name).disk for name in ("laptop", "phone")]
    return not any(streams for disk in disks for streams in (*disk.streams.values(), disk.spools))


async def use_a_connection(network: SimulatedNetwork) -> None:
    laptop, phone = await Device.pair(network)
    await kept(laptop, phone, Program(echo))
    client = await phone.connect(NEAR)
    for _ in range(100):
        await client.write(b"x" * 10_000)
        assert await client.readexactly(10_000) == b"x" * 10_000
        assert nothing_on_disk(network)


def test_nothing_of_a_connection_goes_to_the_disk() -> None:
    simulate(use_a_connection)


async def kill_the_serving_side(network: SimulatedNetwork) -> None:
    laptop, phone = await Device.pair(network)
    program = Program()
    await kept(laptop, phone, program)
    client = await phone.connect(NEAR)
    server = await program.connection()
    await client.write(b"order a pizza")
    assert await server.read() == b"order a pizza"
    laptop.kill()
    await client.write(b"and another")
    await laptop.start()
    with pytest.raises(ConnectionResetError):
        await client.readexactly(1)
    again = await phone.connect(NEAR)
    await again.write(b"third")
    assert await (await program.connection(1)).read() == b"third"
    await asyncio.sleep(5)
    assert len(program.accepted) == 2, "bytes of a connection go to the target once"
    again.abort()
    await asyncio.sleep(5)
    assert no_streams(laptop, phone)


def test_a_killed_serving_side_resets_the_connections_and_repeats_nothing() -> None:
    for seed in range(8):
        simulate(kill_the_serving_side, seed=seed)


async def kill_the_forwarding_side(network: SimulatedNetwork) -> None:
    laptop, phone = await Device.pair(network)
    program = Program()
    await kept(laptop, phone, program)
    client = await phone.connect(NEAR)
    await client.write(b"hello")
    server = await program.connection()
    assert await server.read() == b"hello"
    phone.kill()
    await phone.start()
    async with asyncio.timeout(60):
        with pytest.raises(ConnectionResetError):
            await server.readexactly(1)
    await asyncio.sleep(5)
    assert no_streams(laptop, phone)


def test_a_killed_forwarding_side_resets_what_the_target_still_holds() -> None:
    for seed in range(8):
        simulate(kill_the_forwarding_side, seed=seed)


def test_kills_at_any_moment_leave_nothing_behind_and_new_connections_work() -> None:
    async def scenario(network: SimulatedNetwork, chance: random.Random) -> None:
        laptop, phone = await Device.pair(network)
        await kept(laptop, phone, Program(echo))

        async def use() -> None:
            client = await phone.connect(NEAR)
            try:
                await client.write(b"x" * chance.randrange(1, 100_000))
                client.end_writing()
                await client.read_all()
            except ConnectionError:
                pass
            finally:
                client.abort()

        for _ in range(4):
            working = [asyncio.ensure_future(use()) for _ in range(5)]
            await asyncio.sleep(chance.uniform(0, 0.5))
            victim = chance.choice((laptop, phone))
            victim.kill()
            await victim.start()
            for one in working:  # what the kernel of a killed device would do, too
                one.cancel()
        await asyncio.sleep(5)
        client = await phone.connect(NEAR)
        await client.write(b"still")
        client.end_writing()
        async with asyncio.timeout(60):
            assert await client.read_all() == b"still"
        await asyncio.sleep(10)
        assert no_streams(laptop, phone)

    for seed in range(6):
        chance = random.Random(f"kills {seed}")
        simulate(lambda network, chance=chance: scenario(network, chance), seed=seed)  # type: ignore[misc]


def test_what_is_not_kept_is_gone_after_a_kill_and_so_are_its_rights() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop, phone = await Device.pair(network)
        them = laptop.node.peer("phone")
        await laptop.app.serve("kept", TARGET, to=(them,), keep=True)
        await laptop.app.serve("held", TARGET, to=(them,))
        await phone.app.forward(phone.node.peer("laptop"), "kept", Endpoint(HERE, NEAR))
        assert them.grants == ("chat", "ping", "tcp.kept", "tcp.held")
        laptop.kill()
        phone.kill()
        await laptop.start()
        await phone.start()
        assert laptop.node.peer("phone").grants == ("chat", "ping", "tcp.kept")
        assert [state.tunnel.name for state in laptop.app.list()] == ["kept"]
        assert phone.app.list() == []
        await laptop.app.close()
        assert laptop.node.peer("phone").grants == ("chat", "ping", "tcp.kept")

    simulate(scenario)


def test_a_port_that_is_taken_at_the_start_is_tried_again() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop, phone = await Device.pair(network)
        await kept(laptop, phone, Program(echo))
        phone.kill()
        phone.sockets.listeners[NEAR] = Program()
        await phone.start()
        (state,) = phone.app.list()
        assert state.listening is None
        assert "another program" in state.problem.lower()
        with pytest.raises(LocalError) as refused:
            await phone.app.forward(phone.node.peer("laptop"), "web", Endpoint(HERE, NEAR))
        assert refused.value.code == "port-in-use"
        del phone.sockets.listeners[NEAR]
        await asyncio.sleep(60)
        client = await phone.connect(NEAR)
        await client.write(b"x")
        assert await client.read() == b"x"

    simulate(scenario)


def test_rights_that_two_tunnels_gave_last_as_long_as_either(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop, _ = await Device.pair(network)
        peer = laptop.node.peer("phone")
        first = await _udp(laptop, peer)
        second = await _udp(laptop, peer)
        assert "udp-reply.dns" in peer.grants
        await laptop.app.remove(first)
        assert "udp-reply.dns" in peer.grants
        await laptop.app.remove(second)
        assert "udp-reply.dns" not in peer.grants
        with pytest.raises(InputError) as unknown:
            await laptop.app.remove(second)
        assert unknown.value.code == "unknown"

    async def _udp(device: Device, peer: Peer) -> str:
        return (await device.app.forward(peer, "dns", Endpoint(HERE, 0), udp=True)).tunnel.id

    async def nothing(forward: UdpForward) -> None:
        """UDP has no simulated sockets."""

    monkeypatch.setattr(UdpForward, "open", nothing)
    simulate(scenario)


# -- mutants -------------------------------------------------------------------------------------------------


async def take_over_from_an_earlier_version(network: SimulatedNetwork, patch: pytest.MonkeyPatch) -> None:
    """It kept connections on disk, and both devices are killed and updated with one open."""
    kept_in = StreamHub._kept
    patch.setattr(StreamHub, "_kept", lambda self, _: kept_in(self, True))
    laptop, phone = await Device.pair(network)
    program = Program()
    await kept(laptop, phone, program)
    client = await phone.connect(NEAR)
    server = await program.connection()
    await client.write(b"order a pizza")
    assert await server.read() == b"order a pizza"
    phone.kill()
    laptop.kill()
    patch.undo()
    await phone.start()
    await laptop.start()
    await asyncio.sleep(30)
    assert len(program.accepted) == 1, "bytes of a connection go to the target once"
    assert nothing_on_disk(network)


def test_connections_that_an_earlier_version_kept_are_reset() -> None:
    with pytest.MonkeyPatch.context() as patch:
        simulate(lambda network: take_over_from_an_earlier_version(network, patch))


def test_a_mutant_that_keeps_connections_on_disk_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    kept_in = StreamHub._kept
    monkeypatch.setattr(StreamHub, "_kept", lambda self, _: kept_in(self, True))
    with pytest.raises(AssertionError):
        simulate(use_a_connection)


def test_a_mutant_that_leaves_them_alone_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Peer, "unfinished", lambda self, service: [])
    with pytest.MonkeyPatch.context() as patch, pytest.raises(AssertionError):
        simulate(lambda network: take_over_from_an_earlier_version(network, patch))


def test_a_mutant_that_lets_data_go_before_the_answer_repeats_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the rule that nothing is written before the first byte, a restart would repeat an order."""

    async def hasty(self: tcp.TcpForward, peer: Peer, stream: Stream, end: carrying.ByteEnd) -> None:
        del self, peer, end

    monkeypatch.setattr(tcp.TcpForward, "_wait_accepted", hasty)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        simulate(kill_the_serving_side)


def test_a_mutant_that_loses_half_closes_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    async def whole(end: carrying.ByteEnd, stream: Stream, figures: object) -> None:
        while data := await end.read():
            await stream.write(data)
        # and no close_writing

    monkeypatch.setattr(carrying, "_outward", whole)

    async def scenario(network: SimulatedNetwork) -> None:
        laptop, phone = await Device.pair(network)
        program = Program()
        await kept(laptop, phone, program)
        client = await phone.connect(NEAR)
        client.end_writing()
        async with asyncio.timeout(60):
            assert await (await program.connection()).read_all() == b""

    with pytest.raises(TimeoutError):
        simulate(scenario)


def test_contacts_are_named_by_id_so_a_rename_changes_nothing() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop, phone = await Device.pair(network)
        await kept(laptop, phone, Program(echo))
        phone.node.rename_contact("laptop", "tower")
        (state,) = phone.app.list()
        assert state.contact_name == "tower"
        assert state.tunnel.contact == phone.node.peer("tower").peer_id
        await phone.node.remove_contact("tower")
        client = await phone.connect(NEAR)
        with pytest.raises(ConnectionResetError):
            await client.read()

    simulate(scenario)
