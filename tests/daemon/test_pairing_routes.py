"""Pairing through the API: real daemons, real sockets, and the client of programs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from tests.daemon.conftest import SECONDS, RunningDaemon

from p4.client import Client, connect
from p4.client.pairing import Pairing
from p4.errors import InputError, InviteError, PairingError, WordError

Start = Callable[..., Awaitable[RunningDaemon]]


@pytest.fixture
async def two(start_daemon: Start) -> tuple[RunningDaemon, RunningDaemon]:
    """Daemons that do not know each other."""
    laptop, phone = await asyncio.gather(start_daemon("laptop"), start_daemon("phone"))
    laptop.node.rename("the laptop")
    phone.node.rename("the phone")
    return laptop, phone


@asynccontextmanager
async def pairing_of(daemon: RunningDaemon) -> AsyncIterator[Pairing]:
    async with connect(daemon.directory) as client:
        yield Pairing(client)


async def events_of(client: Client, *kinds: str, told: asyncio.Event) -> tuple[str, dict[str, object]]:
    from p4.client import FEED_OPENED

    async for event in client.events(FEED_OPENED, *kinds):
        if event.kind == FEED_OPENED:
            told.set()
        elif event.kind in kinds:
            return event.kind, event.data
    raise AssertionError("the daemon ended")


async def test_a_link_pairs_two_daemons_and_both_are_told(two: tuple[RunningDaemon, RunningDaemon]) -> None:
    laptop, phone = two
    async with (
        connect(laptop.directory) as client,
        pairing_of(phone) as guest,
    ):
        host, reading = Pairing(client), asyncio.Event()
        told = asyncio.ensure_future(events_of(client, "contact.paired", told=reading))
        await reading.wait()
        invite = await host.create(name="my phone")
        assert (invite.state, invite.kind) == ("open", "link")
        assert [found.id for found in await host.list()] == [invite.id]
        waiting = asyncio.ensure_future(host.wait(invite.id))
        assert (await host.wait_findable(invite.id)).findable
        contact = await guest.add(invite.text)
        assert (contact.id, contact.name) == (laptop.node.peer_id, "the laptop")
        assert (await waiting).name == "my phone"
        async with asyncio.timeout(SECONDS):
            kind, data = await told
        assert kind == "contact.paired"
        assert data == {"contact": {"id": phone.node.peer_id, "name": "my phone"}, "invite": invite.id}
        answer = (await laptop.http.get(f"/v1/invites/{invite.id}")).json()
        assert (answer["state"], answer["text"]) == ("paired", "")
        assert await host.list() == ()
        with pytest.raises(PairingError) as used:
            await guest.add(invite.text, patience=5)
        assert used.value.code == "used"


async def test_an_invite_that_is_taken_back_ends_for_who_waits(
    two: tuple[RunningDaemon, RunningDaemon],
) -> None:
    async with pairing_of(two[0]) as host:
        invite = await host.create(lifetime=3600)
        waiting = asyncio.ensure_future(host.wait(invite.id))
        await host.cancel(invite.id)
        with pytest.raises(PairingError) as ended:
            await waiting
        assert ended.value.code == "cancelled"
        assert "taken back" in ended.value.message


async def test_what_cannot_be_used_is_said_in_our_own_errors(
    two: tuple[RunningDaemon, RunningDaemon],
) -> None:
    async with pairing_of(two[0]) as host:
        invite = await host.create()
        with pytest.raises(InviteError) as own:
            await host.add(invite.text)
        assert own.value.code == "own-invite"
        with pytest.raises(InviteError) as mistyped:
            await host.add(invite.text[:-1] + ("a" if invite.text[-1] != "a" else "e"))
        assert mistyped.value.code in {"mistyped", "bad-link"}
        with pytest.raises(WordError) as word:
            await host.add("legal winner thank year wave sausage worth usefull")
        assert (word.value.position, word.value.word) == (8, "usefull")
        assert "useful" in word.value.suggestions
        with pytest.raises(InputError) as short:
            await host.create(lifetime=1)
        assert short.value.code == "bad-lifetime"
        with pytest.raises(PairingError) as nowhere:
            await host.create(kind="words")
        assert nowhere.value.code == "no-place"
        answer = await two[0].http.get("/v1/invites/0123")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown-invite")


async def test_pairing_is_the_owners(two: tuple[RunningDaemon, RunningDaemon]) -> None:
    laptop, _ = two
    token = (await laptop.http.post("/v1/tokens", json={"app": "notes", "services": ["notes"]})).json()[
        "token"
    ]
    app = await laptop.over_tcp(token)
    for method, path in (("GET", "/v1/invites"), ("POST", "/v1/invites"), ("POST", "/v1/pairings")):
        answer = await app.request(method, path, json={} if path == "/v1/invites" else {"invite": "x"})
        assert answer.status_code == 403, (method, path)


async def test_who_goes_away_gives_the_search_up(two: tuple[RunningDaemon, RunningDaemon]) -> None:
    laptop, phone = two
    async with pairing_of(laptop) as host:
        invite = await host.create()
        text = invite.text
        await host.cancel(invite.id)
        await laptop.daemon.close()
    async with pairing_of(phone) as guest:
        adding = asyncio.ensure_future(guest.add(text, patience=60))
        await until(looking_for_a_host)
        adding.cancel()
        await until(lambda: not looking_for_a_host())


def looking_for_a_host() -> bool:
    return any("Visit._visit" in str(task.get_coro()) for task in asyncio.all_tasks())


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not true():  # noqa: ASYNC110 - tasks of the daemon, which tell nobody
            await asyncio.sleep(0.02)
