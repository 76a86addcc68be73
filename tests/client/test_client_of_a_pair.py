"""What the client offers, between two real daemons."""

from __future__ import annotations

import asyncio

import pytest
from tests.daemon.conftest import RunningDaemon

import p4.client
from p4.errors import (
    AccessError,
    CallFailed,
    CallRefusedError,
    ContactError,
    DeliveryError,
    InputError,
    LocalError,
    StreamError,
)

Clients = tuple[p4.client.Client, p4.client.Client]


async def grant(clients: Clients, service: str) -> None:
    """The phone lets the laptop use a service, and the laptop knows of it: until then it is refused."""
    laptop, phone = clients
    await phone.contact("laptop").grant(service)
    async with asyncio.timeout(20):
        while True:
            try:
                await (await laptop.contact("phone").send("?", service=f"{service}.known")).delivered()
            except DeliveryError:
                await asyncio.sleep(0.02)
            else:
                return


async def test_the_hello_of_the_documentation(clients: Clients) -> None:
    laptop, phone = clients
    receipt = await laptop.contact("phone").send("hi")
    await receipt.delivered()
    assert receipt.state in {"delivered", "consumed"}
    answer = await phone.request("GET", "/v1/chat/laptop")
    assert [entry["text"] for entry in answer["entries"]] == ["hi"]


async def test_who_and_how(clients: Clients) -> None:
    laptop, phone = clients
    status = await laptop.status()
    assert status.id == (await laptop.identity()).id
    (contact,) = await laptop.contacts()
    assert (contact.name, contact.connected) == ("phone", True)
    assert contact.id == (await phone.identity()).id
    assert status.contacts[0].id == (await laptop.contact(contact.id[:8]).status()).id
    assert 0 < await laptop.contact("phone").ping() < 5
    assert "p4_" in await laptop.metrics()


async def test_contacts_are_changed(clients: Clients) -> None:
    laptop, _ = clients
    assert (await laptop.contact("phone").rename("Telephone")).name == "Telephone"
    telephone = laptop.contact("telephone")
    assert await telephone.grant("home") == ("chat", "ping", "home")
    assert await telephone.revoke("home") == ("chat", "ping")
    await telephone.set_policy("lan-only")
    assert (await telephone.status()).policy == "lan-only"
    await telephone.remove()
    assert await laptop.contacts() == []
    with pytest.raises(ContactError, match="telephone"):
        await telephone.send("hi")


async def test_messages_with_acknowledgement(clients: Clients) -> None:
    laptop, phone = clients
    await grant(clients, "notes")
    receipts = await laptop.contact("phone").send_many([1, {"two": 2}, b"\x00three"], service="notes")
    async with phone.messages("notes") as notes:
        values = []
        async for message in notes:
            values.append(message.value)
            assert message.contact.name == "laptop"
            await message.done()
            if len(values) == 3:
                break
    assert values == [1, {"two": 2}, b"\x00three"]
    async with asyncio.timeout(20):
        await receipts[-1].consumed()


async def test_what_was_not_done_goes_to_the_next_reader(clients: Clients) -> None:
    laptop, phone = clients
    await grant(clients, "notes")
    sent = await laptop.contact("phone").send("x", service="notes")
    for _ in range(2):
        async with phone.messages("notes") as notes:
            assert (await anext(notes)).id == sent.id


async def test_two_readers_of_chat_are_not_had(clients: Clients) -> None:
    async with clients[0].messages("chat") as chat:
        with pytest.raises(LocalError) as refused:
            await anext(chat)
    assert refused.value.code == "in-use"


async def test_calls_are_answered_by_a_program(clients: Clients) -> None:
    laptop, phone = clients
    await grant(clients, "home")
    serving = asyncio.Event()

    async def switch(call: p4.client.IncomingCall) -> object:
        if call.argument == "break":
            raise RuntimeError("a secret of this program")
        if not isinstance(call.argument, bool):
            raise CallFailed("bad-value", "A light is on or off.", {"got": call.argument})
        return [call.service, call.contact.name, call.argument]

    task = asyncio.create_task(phone.serve("home", switch, serving=serving.set))
    await serving.wait()
    light = laptop.contact("phone")
    assert await light.call("home.light", True) == ["home.light", "laptop", True]
    with pytest.raises(CallFailed, match="on or off") as failed:
        await light.call("home.light", "dim")
    assert (failed.value.code, failed.value.data) == ("bad-value", {"got": "dim"})
    with pytest.raises(CallFailed) as broken:
        await light.call("home.light", "break")
    assert broken.value.code == "internal"
    assert "secret" not in broken.value.message
    with pytest.raises(LocalError) as taken:
        await phone.serve("home", switch)
    assert taken.value.code == "already-served"
    task.cancel()
    await asyncio.wait([task])
    with pytest.raises(CallRefusedError) as refused:
        await light.call("door", True)
    assert (refused.value.code, refused.value.may_have_run) == ("not-granted", False)


async def test_a_stream_goes_on_where_it_was(clients: Clients) -> None:
    laptop, phone = clients
    await grant(clients, "films")
    film = bytes(range(256)) * 4000

    async def receive() -> bytes:
        async with phone.next_stream("films") as stream:
            assert (stream.contact.name, stream.name) == ("laptop", "film.mkv")
            data = b"".join([piece async for piece in stream])
            await stream.consumed()
            await stream.write(b"thanks")
            await stream.close_writing()
            await stream.wait_done()
            return data

    receiving = asyncio.create_task(receive())

    async def send_a_part() -> None:
        async with laptop.contact("phone").stream("films", "film.mkv") as stream:
            await stream.write(film[:300_000])
            await stream.flush()
            raise RuntimeError("the program breaks here")

    with pytest.raises(RuntimeError):
        await send_a_part()
    async with laptop.contact("phone").stream("films", "film.mkv") as stream:
        assert stream.written == 300_000
        await stream.write(film[stream.written :])
        await stream.close_writing()
        assert await stream.read() == b"thanks"
        await stream.consumed()
    assert await receiving == film


async def test_a_refused_stream_says_why(clients: Clients) -> None:
    with pytest.raises(StreamError) as refused:
        async with clients[0].contact("phone").stream("never.granted") as stream:
            await stream.read()  # between two links it is opened, and refused by the next one
    assert refused.value.code == "not-granted"


async def test_datagrams_pass(clients: Clients) -> None:
    laptop, phone = clients
    await grant(clients, "game")
    async with phone.datagrams("game") as there, laptop.datagrams("game") as here:
        arrived = asyncio.ensure_future(anext(aiter(there)))
        while not arrived.done():  # the first ones may come before the other listens
            await here.send("phone", b"x=3")
            await asyncio.wait([arrived], timeout=0.1)
        datagram = arrived.result()
    assert (datagram.contact.name, datagram.data) == ("laptop", b"x=3")


async def test_a_refused_datagram_says_why(clients: Clients) -> None:
    async def send_until_refused() -> None:
        async with clients[0].datagrams("secret") as datagrams:
            for _ in range(100):
                await datagrams.send("phone", b"x")
                await asyncio.sleep(0.02)

    with pytest.raises(InputError) as refused:
        await send_until_refused()
    assert refused.value.code == "not-granted"


async def test_events_are_told(clients: Clients) -> None:
    laptop, _ = clients
    opened = asyncio.Event()

    async def first_up() -> str:
        async for event in laptop.events(p4.client.FEED_OPENED, "link.up"):
            if event.kind == p4.client.FEED_OPENED:
                opened.set()
            else:
                return str(event.data["contact"]["name"])
        raise AssertionError

    watching = asyncio.create_task(first_up())
    await opened.wait()
    await laptop.contact("phone").drop()
    async with asyncio.timeout(20):
        assert await watching == "phone"


async def test_an_app_reaches_the_daemon_by_address_and_token(
    clients: Clients, pair: tuple[RunningDaemon, RunningDaemon]
) -> None:
    laptop, _phone = clients
    await grant(clients, "notes")
    await grant(clients, "home")
    made = await laptop.new_token("notes", services=["notes"])
    assert made.token not in repr(made)
    async with p4.client.connect(url=pair[0].base_url, token=made.token) as app:
        await app.contact("phone").send("x", service="notes")
        with pytest.raises(AccessError) as refused:
            await app.contact("phone").send("x", service="home")
        assert refused.value.code == "not-granted"
        with pytest.raises(AccessError) as owner:
            await app.shutdown()
        assert owner.value.code == "owner-only"
        with pytest.raises(AccessError) as stream:
            async with app.contact("phone").stream("home"):
                pass
        assert stream.value.code == "not-granted"
        (known,) = await laptop.tokens()
        await laptop.revoke_token(known.id)
        with pytest.raises(AccessError) as revoked:
            await app.contacts()
        assert revoked.value.code == "bad-token"


async def test_impossible_requests_are_refused_here(clients: Clients) -> None:
    with pytest.raises(InputError):
        clients[0].contact("")
    with pytest.raises(InputError):
        clients[0].contact("..")
    with pytest.raises(InputError, match="beginning of the contact's id"):
        clients[0].contact("a/b")
    with pytest.raises(InputError):
        p4.client.connect("/state", url="http://127.0.0.1:1")


@pytest.mark.parametrize("name", ["50%", "ü?x=1#y", "a\\b", "nul\0"])
async def test_no_name_reaches_another_route(clients: Clients, name: str) -> None:
    with pytest.raises(ContactError):
        await clients[0].contact(name).status()
