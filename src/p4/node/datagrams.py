"""Datagrams: who receives which, and what may be sent (spec/session.md, "Datagrams")."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from p4.core import limits
from p4.core.session.session_frames import Datagram
from p4.core.session.wire import is_service
from p4.errors import InputError

if TYPE_CHECKING:
    from p4.node.peer import Peer

__all__ = ["DatagramServices", "DatagramSubscription", "ReceivedDatagram", "datagram"]


@dataclass(frozen=True, slots=True)
class ReceivedDatagram:
    """A datagram of a contact. Others may have been lost, or come in another order than they were sent in."""

    peer: Peer
    """Who sent it."""
    service: str
    data: bytes


class DatagramSubscription:
    """The datagrams of one service, of all contacts: an asynchronous iterator that ends with `close`.

    At most ``limits.WAITING_DATAGRAMS`` wait for a slow reader, and the oldest go. One reader at a time.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self.dropped = 0
        """Datagrams that the reader was too slow for."""
        self._waiting: deque[ReceivedDatagram] = deque()
        self._wake: asyncio.Future[None] | None = None
        self._closed = False

    def __aiter__(self) -> DatagramSubscription:
        return self

    async def __anext__(self) -> ReceivedDatagram:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        return self._waiting.popleft()

    def close(self) -> None:
        """Take no more. A waiting reader gets what has arrived, and then its end."""
        self._closed = True
        self._wake_reader()

    def add(self, received: ReceivedDatagram) -> None:
        """Keep a datagram for the reader."""
        if self._closed:
            return
        if len(self._waiting) >= limits.WAITING_DATAGRAMS:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(received)
        self._wake_reader()

    def _wake_reader(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


class DatagramServices:
    """All subscriptions of a node."""

    def __init__(self) -> None:
        # A subscription that its application forgot to close goes with its last reference.
        self._subscriptions: dict[str, weakref.WeakSet[DatagramSubscription]] = {}
        self._closed = False

    def subscribe(self, service: str) -> DatagramSubscription:
        """Receive the datagrams of a service, from now on. Every subscription gets each of them.

        Raises:
            InputError: ``bad-service``.
        """
        _check_service(service)
        subscription = DatagramSubscription(service)
        if self._closed:
            subscription.close()
            return subscription
        self._subscriptions.setdefault(service, weakref.WeakSet()).add(subscription)
        return subscription

    def received(self, peer: Peer, frame: Datagram) -> None:
        """A contact, which may use the service, sent a datagram. What nobody subscribed to is dropped."""
        subscriptions = self._subscriptions.get(frame.service)
        if not subscriptions:
            # Not even an empty entry is made: a contact may name as many services as it likes.
            return
        received = ReceivedDatagram(peer, frame.service, frame.data)
        for subscription in subscriptions:
            subscription.add(received)

    def close(self) -> None:
        """End every subscription."""
        self._closed = True
        for subscriptions in self._subscriptions.values():
            for subscription in subscriptions:
                subscription.close()
        self._subscriptions.clear()


def datagram(service: str, data: bytes | bytearray | memoryview, granted: Callable[[str], bool]) -> Datagram:
    """The frame of a datagram that may be sent.

    Args:
        data: at most ``limits.DATAGRAM_BYTES``.
        granted: whether the contact lets us use a service.

    Raises:
        InputError: ``bad-service``, ``not-bytes``, ``too-large`` or ``not-granted``. Nothing is sent.
    """
    _check_service(service)
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InputError(f"A datagram is bytes, not {type(data).__name__}.", code="not-bytes")
    body = bytes(data)
    if len(body) > limits.DATAGRAM_BYTES:
        raise InputError(
            f"A datagram has at most {limits.DATAGRAM_BYTES} bytes, not {len(body)}. Send a message or use a "
            "stream instead.",
            code="too-large",
        )
    if not granted(service):
        raise InputError(
            f"The contact does not let this device use its service {service!r}. Nothing was sent.",
            code="not-granted",
        )
    return Datagram(service, body)


def _check_service(service: str) -> None:
    if not is_service(service):
        raise InputError(f"{service!r} cannot be the name of a service.", code="bad-service")
