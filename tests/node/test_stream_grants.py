"""Streams end with the right to use their service, and do not begin without it."""

from __future__ import annotations

import pytest

import p4
from p4.testing import SimulatedNetwork, SimulatedNode, simulate, start_node


async def pair(network: SimulatedNetwork) -> tuple[SimulatedNode, SimulatedNode]:
    """Two linked nodes that know what they may use."""
    laptop = await start_node(network, "laptop", "phone")
    phone = await start_node(network, "phone", "laptop")
    await laptop.peer("phone").ping()
    return laptop, phone


def test_no_stream_begins_to_what_is_not_granted() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop, phone = await pair(network)
        with pytest.raises(p4.StreamError) as caught:
            await laptop.peer("phone").stream("films")
        assert caught.value.code == "not-granted"
        assert not network.host("laptop").disk.streams

        await phone.peer("laptop").grant("films")
        await laptop.peer("phone").ping()
        async with laptop.peer("phone").stream("films") as stream:
            await stream.write(b"film")
        received = await anext(phone.streams("films"))
        assert await received.readexactly(4) == b"film"

    simulate(scenario)


def test_one_that_waits_for_a_link_ends_when_the_contact_does_not_grant_it() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop = await start_node(network, "laptop", "phone")
        stream = await laptop.peer("phone").stream("films")
        await start_node(network, "phone", "laptop")
        with pytest.raises(p4.StreamError) as caught:
            await stream.wait_done()
        assert caught.value.code == "not-granted"

    simulate(scenario)


def test_streams_end_when_their_service_is_revoked() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop, phone = await pair(network)
        await phone.peer("laptop").grant("films", "notes")
        await laptop.peer("phone").ping()
        film, note = [await laptop.peer("phone").stream(service) for service in ("films", "notes")]
        incoming = [await anext(phone.streams(service)) for service in ("films", "notes")]

        await phone.peer("laptop").revoke("films")
        for stream, by_contact in ((film, True), (incoming[0], False)):
            with pytest.raises(p4.StreamError) as caught:
                await stream.read()
            assert (caught.value.code, caught.value.by_contact) == ("not-granted", by_contact)
        await note.write(b"still here")
        assert await incoming[1].readexactly(10) == b"still here"

    simulate(scenario)


def test_a_stream_names_the_contact_on_both_sides() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop, phone = await pair(network)
        await phone.peer("laptop").grant("films")
        await laptop.peer("phone").ping()
        stream = await laptop.peer("phone").stream("films")
        received = await anext(phone.streams("films"))
        assert (stream.peer, received.peer) == (laptop.peer("phone"), phone.peer("laptop"))

    simulate(scenario)
