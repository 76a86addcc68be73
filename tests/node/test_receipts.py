"""What became of messages: delivered, taken, dropped, and followed through a restored backup."""

from __future__ import annotations

import asyncio
import sys

import pytest
from tests.node.harness import HIGHER, LOWER, QUICK, linked, received, start, until

from p4.core.session.messages.events import ConsumedByPeer, Delivered, Dropped, DropReason, Renewed
from p4.errors import DeliveryError, LocalError
from p4.node.events import NodeWarning
from p4.node.receipts import Receipt, ReceiptBook, ReceiptState
from p4.testing import SimulatedNetwork, simulate
from p4.testing.virtual_time import run

OLD, NEW, NEWEST = b"o" * 16, b"n" * 16, b"w" * 16


class Queue:
    """A receipt book, and the epoch of the outbox that it is about."""

    def __init__(self, first: int = 1) -> None:
        self.epoch = OLD
        self.book = ReceiptBook(lambda: self.epoch, first, lambda: "Bob")

    def receipt(self, number: int, service: str = "chat") -> Receipt:
        return Receipt(self.book, self.epoch, number, service)

    def renew(self, epoch: bytes, shift: int) -> None:
        before, self.epoch = self.epoch, epoch
        self.book.note(Renewed(before, epoch, shift))


async def settled(*waiting: asyncio.Task[None]) -> list[bool]:
    """Which of them have come to an end by now."""
    await asyncio.sleep(0.001)
    return [one.done() for one in waiting]


def test_each_waits_for_its_own_number() -> None:
    async def scenario() -> None:
        queue = Queue(first=3)
        receipts = [queue.receipt(number) for number in (9, 3, 7, 5, 5)]
        assert queue.receipt(2).state is ReceiptState.DELIVERED, "in an earlier run"
        await queue.receipt(2).delivered()
        waiting = [asyncio.create_task(receipt.delivered()) for receipt in receipts]
        assert not any(await settled(*waiting))
        waiting[3].cancel()  # whoever gives up takes nobody along
        queue.book.note(Delivered(OLD, 5))
        assert await settled(*waiting) == [False, True, False, True, True]
        assert [receipt.state.value for receipt in receipts[:2]] == ["queued", "delivered"]
        queue.book.note(Delivered(OLD, 4))
        queue.book.note(Delivered(OLD, 9))
        assert all(await settled(*waiting))
        await receipts[0].delivered()

    run(scenario())


def test_what_was_taken_is_told_by_service() -> None:
    async def scenario() -> None:
        queue = Queue()
        chat, note, file = queue.receipt(1), queue.receipt(2, "notes"), queue.receipt(3, "files")
        waiting = [asyncio.create_task(receipt.consumed()) for receipt in (chat, note, file)]
        queue.book.note(Delivered(OLD, 3))
        assert not any(await settled(*waiting))
        queue.book.note(ConsumedByPeer(OLD, "notes", 1))
        queue.book.note(ConsumedByPeer(OLD, "", 3))  # everything but notes
        assert await settled(*waiting) == [True, False, True]
        states = [receipt.state for receipt in (chat, note, file)]
        assert states == [ReceiptState.CONSUMED, ReceiptState.DELIVERED, ReceiptState.CONSUMED]
        queue.book.note(ConsumedByPeer(OLD, "notes", 2))
        assert all(await settled(*waiting))
        await note.consumed()
        # On another link, "everything" is everything again that was not named there.
        more = [queue.receipt(4, "notes"), queue.receipt(5)]
        waiting = [asyncio.create_task(receipt.consumed()) for receipt in more]
        await settled(*waiting)
        queue.book.new_link()
        queue.book.note(ConsumedByPeer(OLD, "chat", 3))
        queue.book.note(ConsumedByPeer(OLD, "", 5))
        assert await settled(*waiting) == [True, False]
        assert [receipt.state.value for receipt in more] == ["consumed", "queued"]
        waiting[1].cancel()

    run(scenario())


@pytest.mark.parametrize("reason", DropReason)
def test_what_will_never_arrive_is_told_to_everybody_who_asks(reason: DropReason) -> None:
    async def scenario() -> None:
        queue = Queue()
        gone, kept = queue.receipt(2), queue.receipt(1)
        waiting = [asyncio.create_task(gone.delivered()), asyncio.create_task(gone.consumed())]
        staying = asyncio.create_task(kept.delivered())
        await settled(staying)
        queue.book.note(Dropped(OLD, (2, 4), "chat", reason))
        assert await settled(*waiting, staying) == [True, True, False]
        queue.book.note(Delivered(OLD, 4))
        assert gone.state is ReceiptState.DROPPED
        for asked in (*waiting, gone.delivered(), gone.consumed()):
            with pytest.raises(DeliveryError) as caught:
                await asked
            assert caught.value.code == reason.value
            assert caught.value.message.startswith("The message was not delivered: ")
        await staying

    run(scenario())


def test_a_receipt_follows_its_message_into_a_renewed_queue() -> None:
    async def scenario() -> None:
        queue = Queue()
        delivered, first, last = (queue.receipt(number) for number in (2, 3, 9))
        lost = asyncio.create_task(delivered.consumed())
        waiting = [asyncio.create_task(receipt.delivered()) for receipt in (first, last)]
        taking = asyncio.create_task(last.consumed())
        await settled(taking)
        queue.book.note(Delivered(OLD, 2))
        queue.renew(NEW, 2)
        assert await settled(*waiting, lost, taking) == [False, False, True, False]
        assert (first.state, delivered.state) == (ReceiptState.QUEUED, ReceiptState.DELIVERED)
        assert (first.number, first.id) == (1, f"{NEW.hex()}-1")
        assert delivered.id == f"{OLD.hex()}-2"
        await delivered.delivered()
        queue.book.note(Delivered(NEW, 1))
        assert await settled(*waiting) == [True, False]
        queue.renew(NEWEST, 1)
        assert (last.number, last.id) == (6, f"{NEWEST.hex()}-6")
        queue.book.note(Delivered(NEWEST, 6))
        queue.book.note(ConsumedByPeer(NEWEST, "chat", 6))
        assert all(await settled(*waiting, taking))
        for asked in (lost, delivered.consumed()):
            with pytest.raises(LocalError) as caught:
                await asked
            assert caught.value.code == "not-known"

    run(scenario())


def test_nobody_waits_for_a_queue_that_has_ended() -> None:
    async def scenario() -> None:
        queue = Queue()
        receipt = queue.receipt(1)
        waiting = [asyncio.create_task(receipt.delivered()), asyncio.create_task(receipt.consumed())]
        await settled(*waiting)
        queue.book.close(LocalError("The node has ended.", code="closed"))
        for asked in (*waiting, receipt.delivered(), queue.receipt(7).consumed()):
            with pytest.raises(LocalError):
                await asked

    run(scenario())


def test_messages_that_nobody_asks_about_cost_nothing() -> None:
    async def scenario() -> None:
        queue = Queue()
        for number in range(1, 10_001):
            queue.receipt(number)
            queue.book.note(Delivered(OLD, number))
            queue.book.note(Dropped(OLD, (number,), "chat", DropReason.REPLACED))
        book = vars(queue.book)
        assert sum(sys.getsizeof(part) for part in book.values()) < 1024 * 1024
        assert queue.receipt(10_000).state is ReceiptState.DROPPED

    run(scenario())


# --- whole nodes ------------------------------------------------------------------------------------


def test_a_message_is_queued_then_delivered_then_consumed() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        network.partition([LOWER], [HIGHER])
        one, two = await network.host(LOWER).run(lower.peers()[0].send_many(["one", "two"]))
        assert {one.state, two.state} == {ReceiptState.QUEUED}
        network.heal()
        await two.delivered()
        assert {one.state, two.state} == {ReceiptState.DELIVERED}
        assert await received(higher, 1) == ["one"]
        await one.consumed()
        assert (one.state, two.state) == (ReceiptState.CONSUMED, ReceiptState.DELIVERED)
        # Also what is taken while no link is up, and before a restart.
        network.partition([LOWER], [HIGHER])
        await received(higher, 1)
        await higher.close()
        network.host(HIGHER).crash()
        network.heal()
        higher = await start(network, HIGHER, LOWER)
        async with asyncio.timeout(120):
            await two.consumed()
        waiting = asyncio.ensure_future(
            (await network.host(LOWER).run(lower.peers()[0].send("x"))).consumed()
        )
        await asyncio.sleep(1)
        await lower.close()
        with pytest.raises(LocalError):
            await waiting
        await higher.close()

    simulate(scenario, conditions=QUICK)


def test_receipts_of_a_restored_device_follow_what_waited() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        lower, higher = await linked(network)
        host, backup = network.host(LOWER), None
        for number in range(6):
            await (await host.run(lower.peers()[0].send(number))).delivered()
            if number == 2:
                await asyncio.sleep(1)  # until the disk knows, too
                backup = host.disk.copy()
        assert backup is not None
        await lower.close()
        host.crash()
        host.disk.restore(backup)
        network.partition([LOWER], [HIGHER])
        lower = await start(network, LOWER, HIGHER)
        told = lower.events()
        receipts = await network.host(LOWER).run(lower.peers()[0].send_many(["a", "b", "c", "d", "e"]))
        before = [receipt.id for receipt in receipts]
        network.heal()
        async with asyncio.timeout(120):
            await asyncio.gather(*(receipt.delivered() for receipt in receipts))
        assert not {receipt.id for receipt in receipts} & set(before), "those names are in use there"
        messages = higher.messages("chat")
        found = [await anext(messages) for _ in range(11)]
        assert [message.value for message in found] == [*range(6), "a", "b", "c", "d", "e"]
        assert [message.id for message in found[6:]] == [receipt.id for receipt in receipts]
        await asyncio.gather(*(message.done() for message in found))
        await receipts[-1].consumed()
        await until(lambda: lower.peers()[0].queued == 0)
        await asyncio.gather(lower.close(), higher.close())
        warnings = [event.text async for event in told if isinstance(event, NodeWarning)]
        assert any("was older" in text for text in warnings)

    simulate(scenario, conditions=QUICK)
