"""What an application can learn of its streams beyond one that it holds."""

from __future__ import annotations

import asyncio

from p4.testing import SimulatedNetwork, simulate, start_node


def test_unfinished_streams_are_found_again_on_both_sides_after_restarts() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop = await start_node(network, "laptop", "phone")
        phone = await start_node(network, "phone", "laptop")
        await phone.peer("laptop").grant("tcp", "tcpx")
        peer = laptop.peer("phone")
        left = await peer.stream("tcp.web", "left")
        await left.write(b"x")
        kept = await peer.stream("tcp.web", "kept")
        await peer.stream("tcpx", "of another service")
        accepted = [await anext(phone.streams("tcp.web")) for _ in range(2)]
        assert {stream.name for stream in accepted} == {"left", "kept"}
        await left.aclose()
        assert [stream.id for stream in peer.unfinished("tcp")] == [kept.id]

        for name in ("laptop", "phone"):
            network.host(name).crash()
        laptop = await start_node(network, "laptop")
        phone = await start_node(network, "phone")
        mine = laptop.peer("phone").unfinished("tcp")
        theirs = phone.peer("laptop").unfinished("tcp")
        assert [stream.id for stream in mine] == [kept.id]
        assert {stream.name for stream in theirs} == {"left", "kept"}
        for stream in (*mine, *theirs):
            await stream.reset("It is of no use any more.")
        assert laptop.peer("phone").unfinished("tcp") == phone.peer("laptop").unfinished("tcp") == []
        assert len(laptop.peer("phone").unfinished("tcpx")) == 1

    simulate(scenario)


def test_a_writer_can_wait_until_some_of_it_was_consumed() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop = await start_node(network, "laptop", "phone")
        phone = await start_node(network, "phone", "laptop")
        await phone.peer("laptop").grant("log")
        stream = await laptop.peer("phone").stream("log")
        await stream.write(b"0123456789")
        reader = await anext(phone.streams("log"))
        reader.consume_explicitly = True
        waiting = asyncio.ensure_future(stream.wait_confirmed(4))
        assert await reader.readexactly(6) == b"012345"
        await reader.consumed(3)
        await laptop.peer("phone").ping()
        assert not waiting.done()
        await reader.consumed(5)
        await waiting
        assert stream.confirmed == 5

    simulate(scenario)
