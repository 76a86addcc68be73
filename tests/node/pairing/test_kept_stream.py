"""The stream on which two devices paired serves the first dial between them, and is never left over."""

from __future__ import annotations

import asyncio

from p4.core import limits
from p4.core.address import Transport
from p4.node.dialler import Dialler
from p4.testing import SimulatedNetwork, simulate
from p4.testing.simulated_signaling import simulated_address
from p4.testing.simulated_stream import SimulatedStream

GATE, INVITE = (simulated_address(0, name, Transport.ONION) for name in ("gate", "invite"))


def test_the_first_dial_to_any_address_of_the_contact_takes_it() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        dialler = Dialler([])
        for address in (GATE, INVITE):
            stream = SimulatedStream(network.host("alice"), "of pairing")
            dialler.keep({GATE, INVITE}, stream)
            assert await dialler.dial(address, fresh=False) is stream
            await asyncio.sleep(limits.FIRST_BYTE_SECONDS + 1)
            assert not stream.over

    simulate(scenario)


def test_one_that_nobody_takes_is_closed_soon_and_with_the_node() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        dialler = Dialler([])
        late, last = (SimulatedStream(network.host("alice"), "of pairing") for _ in range(2))
        for stream in (late, last):
            SimulatedStream.connect(stream, SimulatedStream(network.host("bob"), "the other end"))
        dialler.keep({GATE}, late)
        await asyncio.sleep(limits.FIRST_BYTE_SECONDS + 1)
        assert late.over
        dialler.keep({GATE}, last)
        dialler.close()
        assert last.over

    simulate(scenario)
