"""Durable messages: each once, in order, with its value, and with its receipt."""

from __future__ import annotations

from typing import Any

from conformance.cases.local import Pair, Side, case, data
from conformance.expectations import equal, refused, true

PATIENCE = 20
SHORT = 0.3
"""So long it is waited for what must not come."""

_LARGE = bytes(range(256)) * 3600
"""900 KiB; a value may have 1 MiB."""


def _deep(levels: int) -> object:
    value: object = "deep"
    for level in range(levels):
        value = [value] if level % 2 else {"in": value}
    return value


VALUES: tuple[dict[str, Any], ...] = (
    {"value": {"hi": 1}},
    {"value": 'a text, not a JSON text: "quoted", {}'},
    {"value": None},
    {"value": True},
    {"value": 0},
    {"value": -1.5e-7},
    {"value": 2**53 - 1},
    {"value": -(2**53 - 1)},
    {"value": ""},
    {"value": []},
    {"value": {}},
    {"value": {"empty": {}, "list": [], "nested": [{}, [[]]]}},
    {"value": {"": "an empty key", "0": "a digit", "snake_case": 1, "camelCase": 2, "__proto__": 3}},
    {"value": "Zażółć gęślą jaźń — 日本語 — é e\u0301 — 👩\u200d👩\u200d👧"},
    {"value": "\u0000\u001f\u007f\u2028\u2029\ufeff\ufffd\\/\t\r\n"},
    {"value": _deep(30)},
    {"value": list(range(2000))},
    {"base64": ""},
    {"base64": data(b"\x00")},
    {"base64": data(bytes(range(256)))},
    {"base64": data(b'{"looks": "like JSON"}')},
)
"""Every one arrives as it is."""


async def send(side: Side, service: str, receipt: str = "r", **value: Any) -> str:
    """Send a message; gives its id."""
    answer = await side.to_contact("message.send", service=service, receipt=receipt, **value)
    return str(answer["id"])


async def take(side: Side, messages: str = "m", *, done: bool = True) -> dict[str, Any]:
    """The next message of a subscription, and say that it is done."""
    message = await side.ask("messages.next", messages=messages, timeout_seconds=PATIENCE)
    if done:
        await acknowledge(side, message, messages)
    return message


async def acknowledge(side: Side, message: dict[str, Any], messages: str = "m") -> None:
    """Say that a message is done."""
    named = {"contact_id": message["contact"]["id"], "message_id": message["id"]}
    await side.ask("messages.done", messages=messages, **named)


def value_in(message: dict[str, Any]) -> dict[str, Any]:
    """Only the value of a message or of a result."""
    return {key: message[key] for key in ("value", "base64") if key in message}


@case("messages")
async def messages(pair: Pair) -> None:
    """Order, ids, and receipts of one that is delivered and one that is consumed."""
    laptop, phone = pair.laptop, pair.phone
    await phone.ask("messages.open", messages="m", service=pair.service)
    first = await send(laptop, pair.service, "first", value={"number": 1})
    await laptop.ask("receipt.delivered", receipt="first", timeout_seconds=PATIENCE)
    await refused(laptop.ask("receipt.consumed", receipt="first", timeout_seconds=SHORT), "timeout")
    rest = [{"value": number} for number in range(2, 5)]
    ids = (await laptop.to_contact("message.send_many", service=pair.service, values=rest))["ids"]
    identity = (await laptop.ask("identity"))["id"]
    for number, expected in enumerate([first, *ids], 1):
        message = await take(phone)
        equal(message["id"], expected, f"the id of message {number}")
        equal(message["contact"], {"id": identity, "name": "laptop"}, "its sender")
        equal(message["service"], pair.service, "its service")
        equal(message["value"], {"number": 1} if number == 1 else number, "its value")
    await laptop.ask("receipt.consumed", receipt="first", timeout_seconds=PATIENCE)
    await refused(phone.ask("messages.next", messages="m", timeout_seconds=SHORT), "timeout")
    later = await send(laptop, pair.service, value="later")
    equal((await take(phone))["id"], later, "the message after one that did not come in time")
    await phone.ask("messages.close", messages="m")


@case("messages: values")
async def values(pair: Pair) -> None:
    """JSON and bytes arrive as they are: empty, deep, large, in every script."""
    laptop, phone = pair.laptop, pair.phone
    await phone.ask("messages.open", messages="m", service=pair.service, contact="laptop")
    await laptop.to_contact("message.send_many", service=pair.service, values=list(VALUES))
    for expected in VALUES:
        equal(value_in(await take(phone)), expected, "a value of a batch")
    for expected in VALUES:
        await send(laptop, pair.service, **expected)
    for expected in VALUES:
        equal(value_in(await take(phone)), expected, "a value")
    for large in ({"base64": data(_LARGE)}, {"value": "é" * (len(_LARGE) // 2)}):
        await send(laptop, pair.service, **large)
        true(value_in(await take(phone)) == large, "a large value is another one than was sent")
    too_large = {"base64": data(bytes(1024 * 1024 + 1))}
    await refused(
        laptop.to_contact("message.send", service=pair.service, receipt="r", **too_large), "too-large"
    )
    await phone.ask("messages.close", messages="m")


@case("messages: what was not done")
async def not_done(pair: Pair) -> None:
    """It comes again to the next subscription, in order, and what was done does not."""
    laptop, phone = pair.laptop, pair.phone
    numbers = [{"value": number} for number in range(1, 6)]
    await laptop.to_contact("message.send_many", service=pair.service, values=numbers)
    await phone.ask("messages.open", messages="m", service=pair.service)
    taken = [await take(phone, done=False) for _ in range(3)]
    equal([message["value"] for message in taken], [1, 2, 3], "messages")
    await acknowledge(phone, taken[0])
    await acknowledge(phone, taken[2])
    await phone.ask("messages.close", messages="m")
    await phone.ask("messages.open", messages="again", service=pair.service)
    again = [(await take(phone, "again"))["value"] for _ in range(3)]
    equal(again, [2, 4, 5], "what comes again")
    await refused(phone.ask("messages.next", messages="again", timeout_seconds=SHORT), "timeout")
    await phone.ask("messages.close", messages="again")


@case("messages: latest, expired, refused")
async def ends(pair: Pair) -> None:
    """A latest value with its key; what never arrives, and says so."""
    laptop, phone = pair.laptop, pair.phone
    await send(laptop, pair.service, value="newest", latest="place")
    await phone.ask("messages.open", messages="m", service=pair.service)
    message = await take(phone)
    equal([message["value"], message["key"]], ["newest", "place"], "a latest value")
    await phone.ask("messages.close", messages="m")
    await send(laptop, "not-granted", "refused", value=1)
    waiting = laptop.ask("receipt.delivered", receipt="refused", timeout_seconds=PATIENCE)
    await refused(waiting, "refused", type_name="DeliveryError")
    for service in ("Bad Service", "a..b"):
        await refused(
            laptop.to_contact("message.send", service=service, receipt="r", value=1),
            "bad-service",
            "bad-name",
        )
    await refused(_read_chat(phone), "in-use")


async def _read_chat(side: Side) -> dict[str, Any]:
    """Reads what the daemon itself reads; some SDKs ask for messages when a subscription is opened."""
    await side.ask("messages.open", messages="chat", service="chat")
    try:
        return await side.ask("messages.next", messages="chat", timeout_seconds=PATIENCE)
    finally:
        await side.ask("messages.close", messages="chat")


@case("chat")
async def chat(pair: Pair) -> None:
    """What is said stands in both histories under the same id."""
    laptop, phone = pair.laptop, pair.phone
    await phone.ask("events.open", events="e", types=["chat.message"])
    said = (await laptop.to_contact("chat.say", text="Hello — 你好"))["message_id"]
    await phone.ask("events.next", events="e", timeout_seconds=PATIENCE)
    for side, mine in ((laptop, True), (phone, False)):
        (last,) = (await side.to_contact("chat.history", limit=1))["entries"]
        equal(last, {"message_id": said, "mine": mine, "text": "Hello — 你好"}, "the last line of the chat")
    await phone.ask("events.close", events="e")
