"""Each message once, against a daemon that forgets, repeats and fails at the worst moments; and mutants."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p4.client import Client, MessageSubscription
from p4.client.messages import Message
from p4.client.sse import ServerSentEvent
from p4.core import limits
from p4.errors import LocalError

CONTACT = "c0ffee"


class ForgetfulDaemon:
    """A daemon's half of a subscription: what is not done comes again after each restart.

    Args:
        count: messages that wait, called 0, 1, 2, …
    """

    def __init__(self, count: int) -> None:
        self.waiting = [str(number) for number in range(count)]
        self.handed_out: set[str] = set()
        self.away = False
        self.slow = False
        self._changed = asyncio.Event()
        self._restarted = False

    def restart(self) -> None:
        """Everything that was handed out and not done comes again."""
        self.handed_out.clear()
        self._restarted = True
        self._changed.set()

    async def listen(self, _path: str, _parameters: object) -> AsyncIterator[ServerSentEvent]:
        """`Client.listen`."""
        while True:
            for name in list(self.waiting):
                if name not in self.handed_out and name in self.waiting:
                    self.handed_out.add(name)
                    data = {"id": name, "contact": {"id": CONTACT, "name": "anna"}, "value": int(name)}
                    yield ServerSentEvent("message", json.dumps(data), "")
            if not self._restarted:
                self._changed.clear()
                await self._changed.wait()
            self._restarted = False
            for _ in range(5):  # a program that knocks at once is quicker than the first message
                await asyncio.sleep(0)

    async def request(self, _method: str, _path: str, body: dict[str, Any], **_: object) -> dict[str, Any]:
        """`Client.request` for ``done``."""
        if self.away:
            raise LocalError("Away.", code="no-daemon")
        unknown = []
        for entry in body["messages"]:
            if entry["id"] in self.handed_out and entry["id"] in self.waiting:
                self.waiting.remove(entry["id"])
            else:
                unknown.append(entry)
        if self.slow:
            for _turn in range(10):  # what is handed out meanwhile overtakes the answer
                await asyncio.sleep(0)
        return {"done": len(body["messages"]) - len(unknown), "unknown": unknown}


async def settle() -> None:
    """Let everything happen that can."""
    for _ in range(20):
        await asyncio.sleep(0)


class Reader:
    """An application that notes what it was given, and is done with it when it is told."""

    def __init__(self, daemon: ForgetfulDaemon) -> None:
        self.subscription = MessageSubscription(cast("Client", daemon), "notes", None, 64)
        self.seen: list[int] = []
        self.open: list[Message] = []
        self._reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        async for message in self.subscription:
            self.seen.append(message.value)
            self.open.append(message)

    def done(self) -> None:
        """With the oldest one."""
        if self.open:
            self.open.pop(0).done()

    async def close(self) -> None:
        self._reading.cancel()
        await asyncio.wait([self._reading])
        await self.subscription.aclose()


async def play(steps: list[str], count: int = 5, *, last_restart: bool = True) -> tuple[list[int], list[str]]:
    """What a reader saw, and what the daemon still has, after these steps and a quiet end."""
    daemon = ForgetfulDaemon(count)
    reader = Reader(daemon)
    actions: dict[str, Callable[[], object]] = {
        "done": reader.done,
        "restart": daemon.restart,
        "away": lambda: setattr(daemon, "away", True),
        "back": lambda: setattr(daemon, "away", False),
        "slow": lambda: setattr(daemon, "slow", True),
        "quick": lambda: setattr(daemon, "slow", False),
        "": lambda: None,
    }
    await settle()
    for step in steps:
        actions[step]()
        if not step:
            await settle()
    daemon.away = False
    await settle()
    while reader.open:
        reader.done()
    await settle()
    if last_restart:
        daemon.restart()
        await settle()
    await reader.close()
    return reader.seen, daemon.waiting


BEFORE_IT_IS_HANDED_OUT_AGAIN = ["restart", "done", ""]
"""The daemon is told before it has handed the message out again, and does not know it."""
OVERTAKEN = ["slow", "restart", "done", ""]
"""It is told that early, and has handed the message out again before its answer arrives."""
AWAY = ["away", "done", "", "restart", "back", ""]


STEPS = ["done", "restart", "slow", "quick", "", ""]


@given(st.lists(st.sampled_from([*STEPS, "away", "back"]), max_size=40))
async def test_whatever_happens_each_message_is_seen_once_and_none_is_left(steps: list[str]) -> None:
    seen, left = await play(steps)
    assert seen == [0, 1, 2, 3, 4]
    assert left == []


@given(st.lists(st.sampled_from(STEPS), max_size=40))
async def test_a_daemon_that_is_always_there_soon_knows_what_is_done(steps: list[str]) -> None:
    assert await play(steps, last_restart=False) == ([0, 1, 2, 3, 4], [])


@pytest.mark.parametrize("steps", [BEFORE_IT_IS_HANDED_OUT_AGAIN, AWAY], ids=["early", "away"])
async def test_the_known_traps(steps: list[str]) -> None:
    assert await play(steps, count=2) == ([0, 1], [])


async def test_what_comes_again_before_the_answer_is_told_once_more() -> None:
    assert await play(OVERTAKEN, count=1, last_restart=False) == ([0], [])


async def test_mutant_one_that_trusts_unknown_doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CLIENT_UNKNOWN_MESSAGES", 0)
    seen, _ = await play(BEFORE_IT_IS_HANDED_OUT_AGAIN, count=1)
    assert seen == [0, 0]


async def test_mutant_one_that_forgets_what_failed_leaves_it_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    settle_well = MessageSubscription._settle

    def forgetful(self: MessageSubscription, key: tuple[str, str], error: Any) -> None:
        settle_well(self, key, error)
        self._done.pop(key, None)

    monkeypatch.setattr(MessageSubscription, "_settle", forgetful)
    _, left = await play(AWAY, count=1)
    assert left == ["0"]


async def test_done_says_that_it_could_not_be_noted() -> None:
    daemon = ForgetfulDaemon(1)
    async with MessageSubscription(cast("Client", daemon), "notes", None, 64) as messages:
        message = await anext(messages)
        daemon.away = True
        with pytest.raises(LocalError, match="comes again"):
            await message.done()
        daemon.away = False
        await message.done()
        assert daemon.waiting == []
        with contextlib.suppress(StopAsyncIteration):
            await message.done()  # once more does no harm


class Deaf(set[tuple[str, str]]):
    """Takes nothing in."""

    def add(self, _: tuple[str, str]) -> None:
        """Not even this."""


async def test_mutant_one_that_trusts_an_answer_that_was_overtaken_leaves_it_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begin = MessageSubscription.__init__

    def deaf(self: MessageSubscription, *arguments: Any) -> None:
        begin(self, *arguments)
        self._again = Deaf()

    monkeypatch.setattr(MessageSubscription, "__init__", deaf)
    assert await play(OVERTAKEN, count=1, last_restart=False) == ([0], ["0"])
