"""Every language sends to every other one, over the same two daemons."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from conformance.cases.local import CLIENT, Pair, Side, data
from conformance.cases.messages import VALUES, send, take, value_in
from conformance.cases.native import SEALED
from conformance.cases.streams import attach, pattern, read, write
from conformance.command import Command
from conformance.devices import Device, DevicePair
from conformance.expectations import equal, true
from conformance.languages import Language
from conformance.relation import SERVICE

__all__ = ["PARTS", "Commands", "talk"]

PATIENCE = 20
_BYTES = pattern(100_000)
_KEY = {"seed_b64": SEALED["seed_b64"]}


class Commands:
    """A command of each language on each device, started when it is needed.

    Args:
        devices: whose daemons they use.
        logs: directory for what they say.
    """

    def __init__(self, devices: DevicePair, logs: Path) -> None:
        self._devices = devices
        self._logs = logs
        self._running: dict[tuple[str, str], tuple[AsyncExitStack, Side]] = {}
        self._services = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        stacks = [stack for stack, _ in self._running.values()]
        await asyncio.gather(*(stack.aclose() for stack in stacks))

    async def pair(self, sender: Language, receiver: Language) -> Pair:
        """A sender on the laptop and a receiver on the phone, with a service of their own."""
        self._services += 1
        laptop, phone = await asyncio.gather(
            self._side(sender, self._devices.laptop, "phone"),
            self._side(receiver, self._devices.phone, "laptop"),
        )
        service = f"{SERVICE}.{sender.name}-{receiver.name}.{self._services}"
        return Pair(laptop, phone, service, self._devices)

    async def _side(self, language: Language, device: Device, contact: str) -> Side:
        key = (language.name, contact)
        if key not in self._running:
            stack = AsyncExitStack()
            log = self._logs / f"{language.name}-knows-{contact}.log"
            try:
                command = await stack.enter_async_context(Command(language.words, log))
                await command.ask("connect", client=CLIENT, state_dir=str(device.state_dir))
            except BaseException:
                await stack.aclose()
                raise
            self._running[key] = (stack, Side(device, command, contact))
        return self._running[key][1]

    async def drop(self, *languages: Language) -> None:
        """End the commands of languages, in whatever state they are; the next use starts new ones."""
        names = {language.name for language in languages}
        for key in [key for key in self._running if key[0] in names]:
            stack, side = self._running.pop(key)
            side.command.kill()
            await stack.aclose()


async def _envelope(pair: Pair) -> None:
    line = (await pair.laptop.ask("envelope.seal", **SEALED))["line_b64"]
    key = (await pair.laptop.ask("identity.derive", **_KEY))["public_key_b64"]
    verified = await pair.phone.ask(
        "envelope.verify",
        line_b64=line,
        public_key_b64=key,
        me=SEALED["recipient"],
        now_ms=SEALED["now_ms"],
        max_skew_ms=1000,
    )
    equal(verified["payload"], SEALED["payload"], "what is in the envelope")
    equal(verified["nonce_hex"], SEALED["nonce_hex"], "its nonce")


async def _messages(pair: Pair) -> None:
    laptop, phone = pair.laptop, pair.phone
    await phone.ask("messages.open", messages="m", service=pair.service)
    values = [*VALUES, {"base64": data(_BYTES)}]
    await laptop.to_contact("message.send_many", service=pair.service, values=values)
    last = await send(laptop, pair.service, "last", value="the last one")
    for expected in values:
        true(value_in(await take(phone)) == expected, f"a value arrives otherwise: {str(expected)[:200]}")
    equal((await take(phone))["id"], last, "the last message")
    await laptop.ask("receipt.consumed", receipt="last", timeout_seconds=PATIENCE)
    await phone.ask("messages.close", messages="m")


async def _stream(pair: Pair) -> None:
    laptop, phone = pair.laptop, pair.phone
    await attach(pair, "letter")
    await write(laptop, _BYTES)
    await laptop.ask("stream.end", stream="s")
    true(
        await read(phone, len(_BYTES) + 1) == (_BYTES, True), "a stream arrives otherwise than it was written"
    )
    await write(phone, b"thanks")
    await phone.ask("stream.end", stream="s")
    true(await read(laptop, 7) == (b"thanks", True), "the answer to a stream is another one")
    for side in (laptop, phone):
        await side.ask("stream.done", stream="s", timeout_seconds=PATIENCE)


async def _call(pair: Pair) -> None:
    await pair.phone.ask("serving.open", serving="s", service=pair.service)
    values: tuple[dict[str, Any], ...] = ({"value": {"é": [1, None, {}]}}, {"base64": data(_BYTES)})
    for value in values:
        result = await pair.laptop.to_contact(
            "contact.call", service=f"{pair.service}.echo", deadline_seconds=PATIENCE, **value
        )
        equal(result, value, "the result of a call")
    await pair.phone.ask("serving.close", serving="s")


PARTS = {"envelope": _envelope, "messages": _messages, "stream": _stream, "call": _call}
"""What a pair does, in this order."""


async def talk(pair: Pair) -> None:
    """A language sends to another one: an envelope, messages, a stream and a call.

    Raises:
        Mismatch, Refusal, CommandError: with the name of the part as a note.
    """
    for name, part in PARTS.items():
        try:
            await part(pair)
        except Exception as error:  # whatever it is, it goes on, and says where it was
            error.add_note(name)
            raise
