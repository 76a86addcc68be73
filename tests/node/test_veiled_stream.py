"""Streams in the open: nobody on the way reads who talks to whom."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from tests.node.harness import QUICK, Puppet, id_of, start
from tests.sim.simulated_node import identity_of

from p4.core.signaling import FAILURE_LINE, Ping, Pong
from p4.core.veil import is_veiled, unveil, veil
from p4.errors import RendezvousError, SignalingError
from p4.node.veiled_stream import VeiledStream
from p4.testing import SimulatedNetwork, run, simulate

ALICE, BOB, MALLORY = (identity_of(name) for name in ("alice", "bob", "mallory"))


class Wire:
    """A stream whose lines a test gives and reads."""

    description = "wire"

    def __init__(self, *lines: bytes) -> None:
        self.lines = list(lines)
        self.sent: list[bytes] = []

    async def receive_line(self) -> bytes | None:
        return self.lines.pop(0) if self.lines else None

    async def send_line(self, line: bytes) -> None:
        self.sent.append(line)

    def close(self) -> None:
        """Nothing to end."""


def veiled(wire: Wire, far_key: bytes | None = BOB.public_key) -> VeiledStream:
    return VeiledStream(wire, partial(unveil, recipient=ALICE), far_key)


def test_lines_are_veiled_both_ways_and_the_failure_line_never_is() -> None:
    async def scenario() -> None:
        wire = Wire(veil(b"hello", ALICE.public_key), FAILURE_LINE)
        stream = veiled(wire)
        assert [await stream.receive_line() for _ in range(3)] == [b"hello", FAILURE_LINE, None]
        for line in (b"a line", FAILURE_LINE):
            await stream.send_line(line)
        assert is_veiled(wire.sent[0])
        assert unveil(wire.sent[0], BOB) == b"a line"
        assert wire.sent[1] == FAILURE_LINE

    run(scenario())


def test_nothing_goes_to_somebody_unknown_and_nothing_too_long() -> None:
    async def scenario() -> None:
        wire = Wire()
        for stream, line in ((veiled(wire, None), b"x"), (veiled(wire), b"x" * 60_000)):
            with pytest.raises(RendezvousError) as caught:
                await stream.send_line(line)
            assert caught.value.code == "stream-broken"
        assert wire.sent == []

    run(scenario())


def test_what_cannot_be_opened_is_an_error_of_the_far_end() -> None:
    async def scenario() -> None:
        with pytest.raises(SignalingError):
            await veiled(Wire(veil(b"x", MALLORY.public_key))).receive_line()

    run(scenario())


def test_a_node_answers_a_veiled_request_under_a_veil() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, "alice", "bob")
        bob = await Puppet(network, "bob").start()
        stream = await bob.dial("alice")
        await stream.send_line(veil(bob.seal("alice", Ping("p1")), ALICE.public_key))
        line = await stream.receive_line()
        assert line is not None
        assert is_veiled(line)
        for name in ("alice", "bob"):
            assert id_of(name).encode() not in line
        assert bob.read(unveil(line, BOB)) == Pong("p1")
        await node.close()

    simulate(scenario, conditions=QUICK)


def test_a_stranger_learns_the_same_constant_line_from_whatever_it_veils() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        node = await start(network, "alice", "bob")
        bob, mallory = await Puppet(network, "bob").start(), await Puppet(network, "mallory").start()
        genuine = bob.seal("alice", Ping("p1"))
        for kind, line in {
            "garbage": b'{"veiled": garbage',
            "no base64": b'{"veiled": "?"}',
            "nothing": b'{"veiled": ""}',
            "for another": veil(genuine, BOB.public_key),
            "a stranger's": veil(mallory.seal("alice", Ping("p1")), ALICE.public_key),
            "forged": veil(mallory.seal("alice", Ping("p1"), as_name="bob"), ALICE.public_key),
            "twice": veil(veil(genuine, ALICE.public_key), ALICE.public_key),
            "a failure": veil(FAILURE_LINE, ALICE.public_key),
            "no request": veil(bob.seal("alice", Pong("p1")), ALICE.public_key),
        }.items():
            stream = await mallory.dial("alice")
            began = asyncio.get_running_loop().time()
            await stream.send_line(line)
            assert await stream.receive_line() == FAILURE_LINE, kind
            assert await stream.receive_line() is None, kind
            assert asyncio.get_running_loop().time() - began < 0.5
        await node.close()

    simulate(scenario, conditions=QUICK)
