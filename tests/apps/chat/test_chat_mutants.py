"""The worst moments to die, and mistakes that they bring to light: exactly once is a matter of order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count

import pytest
from tests.apps.chat.chatting import start_chatter

from p4.apps.chat import ChatApp, ChatState
from p4.apps.chat import history as tables
from p4.apps.store import AppStore
from p4.node.inbox import Message
from p4.testing import SimulatedNetwork, simulate, start_node


class Killer(AppStore):
    """Memory whose host dies at the next transaction, once `kill` is set: before or after it was done."""

    def __init__(self, *, after: bool) -> None:
        super().__init__(None)
        self.kill: Callable[[], None] | None = None
        self.dead = asyncio.Event()
        self._after = after

    async def transaction(self, work: Callable[..., object]) -> object:  # type: ignore[override]
        if self.kill is None:
            return await super().transaction(work)
        kill, self.kill = self.kill, None
        done = await super().transaction(work) if self._after else None
        kill()
        self.dead.set()
        await asyncio.Event().wait()  # nothing of a dead host goes on
        return done


def said_once(*, after: bool) -> None:
    """A message arrives; the receiver dies around the moment in which it is kept, and starts again."""

    async def scenario(network: SimulatedNetwork) -> None:
        laptop = await start_chatter(network, "laptop", "phone")
        store = Killer(after=after)
        await store.open()
        node = await start_node(network, "phone", "laptop")
        host = network.host("phone")
        await host.run(ChatApp(store, host.clock).start(node))
        store.kill = host.crash
        await laptop.say("phone", "first")
        await store.dead.wait()
        phone = await start_chatter(network, "phone", store=store)
        await laptop.say("phone", "second")
        await phone.until("laptop", "second", ChatState.RECEIVED)
        assert await phone.texts("laptop") == ["first", "second"]

    simulate(scenario)


@pytest.mark.parametrize("after", [False, True])
def test_whoever_dies_while_a_message_is_kept_has_it_once(after: bool) -> None:
    said_once(after=after)


def test_done_before_it_is_kept_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hasty(self: ChatApp, message: Message, keep: Callable[[Message], object]) -> None:
        await message.done()
        await keep(message)  # type: ignore[misc]

    monkeypatch.setattr(ChatApp, "_patiently", hasty)
    with pytest.raises(AssertionError):
        said_once(after=False)


def test_a_history_that_does_not_know_ids_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    keep, numbers = tables.add_theirs, count()

    def forgetful(database: object, peer: str, message: str, *rest: object, **more: object) -> object:
        return keep(database, peer, f"{next(numbers)}", *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(tables, "add_theirs", forgetful)
    with pytest.raises(AssertionError):
        said_once(after=True)
