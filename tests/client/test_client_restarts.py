"""A client whose daemon ends, is killed, or comes back elsewhere: real daemon processes."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.devices import Device, make_pair

import p4.client
from p4.errors import LocalError

Pair = tuple[Device, Device]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def devices(tmp_path: Path) -> Iterator[Pair]:
    """``anna`` and ``bob`` with daemons that run."""
    anna, bob = make_pair(tmp_path)
    anna.up()
    bob.up()
    yield anna, bob
    anna.stop()
    bob.stop()


async def up(device: Device) -> None:
    await asyncio.to_thread(device.up)


async def test_a_request_waits_for_a_daemon_that_restarts(devices: Pair) -> None:
    anna, _ = devices
    async with p4.client.connect(anna.state) as client:
        before = await client.status()
        await asyncio.to_thread(anna.kill)
        asking = asyncio.create_task(client.status())
        # Away, and back at another port and with another owner token.
        (anna.state / "daemon" / "port").unlink()
        await up(anna)
        assert (await asking).pid != before.pid


async def test_a_daemon_that_does_not_come_back_is_said_to_be_away(devices: Pair) -> None:
    anna, _ = devices
    async with p4.client.connect(anna.state, restart_seconds=0.3) as client:
        await asyncio.to_thread(anna.kill)
        with pytest.raises(LocalError) as away:
            await client.status()
        assert away.value.code == "no-daemon"
    with pytest.raises(LocalError) as absent:
        async with p4.client.connect(anna.state):
            pass
    assert absent.value.code == "no-daemon"


async def test_messages_come_once_while_the_daemon_is_killed_at_every_point(devices: Pair) -> None:
    """Before it was read, between reading and done, and after done: each time the right thing follows."""
    anna, bob = devices
    await asyncio.to_thread(bob.p4, "grant", "anna", "notes")
    async with (
        p4.client.connect(anna.state) as sender,
        p4.client.connect(bob.state) as reader,
        reader.messages("notes") as notes,
    ):
        contact = sender.contact("bob")

        async def kill_and_restart() -> None:
            await asyncio.to_thread(bob.kill)
            await up(bob)

        for value in range(3):
            await contact.send(value, service="notes")
        first = await anext(notes)
        await first.done()
        second = await anext(notes)
        await asyncio.to_thread(bob.kill)
        noted = second.done()  # the daemon is not there to hear it
        third_reading = asyncio.ensure_future(anext(notes))
        await up(bob)
        third = await third_reading
        await noted
        await kill_and_restart()  # the third is with us, and not done
        await contact.send(3, service="notes")
        fourth = await anext(notes)
        await asyncio.gather(third.done(), fourth.done())
        assert [message.value for message in (first, second, third, fourth)] == [0, 1, 2, 3]
        await kill_and_restart()
        last = await contact.send("last", service="notes")
        message = await anext(notes)
        assert message.id == last.id
        await message.done()
    left = await asyncio.to_thread(bob.p4, "inbox", "--service", "notes", "--json")
    assert left == ""


async def test_what_was_said_is_known_to_have_arrived_after_a_restart(devices: Pair) -> None:
    anna, bob = devices
    async with p4.client.connect(anna.state) as client:
        await asyncio.to_thread(bob.kill)
        receipt = await client.contact("bob").send("hello")
        arriving = asyncio.create_task(receipt.delivered())
        await asyncio.to_thread(anna.kill)
        await asyncio.gather(up(anna), up(bob))
        async with asyncio.timeout(60):
            await arriving
        assert receipt.state in {"delivered", "consumed"}


async def test_a_service_is_served_again(devices: Pair) -> None:
    anna, bob = devices
    await asyncio.to_thread(bob.p4, "grant", "anna", "sums")
    async with p4.client.connect(bob.state) as client:
        serving = asyncio.Event()

        def add(call: p4.client.IncomingCall) -> object:
            return sum(call.argument)

        task = asyncio.create_task(client.serve("sums", add, serving=serving.set))
        await serving.wait()
        serving.clear()
        await asyncio.to_thread(bob.kill)
        await up(bob)
        await serving.wait()
        answered = await asyncio.to_thread(anna.p4, "call", "bob", "sums", "[1, 2, 39]")
        assert json.loads(answered) == 42
        task.cancel()
        await asyncio.wait([task])


async def test_tasks_that_meet_a_restart_at_once_share_one_connection(devices: Pair) -> None:
    """Each closes what it opens: `filterwarnings = error` tells of a session that is left open."""
    anna, _ = devices
    async with p4.client.connect(anna.state) as client:
        await client.identity()
        await asyncio.to_thread(anna.kill)
        asking = [asyncio.create_task(client.identity()) for _ in range(8)]
        (anna.state / "daemon" / "port").unlink()
        await up(anna)
        assert len({identity.id for identity in await asyncio.gather(*asking)}) == 1
        gc.collect()
