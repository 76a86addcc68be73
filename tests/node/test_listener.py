"""The front door: what strangers cost and what they learn."""

from __future__ import annotations

import asyncio

from tests.node.harness import QUICK, Puppet, id_of, start

from p4.core import limits
from p4.core.signaling import FAILURE_LINE, Answer, Ping, Pong
from p4.testing import SimulatedNetwork, simulate


def test_idle_strangers_stay_below_the_cap_and_hold_up_nobody() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, "alice", "bob")
        bob = await Puppet(network, "bob").start()
        stranger = await Puppet(network, "mallory").start()
        idle = [await stranger.dial("alice") for _ in range(3 * limits.STRANGER_STREAMS)]
        await asyncio.sleep(0.1)
        assert node._listener is not None
        assert node._listener.strangers == limits.STRANGER_STREAMS
        began = asyncio.get_running_loop().time()
        assert await bob.ping("alice") == Pong("p1")
        assert asyncio.get_running_loop().time() - began < 0.5
        for stream in idle:
            assert await stream.receive_line() is None, "an idle stranger is owed nothing"
        assert node._listener.strangers == 0
        assert asyncio.get_running_loop().time() - began < limits.FIRST_BYTE_SECONDS + 1
        await node.close()

    simulate(scenario, conditions=QUICK)


def lines_that_prove_nothing(bob: Puppet, mallory: Puppet) -> dict[str, bytes]:
    genuine = bob.seal("alice", Ping("p1"))
    return {
        "garbage": b"\x00\xffgarbage",
        "json": b"{}",
        "a failure": FAILURE_LINE,
        "a stranger's": mallory.seal("alice", Ping("p1")),
        "forged in a contact's name": mallory.seal("alice", Ping("p1"), as_name="bob"),
        "forged in an unknown name": mallory.seal("alice", Ping("p1"), as_name="nobody"),
        "for someone else": bob.seal("carol", Ping("p1")),
        "changed on the way": genuine.replace(b'"p1"', b'"p2"'),
        "a reply": bob.seal("alice", Pong("p1")),
        "an answer": bob.seal("alice", Answer("a1", "v=0", None)),
    }


def test_whoever_proves_nothing_learns_one_constant_line() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, "alice", "bob")
        bob, mallory = await Puppet(network, "bob").start(), await Puppet(network, "mallory").start()
        replayed = bob.seal("alice", Ping("p0"))
        first = await bob.dial("alice")
        await first.send_line(replayed)
        assert await bob.reply(first) == Pong("p0")
        for kind, line in {**lines_that_prove_nothing(bob, mallory), "replayed": replayed}.items():
            stream = await mallory.dial("alice")
            await stream.send_line(line)
            assert await stream.receive_line() == FAILURE_LINE, kind
            assert await stream.receive_line() is None, kind
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_an_endless_line_is_owed_nothing() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, "alice", "bob")
        mallory = await Puppet(network, "mallory").start()
        stream = await mallory.dial("alice")
        await stream.send_line(b"x" * limits.SIGNALING_LINE_BYTES)
        assert await stream.receive_line() is None
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_a_contact_that_was_removed_is_a_stranger() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, "alice", "bob")
        bob = await Puppet(network, "bob").start()
        assert await bob.ping("alice") == Pong("p1")
        await network.host("alice").run(_remove(node, id_of("bob")))
        assert await bob.ping("alice") == FAILURE_LINE
        await node.close()

    simulate(scenario, conditions=QUICK)


async def _remove(node: object, reference: str) -> None:
    await node.remove_contact(reference)  # type: ignore[attr-defined]
