"""`p4 inbox -f --ack` loses nothing and doubles nothing while the daemon is killed under it."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.cli.devices import Device, Following

import p4.client

ROUNDS = 3
EACH = 5


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("service", ["notes", "chat"])
async def test_a_killed_daemon_costs_nothing_and_doubles_nothing(
    fresh_pair: tuple[Device, Device], service: str
) -> None:
    anna, bob = fresh_pair
    bob.p4("grant", "anna", "notes")
    following = Following(bob, "inbox", "--service", service, "-f", "--ack", "--json")
    sent: list[str] = []

    async def send(contact: p4.client.Contact, count: int) -> None:
        for _ in range(count):
            sent.append(f"text {len(sent)}")
            await contact.send(sent[-1], service=service)

    async def restart(contact: p4.client.Contact) -> None:
        await asyncio.to_thread(bob.kill)
        await send(contact, 1)
        await asyncio.to_thread(bob.up)

    try:
        async with p4.client.connect(anna.state) as client:
            contact = client.contact("bob")
            for _ in range(ROUNDS):
                await send(contact, EACH)
                # Some are printed, some are on their way.
                await asyncio.to_thread(following.wait_for, len(sent) - EACH // 2)
                await restart(contact)
        lines = await asyncio.to_thread(following.wait_for, len(sent))
        entries = [json.loads(line) for line in lines]
        assert [entry.get("text") or entry["value"] for entry in entries] == sent
        # What was printed is done: neither another reader nor another start brings it again.
        assert await asyncio.to_thread(following.end) == 130
        await asyncio.to_thread(bob.kill)
        await asyncio.to_thread(bob.up)
        assert bob.p4("inbox", "--service", service, "--json") == ""
    finally:
        following.stop()
