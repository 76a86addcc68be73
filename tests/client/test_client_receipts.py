"""What became of a message, asked after its contact was renamed."""

from __future__ import annotations

from typing import Any, cast

from p4.client import Client
from p4.client.messages import Receipt


class Daemon:
    """Notes what is asked; everything is delivered."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def request(self, _method: str, path: str, **_more: Any) -> dict[str, str]:
        self.asked.append(path)
        return {"state": "delivered"}


async def test_it_is_asked_for_by_the_contacts_id() -> None:
    daemon, contact = Daemon(), "ab" * 32
    entry = {"id": "00-1", "contact": {"id": contact, "name": "phone"}, "state": "queued"}
    await Receipt(cast("Client", daemon), "phone", entry).delivered()
    assert daemon.asked == [f"/v1/contacts/{contact}/receipts/00-1"]
