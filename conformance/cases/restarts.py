"""Daemons that are killed, as by a power failure, while everything goes on."""

from __future__ import annotations

import asyncio

from conformance.cases.local import Pair, case
from conformance.cases.messages import acknowledge, send, take
from conformance.cases.streams import attach, pattern, read, write
from conformance.command import Refusal
from conformance.expectations import Mismatch, equal, refused, true

PATIENCE = 40
SHORT = 0.3
ATTEMPTS = 200
PAUSE = 0.1


@case("kill -9: messages go on, each once")
async def messages(pair: Pair) -> None:
    """The receiver's daemon is killed with messages handed out, done and not done."""
    laptop, phone = pair.laptop, pair.phone
    sending = [{"value": number} for number in range(1, 21)]
    await laptop.to_contact("message.send_many", service=pair.service, values=sending)
    await phone.ask("messages.open", messages="m", service=pair.service)
    taken = [await take(phone, done=number <= 5) for number in range(1, 11)]
    equal([message["value"] for message in taken], list(range(1, 11)), "messages before the end")
    await phone.device.kill()
    telling = [
        phone.begin("messages.done", messages="m", contact_id=one["contact"]["id"], message_id=one["id"])
        for one in taken[5:8]
    ]
    await _away(pair)
    await send(laptop, pair.service, "late", value=21)
    await send(laptop, pair.service, "short", value="of no use later", ttl_seconds=0.2)
    await send(laptop, pair.service, "old", value="old", latest="place")
    await send(laptop, pair.service, "new", value=22, latest="place")
    queued = (await laptop.to_contact("contact.status"))["queued_messages"]
    true(queued >= 2, f"{queued} messages wait for a contact that is away, and two were sent that stay")
    await phone.device.start()
    await asyncio.gather(*telling)
    for receipt, code in (("short", "expired"), ("old", "replaced")):
        waiting = laptop.ask("receipt.delivered", receipt=receipt, timeout_seconds=PATIENCE)
        await refused(waiting, code, type_name="DeliveryError")
    rest = []
    for number in range(11, 23):
        message = await phone.ask("messages.next", messages="m", timeout_seconds=PATIENCE)
        rest.append(message["value"])
        if number < 20:
            await acknowledge(phone, message)
    equal(rest, list(range(11, 23)), "what comes after the restart, each once")
    await refused(phone.ask("messages.next", messages="m", timeout_seconds=SHORT), "timeout")
    await acknowledge(phone, taken[8])
    await phone.ask("messages.close", messages="m")
    await phone.ask("messages.open", messages="again", service=pair.service)
    again = [(await take(phone, "again"))["value"] for _ in range(4)]
    equal(again, [10, 20, 21, 22], "what was not done")
    await refused(phone.ask("messages.next", messages="again", timeout_seconds=SHORT), "timeout")
    await phone.ask("messages.close", messages="again")
    await laptop.ask("receipt.consumed", receipt="late", timeout_seconds=PATIENCE)


async def _away(pair: Pair) -> None:
    """Wait until the laptop has noticed that the phone is away."""
    for _ in range(ATTEMPTS):
        if not (await pair.laptop.to_contact("contact.status"))["connected"]:
            return
        await asyncio.sleep(PAUSE)
    raise Mismatch("a contact whose daemon was killed is still connected")


@case("kill -9: streams, events and calls go on")
async def streams(pair: Pair) -> None:
    """Both daemons are killed in the middle of a stream, with events read and calls served."""
    laptop, phone = pair.laptop, pair.phone
    await laptop.ask("events.open", events="e", types=["contact.renamed"])
    await phone.ask("serving.open", serving="s", service=pair.service)
    await attach(pair, "film")
    half, whole = 300_000, 400_000
    await write(laptop, pattern(half))
    await laptop.ask("stream.flush", stream="s")
    true((await read(phone, 100_000))[0] == pattern(100_000), "other bytes than were written")
    await asyncio.gather(pair.laptop.device.kill(), pair.phone.device.kill())
    await asyncio.gather(pair.laptop.device.start(), pair.phone.device.start())
    written = (await laptop.ask("stream.resume", stream="s"))["written"]
    equal(written, half, "where writing goes on: everything was flushed")
    position = (await phone.ask("stream.resume", stream="s"))["position"]
    true(0 <= position <= 100_000, f"reading goes on at {position}, and 100000 had been read")
    await write(laptop, pattern(whole - half, half))
    await laptop.ask("stream.end", stream="s")
    found, at_end = await read(phone, whole - position + 1)
    expected = pattern(whole - position, position)
    true(found == expected, f"{len(found)} bytes from {position} on are others than were written")
    true(at_end, "the stream has not ended")
    await phone.ask("stream.end", stream="s")
    equal((await read(laptop, 1))[1], True, "the end of the other direction")
    for side in (laptop, phone):
        await side.ask("stream.done", stream="s", timeout_seconds=PATIENCE)
    await _event_after_restart(pair)
    await laptop.ask("events.close", events="e")
    await _call_after_restart(pair)
    await phone.ask("serving.close", serving="s")


async def _event_after_restart(pair: Pair) -> None:
    """Events come again by themselves; those of the time in between are lost."""
    for attempt in range(ATTEMPTS):
        before, after = ("phone", "phone 2") if attempt % 2 == 0 else ("phone 2", "phone")
        await pair.laptop.ask("contact.rename", contact=before, name=after)
        try:
            event = await pair.laptop.ask("events.next", events="e", timeout_seconds=SHORT)
        except Refusal as refusal:
            if refusal.code != "timeout":
                raise
        else:
            equal(event["type"], "contact.renamed", "an event after the restart")
            return
    raise Mismatch("no event came after the restart")


async def _call_after_restart(pair: Pair) -> None:
    """The service is there again at some moment after the restart."""
    for attempt in range(ATTEMPTS):
        service = f"{pair.service}.echo"
        call = pair.laptop.ask(
            "contact.call",
            contact=(await pair.phone.ask("identity"))["id"],
            service=service,
            deadline_seconds=PATIENCE,
            value=attempt,
        )
        try:
            equal(await call, {"value": attempt}, "the result of a call after the restart")
        except Refusal as refusal:
            if attempt == ATTEMPTS - 1:
                raise Mismatch(f"nobody answers calls after the restart: {refusal}") from refusal
            await asyncio.sleep(PAUSE)
        else:
            return
