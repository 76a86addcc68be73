"""What became of messages that were handed over."""

from __future__ import annotations

import asyncio
import heapq
from collections import OrderedDict
from collections.abc import Callable
from enum import Enum
from itertools import count

from p4.core.session.messages.events import ConsumedByPeer, Delivered, Dropped, DropReason, Renewed
from p4.errors import DeliveryError, LocalError

__all__ = ["Receipt", "ReceiptBook", "ReceiptState"]

_REMEMBERED_DROPS = 4096
_REMEMBERED_NAMES = 8


class ReceiptState(Enum):
    """How far a message has come."""

    QUEUED = "queued"
    """On our disk."""
    DELIVERED = "delivered"
    """On the contact's disk."""
    CONSUMED = "consumed"
    """Taken by the contact's application, which said so with ``done()``."""
    DROPPED = "dropped"
    """It expired, was replaced by a newer value, or the contact refuses it."""


class Receipt:
    """One accepted message and what becomes of it. Made by `Peer.send`.

    It lives as long as this run of the node; the message does not need it. What must be known after a
    restart, the contact's application says with a message of its own.

    A restored backup may give what waits other names and numbers (spec/session.md); the receipt follows.
    """

    __slots__ = ("_book", "_epoch", "_number", "service")

    def __init__(self, book: ReceiptBook, epoch: bytes, number: int, service: str) -> None:
        self._book = book
        self._epoch = epoch
        self._number = number
        self.service = service

    def __repr__(self) -> str:
        return f"<Receipt {self.id} {self.state.value}>"

    @property
    def id(self) -> str:
        """Names the message for ever; the contact's application sees the same as ``Message.id``."""
        epoch, number, _ = self._place()
        return f"{epoch.hex()}-{number}"

    @property
    def number(self) -> int:
        """Its number in the queue towards the contact, counted from 1."""
        return self._place()[1]

    @property
    def state(self) -> ReceiptState:
        """How far it has come, as far as is known in this run of the node."""
        return self._book.state(*self._place())

    async def delivered(self) -> None:
        """Wait until it is on the contact's disk.

        Raises:
            DeliveryError: it never will be; ``code`` says why. LocalError: the node has ended.
        """
        await self._book.wait_delivered(*self._place()[:2])

    async def consumed(self) -> None:
        """Wait until the contact's application has taken it.

        Raises:
            DeliveryError, LocalError: as `delivered`. LocalError ``not-known``: our queue was restored from a
                backup after it was delivered, so this will never be known.
        """
        await self._book.wait_consumed(*self._place())

    def _place(self) -> tuple[bytes, int, str]:
        self._epoch, self._number = self._book.translate(self._epoch, self._number)
        return self._epoch, self._number, self.service


class _Waiter:
    """A place in a heap of those that wait for a number."""

    def __init__(self, number: int, order: int) -> None:
        self.number = number
        self.order = order
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def __lt__(self, other: _Waiter) -> bool:
        return (self.number, self.order) < (other.number, other.order)


class ReceiptBook:
    """The progress of one contact's outbox. Costs nothing for messages that nobody asks about.

    Args:
        epoch: the outbox's name at the moment.
        first: its lowest number that is not confirmed.
        label: the contact, for sentences.
    """

    def __init__(self, epoch: Callable[[], bytes], first: int, label: Callable[[], str]) -> None:
        self._epoch = epoch
        self._delivered = first - 1
        self._consumed: dict[str, int] = {}
        self._consumed_others = 0
        self._named: set[str] = set()
        """Services of which the contact has said on the present link what was taken."""
        self._dropped: OrderedDict[int, DropReason] = OrderedDict()
        self._renamed: list[Renewed] = []
        self._label = label
        self._order = count()
        self._for_delivery: list[_Waiter] = []
        self._for_consumption: dict[str, list[_Waiter]] = {}
        self._ended: Exception | None = None

    # -- for receipts ----------------------------------------------------------------------------------

    def translate(self, epoch: bytes, number: int) -> tuple[bytes, int]:
        """The present name of a message. One that was delivered before a renewal keeps its old name."""
        for renewed in self._renamed:
            if renewed.old_epoch == epoch and number > renewed.shift:
                epoch, number = renewed.new_epoch, number - renewed.shift
        return epoch, number

    def state(self, epoch: bytes, number: int, service: str) -> ReceiptState:
        """How far a message has come."""
        if epoch != self._epoch():
            return ReceiptState.DELIVERED  # before the renewal of its outbox
        if number in self._dropped:
            return ReceiptState.DROPPED
        if number <= self._consumed.get(service, self._consumed_others):
            return ReceiptState.CONSUMED
        return ReceiptState.DELIVERED if number <= self._delivered else ReceiptState.QUEUED

    async def wait_delivered(self, epoch: bytes, number: int) -> None:
        """See `Receipt.delivered`."""
        self._refuse_dropped(epoch, number)
        if epoch == self._epoch() and number > self._delivered:
            await self._wait(self._for_delivery, number)

    async def wait_consumed(self, epoch: bytes, number: int, service: str) -> None:
        """See `Receipt.consumed`."""
        self._refuse_dropped(epoch, number)
        if epoch != self._epoch():
            raise _not_known()
        if number > self._consumed.get(service, self._consumed_others):
            await self._wait(self._for_consumption.setdefault(service, []), number)

    async def _wait(self, heap: list[_Waiter], number: int) -> None:
        if self._ended is not None:
            raise self._ended
        waiter = _Waiter(number, next(self._order))
        heapq.heappush(heap, waiter)
        await waiter.future

    def _refuse_dropped(self, epoch: bytes, number: int) -> None:
        if epoch == self._epoch() and (reason := self._dropped.get(number)):
            raise self._error(reason)

    # -- what happened -----------------------------------------------------------------------------------

    def new_link(self) -> None:
        """What the contact says next, it says on another link."""
        self._named.clear()

    def note(self, fact: Delivered | Dropped | ConsumedByPeer | Renewed) -> None:
        """Take down what became of messages, and wake who waits for it."""
        match fact:
            case Delivered(_, through):
                self._delivered = max(self._delivered, through)
                _release(self._for_delivery, through)
            case ConsumedByPeer(_, service, through):
                self._note_consumed(service, through)
            case Dropped(_, numbers, _, reason):
                for number in numbers:
                    self._dropped[number] = reason
                while len(self._dropped) > _REMEMBERED_DROPS:
                    self._dropped.popitem(last=False)
                gone = set(numbers)
                for heap in (self._for_delivery, *self._for_consumption.values()):
                    for waiter in heap:
                        if waiter.number in gone and not waiter.future.done():
                            waiter.future.set_exception(self._error(reason))
            case Renewed(_, _, shift):
                self._renamed = [*self._renamed[1 - _REMEMBERED_NAMES :], fact]
                self._delivered = 0
                self._consumed.clear()
                self._consumed_others = 0
                self._dropped.clear()
                _release(self._for_delivery, shift)
                for heap in self._for_consumption.values():
                    _release(heap, shift, _not_known())
                for heap in (self._for_delivery, *self._for_consumption.values()):
                    for waiter in heap:
                        waiter.number -= shift

    def close(self, error: Exception) -> None:
        """Nothing more will become known; ``error`` is raised for everybody who waits or will."""
        self._ended = error
        for heap in (self._for_delivery, *self._for_consumption.values()):
            for waiter in heap:
                if not waiter.future.done():
                    waiter.future.set_exception(error)
            heap.clear()

    def _note_consumed(self, service: str, through: int) -> None:
        if service:
            self._named.add(service)
            services = [service]
        else:
            self._consumed_others = max(self._consumed_others, through)
            services = [name for name in self._consumed if name not in self._named]
            for waited, heap in self._for_consumption.items():
                if waited not in self._named:
                    _release(heap, through)
        for name in services:
            self._consumed[name] = max(self._consumed.get(name, 0), through)
            _release(self._for_consumption.get(name, []), through)

    def _error(self, reason: DropReason) -> DeliveryError:
        words = {
            DropReason.EXPIRED: "its time to live had passed before it could be sent",
            DropReason.REPLACED: "a newer value with the same key took its place",
            DropReason.REFUSED: f"{self._label()} does not let us use the service it was for",
            DropReason.NOT_SUPPORTED: f"{self._label()} runs an older program, which takes chat texts only",
        }
        return DeliveryError(f"The message was not delivered: {words[reason]}.", code=reason.value)


def _release(heap: list[_Waiter], through: int, error: Exception | None = None) -> None:
    while heap and heap[0].number <= through:
        waiter = heapq.heappop(heap)
        if waiter.future.done():
            continue
        if error is None:
            waiter.future.set_result(None)
        else:
            waiter.future.set_exception(error)


def _not_known() -> LocalError:
    return LocalError(
        "The message was delivered; then this device was restored from a backup. Whether the contact's "
        "application has taken it will not become known here.",
        code="not-known",
    )
