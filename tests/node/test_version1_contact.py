"""What applications can do with a contact of version 1 (docs/api.md): chat, and be told so about the rest."""

from __future__ import annotations

import pytest

import p4
from p4.ports import PeerRecord
from p4.testing import SimulatedNetwork, simulate, simulated_identity, start_node


def test_only_chat_texts_are_taken_for_it() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        network.host("laptop").disk.peers[simulated_identity("phone").peer_id] = PeerRecord(protocol=1)
        laptop = await start_node(network, "laptop", "phone")
        phone = laptop.peer("phone")

        await phone.send("hello")
        for value, service in ((b"hello", "chat"), ("hello", "notes")):
            with pytest.raises(p4.InputError) as refused:
                await phone.send(value, service=service)
            assert refused.value.code == "not-supported"
        assert phone.queued == 1

        with pytest.raises(p4.CallRefusedError) as no_call:
            await phone.call("ping")
        assert (no_call.value.code, no_call.value.may_have_run) == ("not-supported", False)
        assert not phone.send_datagram("game", b"x")

    simulate(scenario)
