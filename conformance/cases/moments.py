"""Datagrams and events: now, or not at all."""

from __future__ import annotations

from conformance.cases.local import Pair, case, data, decode
from conformance.command import Refusal
from conformance.expectations import Mismatch, equal, refused, true

PATIENCE = 20
ATTEMPTS = 40
"""A datagram may be lost, each of these again; between two it is waited `_MOMENT` for the answer."""
_MOMENT = 0.5


async def _exchange(pair: Pair, content: bytes) -> None:
    """A datagram there, and one back."""
    for sender, receiver in ((pair.laptop, pair.phone), (pair.phone, pair.laptop)):
        for _ in range(ATTEMPTS):
            await sender.ask("datagrams.send", datagrams="d", contact=sender.contact, bytes_b64=data(content))
            try:
                found = await receiver.ask("datagrams.next", datagrams="d", timeout_seconds=_MOMENT)
            except Refusal as refusal:
                if refusal.code != "timeout":
                    raise
                continue
            true(decode(found["bytes_b64"]) == content, "a datagram has other bytes")
            equal(found["contact"]["name"], receiver.contact, "its sender")
            break
        else:
            raise Mismatch(f"none of {ATTEMPTS} datagrams arrived")


@case("datagrams")
async def datagrams(pair: Pair) -> None:
    """Both ways, of no byte and of many; one that is too large ends them with an error."""
    for side in (pair.laptop, pair.phone):
        await side.ask("datagrams.open", datagrams="d", service=pair.service)
    # Another sender's copies of the one before may be waiting still: so each has its own service.
    await _exchange(pair, bytes(range(256)) * 4)
    for side in (pair.laptop, pair.phone):
        await side.ask("datagrams.close", datagrams="d")
        await side.ask("datagrams.open", datagrams="d", service=f"{pair.service}.empty")
    await _exchange(pair, b"")
    contact, content = pair.laptop.contact, data(bytes(5000))
    try:
        await pair.laptop.ask("datagrams.send", datagrams="d", contact=contact, bytes_b64=content)
    except Refusal as refusal:  # found before it is sent
        equal(refusal.code, "too-large", "the error of a large datagram")
    else:
        waiting = pair.laptop.ask("datagrams.next", datagrams="d", timeout_seconds=PATIENCE)
        await refused(waiting, "too-large")
    for side in (pair.laptop, pair.phone):
        await side.ask("datagrams.close", datagrams="d")


@case("events")
async def events(pair: Pair) -> None:
    """Those that were asked for, in order, and no others."""
    laptop = pair.laptop
    identity = (await pair.phone.ask("identity"))["id"]
    await laptop.ask("events.open", events="e", types=["contact.renamed", "grants.changed"])
    await refused(laptop.ask("events.next", events="e", timeout_seconds=0.3), "timeout")
    await laptop.to_contact("contact.set_policy", policy="direct")  # an event that was not asked for
    for name in ("handset", "phone"):
        contact = "phone" if name == "handset" else "handset"
        await laptop.ask("contact.rename", contact=contact, name=name)
        event = await laptop.ask("events.next", events="e", timeout_seconds=PATIENCE)
        equal(event["type"], "contact.renamed", "the type of an event")
        equal(event["data"]["contact"]["id"], identity, "whom it is about")
    await laptop.ask("events.close", events="e")
