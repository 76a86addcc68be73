"""Status, metrics, doctor and events: what the daemon tells about itself."""

from __future__ import annotations

import asyncio
import json
import re

from tests.daemon.conftest import SECONDS, RunningDaemon

Pair = tuple[RunningDaemon, RunningDaemon]


async def test_metrics_are_in_prometheus_form(pair: Pair) -> None:
    laptop, phone = pair
    laptop.node.rename_contact("phone", 'my "phone"')
    await laptop.node.peer(phone.node.peer_id).send("hi", service="notes")
    answer = await laptop.http.get("/v1/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.text.splitlines()
    sample = re.compile(
        r'^p4_[a-z0-9_]+({[a-z0-9_]+="([^"\\]|\\.)*"(,[a-z0-9_]+="([^"\\]|\\.)*")*})? [-+.0-9e]+$'
    )
    assert [line for line in lines if not line.startswith("#") and not sample.match(line)] == []
    label = f'{{contact="{phone.node.peer_id}",name="my \\"phone\\""}}'
    assert f"p4_link_up{label} 1" in lines
    assert "p4_reachable 1" in lines


async def test_the_daemon_examines_itself(daemon: RunningDaemon) -> None:
    diagnosis = (await daemon.http.get("/v1/doctor", params={"tor": False})).json()
    subjects = {finding["subject"] for finding in diagnosis["findings"]}
    assert {"versions", "files", "clock", "disk"} <= subjects
    assert {finding["level"] for finding in diagnosis["findings"]} <= {"ok", "warn", "bad"}


async def test_events_tell_of_contacts_and_links(pair: Pair) -> None:
    laptop, _ = pair
    async with laptop.http.stream("GET", "/v1/events", params={"types": "contact,link"}) as events:
        lines = events.aiter_lines()
        assert await anext(lines) == ": p4"
        await laptop.http.patch("/v1/contacts/phone", json={"name": "Anna"})
        await laptop.http.post("/v1/contacts/Anna/drop")
        found = []
        async with asyncio.timeout(SECONDS):
            async for line in lines:
                if line.startswith("event: "):
                    found.append(line[7:])
                elif line.startswith("data: "):
                    assert json.loads(line[6:])["contact"]["name"] == "Anna"
                if found[-1:] == ["link.up"]:
                    break
        assert found[0] == "contact.renamed"
        assert found[-1] == "link.up"
