"""Messages on their way to programs that read them through the API (spec/daemon-api/README.md, "Receiving").

The node gives each message once in a run. A program may lose its connection before it has done with one, so
what was handed out stays here until it is done, and goes to the next reader if the connection ends first.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

from p4.core import limits
from p4.core.identity import PeerId
from p4.daemon.access.authority import Authority
from p4.daemon.own_services import refuse_own_messages
from p4.errors import LocalError
from p4.node.inbox import Message, MessageStream
from p4.node.node import BaseNode
from p4.node.peer import Peer

__all__ = ["MessageDesk", "Subscription"]

_Key = tuple[PeerId, str]
"""Contact and id of a message."""


class _Service:
    """One service: what was handed out, and what came back."""

    def __init__(self) -> None:
        self.handed_out: dict[_Key, tuple[Message, Subscription]] = {}
        self.returned: OrderedDict[_Key, Message] = OrderedDict()
        self.readers: set[Subscription] = set()
        self._done_before: OrderedDict[_Key, None] = OrderedDict()

    def give_back(self, messages: Sequence[Message]) -> None:
        """The next reader gets them, in order."""
        if not messages:
            return
        returned = [*self.returned.values(), *messages]
        returned.sort(key=lambda message: (message.received, message.number))
        self.returned = OrderedDict((_key(message), message) for message in returned)
        for reader in self.readers:
            reader.changed.set()

    def expect(self, key: _Key) -> None:
        """A program has done with a message that was not handed out in this run: nobody gets it again."""
        self._done_before[key] = None
        if len(self._done_before) > limits.API_DONE_BEFORE:
            self._done_before.popitem(last=False)

    def arrived(self, message: Message) -> Message | None:
        """A message that nobody has had in this run; None if a program has done with it all the same."""
        if _key(message) not in self._done_before:
            return message
        del self._done_before[_key(message)]
        message.done()  # whether or not it comes to disk: the program was told that this is not known
        return None


class MessageDesk:
    """The messages of all services that programs read."""

    def __init__(self, node: BaseNode) -> None:
        self._node = node
        self._services: dict[str, _Service] = {}

    def subscribe(
        self, service: str, *, access: Authority, contact: Peer | None = None, window: int = 1
    ) -> Subscription:
        """Read a service. Close what this gives.

        Args:
            access: only messages of contacts that it may reach come.
            contact: only messages of this one; None for all.
            window: how many may be handed out and not done.

        Raises:
            LocalError: ``in-use``: an app of the daemon reads it.
        """
        refuse_own_messages(service)
        state = self._services.setdefault(service, _Service())
        streams: list[MessageStream]
        if contact is not None:
            streams = [contact.messages(service)]
        elif access.contacts is not None:
            streams = [peer.messages(service) for peer in self._node.peers() if access.may_reach(peer)]
        else:
            streams = [self._node.messages(service)]
        only = frozenset({contact.peer_id}) if contact is not None else access.contacts
        subscription = Subscription(state, streams, only, self._is_contact, window)
        state.readers.add(subscription)
        return subscription

    def readers(self) -> dict[str, int]:
        """How many read each service at the moment."""
        return {name: len(state.readers) for name, state in self._services.items() if state.readers}

    async def done(
        self, service: str, messages: Iterable[tuple[PeerId, str]]
    ) -> tuple[int, list[tuple[PeerId, str]]]:
        """Programs have done with messages; on disk when this returns.

        Returns:
            How many there were, and those that were not handed out, or were done before. Should one of them
            still wait, as after a restart of the daemon, then nobody is given it in this run.

        Raises:
            LocalError: the node has ended, or the disk refused; those that did not come to disk come again.
        """
        state = self._services.setdefault(service, _Service())
        found: list[Message] = []
        unknown: list[_Key] = []
        holders: set[Subscription] = set()
        for key in dict.fromkeys(messages):
            if held := state.handed_out.pop(key, None):
                found.append(held[0])
                holders.add(held[1])
            elif returned := state.returned.pop(key, None):
                found.append(returned)  # its reader's connection ended first, and the program lives on
            else:
                unknown.append(key)
                state.expect(key)
        for holder in holders:
            holder.settled()
        results = await asyncio.gather(*(message.done() for message in found), return_exceptions=True)
        refused: list[tuple[Message, BaseException]] = []
        gone = 0
        for message, result in zip(found, results, strict=True):
            if isinstance(result, LocalError) and not self._is_contact(message):
                gone += 1  # the contact was removed meanwhile, and its messages with it
            elif isinstance(result, BaseException):
                refused.append((message, result))
        if refused:
            state.give_back([message for message, _ in refused])
            raise refused[0][1]
        return len(found) - gone, unknown

    def _is_contact(self, message: Message) -> bool:
        """Whether the contact of a message still is one, and not another of the same id since."""
        return any(peer is message.peer for peer in self._node.peers())


class Subscription:
    """One program's reading of one service. See `MessageDesk.subscribe`."""

    def __init__(
        self,
        state: _Service,
        streams: Sequence[MessageStream],
        only: frozenset[PeerId] | None,
        is_contact: Callable[[Message], bool],
        window: int,
    ) -> None:
        self._state = state
        self._idle = list(streams)
        self._only = only
        self._is_contact = is_contact
        self._window = min(max(window, 1), limits.API_UNACKNOWLEDGED)
        self._coming: dict[asyncio.Task[Message], MessageStream] = {}
        self.changed = asyncio.Event()
        """Something was done, or came back from another reader."""
        self.when_done: Callable[[], None] | None = None
        """Called when the last that was handed out is done."""

    async def next(self) -> Message | None:
        """The next message, as soon as there is one and the window has room; None when the node ends.

        It is this reader's until it is done or given back. A cancelled wait loses nothing.
        """
        while True:
            self.changed.clear()
            if self._has_room() and (message := self._take()) is not None:
                self._state.handed_out[_key(message)] = (message, self)
                return message
            if not self._coming and not self._idle:
                return None
            changed = asyncio.ensure_future(self.changed.wait())
            waiting = {changed, *self._coming} if self._has_room() else {changed}
            try:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                changed.cancel()

    def stop(self) -> None:
        """Take no further messages; those that were handed out stay this reader's."""
        self._state.readers.discard(self)
        self._idle.clear()
        coming, self._coming = self._coming, {}
        for task in coming:
            # What has arrived and was not given out yet is the next reader's.
            if (arrived := _result(task)) and (message := self._state.arrived(arrived)):
                self._state.give_back([message])
            task.cancel()

    def close(self) -> None:
        """Give everything back that is not done: it goes to the next reader, in order."""
        self.stop()
        mine = [message for message, holder in self._state.handed_out.values() if holder is self]
        for message in mine:
            del self._state.handed_out[_key(message)]
        self._state.give_back(mine)

    def settled(self) -> None:
        """Messages that were handed out are done."""
        self.changed.set()
        if self.when_done is not None and not self._held():
            self.when_done()

    # -- inside ----------------------------------------------------------------------------------------

    def _has_room(self) -> bool:
        return self._held() < self._window

    def _held(self) -> int:
        return sum(holder is self for _, holder in self._state.handed_out.values())

    def _take(self) -> Message | None:
        for key, message in list(self._state.returned.items()):
            if not self._is_contact(message):
                del self._state.returned[key]  # nothing of a removed contact is shown
            elif self._only is None or key[0] in self._only:
                return self._state.returned.pop(key)
        for stream in self._idle:
            self._wait_on(stream)
        self._idle.clear()
        for task, stream in list(self._coming.items()):
            if not task.done():
                continue
            del self._coming[task]
            if (arrived := _result(task)) is None:
                continue
            if given := self._state.arrived(arrived):
                self._idle.append(stream)
                return given
            self._wait_on(stream)
        return None

    def _wait_on(self, stream: MessageStream) -> None:
        self._coming[asyncio.create_task(_next(stream), name="message for a program")] = stream


def _key(message: Message) -> _Key:
    return message.peer.peer_id, message.id


async def _next(stream: MessageStream) -> Message:
    return await anext(stream)


def _result(task: asyncio.Task[Message]) -> Message | None:
    """The message that was waited for; None if there is none yet, or never will be."""
    if not task.done() or task.cancelled():
        return None
    error = task.exception()
    if error is not None and not isinstance(error, StopAsyncIteration):
        raise error
    return task.result() if error is None else None
