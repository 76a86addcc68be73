"""What a store must remember so that a restored backup loses and doubles nothing (spec/link.md).

Derive from `RestoredStoreContract` to run the whole contract of a store.
"""

from __future__ import annotations

from pathlib import Path

from tests.adapters.store_contract import ALICE, BOB, EPOCH, OTHER_EPOCH, StoreContract

from p4.core import limits
from p4.ports import PeerRecord

THIRD_EPOCH = b"G" * 16


def epoch_of(number: int) -> bytes:
    """The n-th of many epochs."""
    return f"{number:x}".encode() * 16


class RestoredStoreContract(StoreContract):
    """The contract of `StoreContract` and what concerns epochs that end and come back."""

    async def test_what_may_have_been_sent_is_known_after_reopening(self, place: Path) -> None:
        async with self.opened(place) as store:
            await store.offer_outbox(ALICE)  # of nothing
            await self.append(store, "waits")
            await self.append(store, "waits, too")
            assert (await store.load_peers())[ALICE].out_offered == 1
            await store.offer_outbox(ALICE)
        async with self.opened(place) as store:
            assert (await store.load_peers())[ALICE].out_offered == 3
            await store.append_outbox(ALICE, "goes at once", now_ms=1, new_epoch=EPOCH, offered=True)
            assert (await store.load_peers())[ALICE].out_offered == 4
            await self.append(store, "waits again")
        async with self.opened(place) as store:
            assert (await store.load_peers())[ALICE].out_offered == 4

    async def test_a_renewed_outbox_has_a_new_name_and_the_same_texts_numbered_from_one(
        self, place: Path
    ) -> None:
        async with self.opened(place) as store:
            for text in "abcd":
                await self.append(store, text)
                await self.append(store, text, BOB)
            await store.offer_outbox(ALICE)
            await store.acknowledge_outbox(ALICE, through=2)
            await self.accept(store, (1, "x"))
            record = await store.renew_outbox(ALICE, new_epoch=OTHER_EPOCH, known_as=THIRD_EPOCH)
            assert record == PeerRecord(
                out_epoch=OTHER_EPOCH,
                out_next=3,
                in_epoch=EPOCH,
                in_next=2,
                out_offered=1,
                out_retired=(EPOCH, THIRD_EPOCH),
            )
        async with self.opened(place) as store:
            assert (await store.load_peers())[ALICE] == record
            assert await self.queued(store) == [(1, "c"), (2, "d")]
            assert await self.append(store, "e") == 3
            assert await self.queued(store, BOB) == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]

    async def test_an_outbox_that_was_never_used_can_be_renewed(self, place: Path) -> None:
        async with self.opened(place) as store:
            record = await store.renew_outbox(ALICE, new_epoch=EPOCH, known_as=OTHER_EPOCH)
            assert (record.out_epoch, record.out_next, record.out_retired) == (EPOCH, 1, (OTHER_EPOCH,))
            assert await self.append(store, "a", epoch=THIRD_EPOCH) == 1
            assert (await store.load_peers())[ALICE].out_epoch == EPOCH

    async def test_the_earlier_names_of_an_outbox_are_kept_up_to_a_number(self, place: Path) -> None:
        async with self.opened(place) as store:
            await self.append(store, "a", epoch=epoch_of(0))
            for number in range(1, limits.RETIRED_EPOCHS + 3):
                record = await store.renew_outbox(ALICE, new_epoch=epoch_of(number))
            names = [epoch_of(number) for number in range(2, limits.RETIRED_EPOCHS + 2)]
            assert list(record.out_retired) == names
            record = await store.renew_outbox(ALICE, new_epoch=EPOCH, known_as=names[0])
            # One that is named again becomes the latest.
            assert list(record.out_retired) == [*names[2:], epoch_of(limits.RETIRED_EPOCHS + 2), names[0]]

    async def test_duplicates_stay_duplicates_when_an_epoch_comes_back(self, place: Path) -> None:
        async with self.opened(place) as store:
            await self.accept(store, (1, "a"), (2, "b"))
            await self.accept(store, (1, "c"), epoch=OTHER_EPOCH)
            for message in await store.read_inbox():
                await store.consume_inbox(message)
        async with self.opened(place) as store:
            assert await self.accept(store, (1, "a"), (2, "b")) == []
            record = (await store.load_peers())[ALICE]
            assert (record.in_epoch, record.in_next) == (OTHER_EPOCH, 2)
            assert record.in_retired == ((EPOCH, 3),)
            assert await self.accept(store, (2, "b"), (3, "d")) == [3]
            record = (await store.load_peers())[ALICE]
            assert (record.in_epoch, record.in_next) == (EPOCH, 4)
            assert record.in_retired == ((OTHER_EPOCH, 2),)
            assert await self.accept(store, (1, "c"), epoch=OTHER_EPOCH) == []

    async def test_the_earlier_epochs_of_a_contact_are_kept_up_to_a_number(self, place: Path) -> None:
        async with self.opened(place) as store:
            count = limits.RETIRED_EPOCHS + 3
            for number in range(count):
                await self.accept(store, (1, "x"), (2, "y"), epoch=epoch_of(number))
            record = (await store.load_peers())[ALICE]
            assert record.in_retired == tuple((epoch_of(number), 3) for number in range(2, count - 1))

    async def test_what_is_skipped_is_expected_no_more(self, place: Path) -> None:
        async with self.opened(place) as store:
            await self.accept(store, (1, "a"))
            await self.accept(store, (1, "b"), epoch=OTHER_EPOCH)
            await store.skip_inbox(ALICE, epoch=OTHER_EPOCH, to=5)
            await store.skip_inbox(ALICE, epoch=OTHER_EPOCH, to=3)  # a lower one changes nothing
            await store.skip_inbox(ALICE, epoch=EPOCH, to=9)
            await store.skip_inbox(ALICE, epoch=THIRD_EPOCH, to=7)  # unknown: nothing is expected from it
        async with self.opened(place) as store:
            record = (await store.load_peers())[ALICE]
            assert (record.in_epoch, record.in_next) == (OTHER_EPOCH, 5)
            assert record.in_retired == ((EPOCH, 9),)
            assert await self.accept(store, (4, "old"), (5, "new"), epoch=OTHER_EPOCH) == [5]
