"""Choosing who dials an address."""

from __future__ import annotations

import pytest
from tests.node.harness import QUICK, Puppet

from p4.core.address import Transport
from p4.errors import RendezvousError
from p4.node.dialler import Dialler
from p4.testing import SimulatedNetwork, simulate


def test_an_address_is_dialled_by_what_speaks_its_transport() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        bob = await Puppet(network, "bob").start()
        host = network.host("alice")
        onion, direct = host.rendezvous(Transport.ONION), host.rendezvous(Transport.DIRECT)

        async def nobody(stream: object) -> None:
            pass

        await onion.start(nobody, lambda status: None)
        await direct.start(nobody, lambda status: None)
        assert await Dialler([direct, onion]).dial(network.host("bob").address(), fresh=False)
        assert await bob.inbound.get()
        with pytest.raises(RendezvousError) as caught:
            await Dialler([direct]).dial(network.host("bob").address(), fresh=False)
        assert caught.value.code == "no-transport"
        assert "onion" in caught.value.message

    simulate(scenario, conditions=QUICK)
