"""The device, pairing, contacts and what they may use."""

from __future__ import annotations

from conformance.cases.local import Pair, case
from conformance.expectations import equal, refused, true

PATIENCE = 30


@case("pairing")
async def pairing(pair: Pair) -> None:
    """Both forget each other, and pair again."""
    laptop, phone = pair.laptop, pair.phone
    for side in (laptop, phone):
        await side.to_contact("contact.remove")
        equal(await side.ask("contact.list"), {"contacts": []}, "contacts after they are removed")
        await refused(side.to_contact("contact.status"), "unknown")
    invite = await laptop.ask("pairing.create", name="phone")
    waiting = laptop.begin("pairing.wait", invite=invite["invite"])
    added = await phone.ask("pairing.add", text=invite["text"], name="laptop", patience_seconds=PATIENCE)
    equal(added["contact"]["name"], "laptop", "the name of the host")
    guest = (await waiting)["contact"]
    equal(guest["name"], "phone", "the name of the guest")
    equal(guest["id"], (await phone.ask("identity"))["id"], "the id of the guest")
    equal(added["contact"]["id"], (await laptop.ask("identity"))["id"], "the id of the host")
    equal(await laptop.ask("contact.list"), {"contacts": [guest]}, "the host's contacts")


@case("pairing: invites that end")
async def invites_that_end(pair: Pair) -> None:
    """One that is taken back, and one that is none."""
    invite = await pair.laptop.ask("pairing.create", name="nobody")
    await pair.laptop.ask("pairing.cancel", invite=invite["invite"])
    await refused(pair.laptop.ask("pairing.wait", invite=invite["invite"]), "cancelled")
    text = "this is no invite"
    adding = pair.phone.ask("pairing.add", text=text, name="", patience_seconds=PATIENCE)
    await refused(adding, "word-count", type_name="InviteError")


@case("device")
async def device(pair: Pair) -> None:
    """Identity, status, services, and a route of which the SDK knows nothing."""
    identity = await pair.laptop.ask("identity")
    true(len(identity["id"]) == 24, f"an id has 24 digits: {identity['id']}")
    status = await pair.laptop.ask("status")
    equal(status, {"id": identity["id"], "contacts": ["phone"]}, "the status")
    await pair.laptop.ask("serving.open", serving="s", service=pair.service)
    services = (await pair.laptop.ask("services"))["services"]
    true({"service": pair.service, "serves_calls": True} in services, f"a served one is missing: {services}")
    await pair.laptop.ask("serving.close", serving="s")
    told = await pair.laptop.ask("request", method="GET", path="/v1/transfers")
    equal(told["body"], {"transfers": []}, "a route's answer")
    told = await pair.laptop.ask("request", method="PATCH", path="/v1/identity", body={"name": "Gerät"})
    equal(told["body"]["name"], "Gerät", "the name after a PATCH")
    equal((await pair.laptop.ask("identity"))["name"], "Gerät", "the name in the identity")


@case("contacts")
async def contacts(pair: Pair) -> None:
    """Status, ping, names, policies, words to compare."""
    laptop, phone = pair.laptop, pair.phone
    round_trip = (await laptop.to_contact("contact.ping"))["round_trip_seconds"]
    true(0 < round_trip < PATIENCE, f"a round trip of {round_trip} s")
    identity = (await phone.ask("identity"))["id"]
    status = await laptop.to_contact("contact.status")
    expected = {"id": identity, "name": "phone", "connected": True, "queued_messages": 0}
    equal(status, expected, "a contact's status")
    beginning = await laptop.ask("contact.status", contact=identity[:8])
    equal(beginning["id"], identity, "a contact by the beginning of its id")
    renamed = await laptop.to_contact("contact.rename", name="Téléphone 📱")
    equal(renamed, {"name": "Téléphone 📱"}, "another name")
    again = await laptop.ask("contact.rename", contact="téléphone 📱", name="phone")
    equal(again, {"name": "phone"}, "the name before")
    await laptop.to_contact("contact.set_policy", policy="direct")
    await refused(
        laptop.to_contact("contact.set_policy", policy="never"), "bad-policy", "bad-request", "bad-value"
    )
    words = [(await side.to_contact("contact.verification"))["words"] for side in (laptop, phone)]
    equal(words[0], words[1], "the words on both devices")
    equal(len(words[0]), 6, "the number of words")
    await refused(laptop.ask("contact.status", contact="tabet"), "unknown", type_name="ContactError")


@case("grants")
async def grants(pair: Pair) -> None:
    """More, less, and what is not there."""
    laptop = pair.laptop
    before = (await laptop.to_contact("contact.grants"))["grants"]
    more = (await laptop.to_contact("contact.grant", services=["one", "two.more"]))["grants"]
    equal(sorted(more), sorted([*before, "one", "two.more"]), "grants after more")
    for service in ("one", "two.more"):
        await laptop.to_contact("contact.revoke", service=service)
    equal(await laptop.to_contact("contact.grants"), {"grants": before}, "grants after less")
    await refused(laptop.to_contact("contact.revoke", service="one"), "unknown")
