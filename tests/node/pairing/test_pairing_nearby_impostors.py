"""Somebody on the guest's local network poses as the host, whose place he has seen; the host is elsewhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from tests.node.pairing.visitor import Visitor, secret_of

from p4.core.pairing.exchange import HostExchange, read_hello
from p4.core.pairing.secrets import PairingSecret
from p4.errors import PairingError
from p4.ports import SignalStream
from p4.ports.pairing import MeetingKind
from p4.testing import SimulatedNetwork, simulate, start_node

Accept = Callable[[SignalStream], Awaitable[None]]


async def refusing(stream: SignalStream) -> None:
    await stream.receive_line()
    await stream.send_line(b'{"refused":"used"}')


async def babbling(stream: SignalStream) -> None:
    await stream.receive_line()
    await stream.send_line(b'{"pairing":1,"pake":"AAAA"}')


async def silent(stream: SignalStream) -> None:
    await stream.receive_line()
    await asyncio.sleep(600)


def guessing(eve: Visitor) -> Accept:
    """Plays the host with a secret of his own."""

    async def accept(stream: SignalStream) -> None:
        hello = read_hello(await stream.receive_line() or b"")
        wrong = PairingSecret(eve.secret.place, b"a guess", eve.secret.host_key)
        host = HostExchange(wrong, eve.identity, eve.card, hello, eve.host.entropy.token)
        await stream.send_line(host.answer())
        with pytest.raises(PairingError):
            host.take_proof(await stream.receive_line() or b"")
        await stream.send_line(json.dumps({"proof": "A" * 43 + "=", "card": "AAAA"}).encode())

    return accept


async def posing(network: SimulatedNetwork, text: str, accept: Accept | None) -> Visitor:
    eve = Visitor(network, "eve", secret_of(text))
    [places] = [p for p in network.host("eve").pairing().places if p.kind is MeetingKind.LAN]
    place = await places.host(eve.secret.place_seed("lan"), accept or guessing(eve))
    await place.wait_open()
    return eve


@pytest.mark.parametrize("kind", ["link", "words"])
@pytest.mark.parametrize("accept", [refusing, babbling, silent, None])
def test_he_does_not_keep_the_guest_from_the_host(kind: str, accept: Accept | None) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        network.move("bob", "192.168.1.2")
        network.move("eve", "192.168.1.3")
        network.move("alice", "10.0.0.4")
        alice, bob = await start_node(network, "alice"), await start_node(network, "bob")
        invite = await alice.invites.create(kind=kind)
        await invite.wait_findable()
        await posing(network, invite.text, accept)
        peer = await asyncio.wait_for(bob.pair(invite.text), 15)
        assert peer.peer_id == alice.peer_id
        assert (await invite.wait()).peer_id == bob.peer_id
        assert len(bob.peers()) == 1

    simulate(scenario, seed=f"{kind} {accept}")


def test_of_two_words_he_gets_one_guess_and_the_guest_is_told() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        network.move("bob", "192.168.1.2")
        network.move("eve", "192.168.1.3")
        bob = await start_node(network, "bob")
        await posing(network, "tiger wolf", None)
        with pytest.raises(PairingError) as failure:
            await bob.pair("tiger wolf")
        assert failure.value.code == "wrong"
        assert bob.peers() == []

    simulate(scenario, seed=1)


@pytest.mark.parametrize("last", [b"", b"{}", b'{"proof":"AAAA","card":"AAAA"}'])
def test_of_two_words_he_gets_no_further_guess_by_breaking_off(last: bytes) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        network.move("bob", "192.168.1.2")
        network.move("eve", "192.168.1.3")
        bob = await start_node(network, "bob")
        shown: list[bytes] = []

        async def accept(stream: SignalStream) -> None:
            hello = read_hello(await stream.receive_line() or b"")
            host = HostExchange(eve.secret, eve.identity, eve.card, hello, eve.host.entropy.token)
            await stream.send_line(host.answer())
            shown.append(await stream.receive_line() or b"")
            if last:
                await stream.send_line(last)
            stream.close()

        eve = await posing(network, "tiger wolf", accept)
        with pytest.raises(PairingError) as failure:
            await bob.pair("tiger wolf")
        assert failure.value.code == "broken-off"
        assert len(shown) == 1
        assert bob.peers() == []

    simulate(scenario, seed=2)
