"""`p4 inbox -f --ack` loses nothing and doubles nothing while the daemon is killed under it."""

from __future__ import annotations

import json

import pytest
from tests.cli.devices import Device, Following

Pair = tuple[Device, Device]

ROUNDS = 3
EACH = 4


@pytest.mark.parametrize("service", ["notes", "chat"])
def test_a_killed_daemon_costs_nothing_and_doubles_nothing(fresh_pair: Pair, service: str) -> None:
    anna, bob = fresh_pair
    bob.p4("grant", "anna", "notes")
    following = Following(bob, "inbox", "--service", service, "-f", "--ack", "--json")
    sent: list[str] = []

    def send(count: int) -> None:
        for _ in range(count):
            sent.append(f"text {len(sent)}")
            anna.p4("send", "bob", "--service", service, sent[-1])

    try:
        for _ in range(ROUNDS):
            send(EACH)
            following.wait_for(len(sent) - EACH // 2)  # some are printed, some are on their way
            bob.kill()
            send(1)
            bob.up()
        printed = [json.loads(line) for line in following.wait_for(len(sent))]
        assert [entry.get("text") or entry["value"] for entry in printed] == sent
        # What was printed is done: neither another reader nor another start brings it again.
        assert following.end() == 130
        bob.kill()
        bob.up()
        assert bob.p4("inbox", "--service", service, "--json") == ""
    finally:
        following.stop()
