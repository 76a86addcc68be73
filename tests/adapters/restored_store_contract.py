"""What a store must remember so that a restored backup loses and doubles nothing (spec/session.md)."""

from __future__ import annotations

from pathlib import Path

from tests.adapters.store_calls import (
    ALICE,
    BOB,
    EPOCH,
    OTHER_EPOCH,
    accept,
    append,
    consume,
    draft,
    inbox,
    new,
    queued,
    waiting,
)
from tests.adapters.store_contract import StoreFixture

from p4.core import limits
from p4.core.session.messages.stored import (
    AcknowledgeOutbox,
    Appended,
    DropOutbox,
    OfferOutbox,
    RenewOutbox,
    SkipInbox,
)
from p4.ports import PeerRecord, Store

THIRD_EPOCH = b"G" * 16


def epoch_of(number: int) -> bytes:
    """The n-th of many epochs."""
    return f"{number:x}".encode() * 16


async def renew(store: Store, new_epoch: bytes, known_as: bytes = b"") -> PeerRecord:
    record = await store.perform(ALICE, RenewOutbox(new_epoch, known_as))
    assert isinstance(record, PeerRecord)
    return record


class RestoredStoreContract(StoreFixture):
    """Epochs that end and come back."""

    async def test_what_may_have_been_sent_is_known_after_reopening(self, place: Path) -> None:
        async with self.opened(place) as store:
            await store.perform(ALICE, OfferOutbox())  # of nothing
            await append(store, "waits")
            await append(store, "waits, too")
            assert (await store.load_peers())[ALICE].out_offered == 1
            await store.perform(ALICE, OfferOutbox())
        async with self.opened(place) as store:
            assert (await store.load_peers())[ALICE].out_offered == 3
            await append(store, "goes at once", offered=True)
            assert (await store.load_peers())[ALICE].out_offered == 4
            await append(store, "waits again")
        async with self.opened(place) as store:
            assert (await store.load_peers())[ALICE].out_offered == 4

    async def test_a_renewed_outbox_has_a_new_name_and_the_same_texts_numbered_from_one(
        self, place: Path
    ) -> None:
        async with self.opened(place) as store:
            for text in "abcd":
                await append(store, text)
                await append(store, text, peer=BOB)
            await store.perform(ALICE, OfferOutbox())
            await store.perform(ALICE, AcknowledgeOutbox(2))
            await new(store, (1, "x"))
            record = await renew(store, OTHER_EPOCH, THIRD_EPOCH)
            assert record == PeerRecord(
                out_epoch=OTHER_EPOCH,
                out_next=3,
                in_epoch=EPOCH,
                in_next=2,
                out_offered=1,
                out_retired=(EPOCH, THIRD_EPOCH),
                out_first=1,
                out_waiting=2,
                in_waiting=1,
                in_waiting_bytes=1,
            )
        async with self.opened(place) as store:
            assert (await store.load_peers())[ALICE] == record
            assert await queued(store) == [(1, "c"), (2, "d")]
            assert (await append(store, "e")).first == 3
            assert await queued(store, BOB) == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]

    async def test_an_outbox_that_was_never_used_can_be_renewed(self, place: Path) -> None:
        async with self.opened(place) as store:
            record = await renew(store, EPOCH, OTHER_EPOCH)
            assert (record.out_epoch, record.out_next, record.out_retired) == (EPOCH, 1, (OTHER_EPOCH,))
            assert (await append(store, "a", epoch=THIRD_EPOCH)).first == 1
            assert (await store.load_peers())[ALICE].out_epoch == EPOCH

    async def test_the_earlier_names_of_an_outbox_are_kept_up_to_a_number(self, place: Path) -> None:
        async with self.opened(place) as store:
            await append(store, "a", epoch=epoch_of(0))
            for number in range(1, limits.RETIRED_EPOCHS + 3):
                record = await renew(store, epoch_of(number))
            names = [epoch_of(number) for number in range(2, limits.RETIRED_EPOCHS + 2)]
            assert list(record.out_retired) == names
            record = await renew(store, EPOCH, names[0])
            # One that is named again becomes the latest.
            assert list(record.out_retired) == [*names[2:], epoch_of(limits.RETIRED_EPOCHS + 2), names[0]]

    async def test_duplicates_stay_duplicates_when_an_epoch_comes_back(self, place: Path) -> None:
        async with self.opened(place) as store:
            await new(store, (1, "a"), (2, "b"))
            await new(store, (1, "c"), epoch=OTHER_EPOCH)
            await consume(store, *(message.position for message in await waiting(store)))
        async with self.opened(place) as store:
            assert await new(store, (1, "a"), (2, "b")) == []
            record = (await store.load_peers())[ALICE]
            assert (record.in_epoch, record.in_next) == (OTHER_EPOCH, 2)
            assert record.in_retired == ((EPOCH, 3),)
            assert await new(store, (2, "b"), (3, "d")) == [3]
            record = (await store.load_peers())[ALICE]
            assert (record.in_epoch, record.in_next) == (EPOCH, 4)
            assert record.in_retired == ((OTHER_EPOCH, 2),)
            assert await new(store, (1, "c"), epoch=OTHER_EPOCH) == []

    async def test_the_earlier_epochs_of_a_contact_are_kept_up_to_a_number(self, place: Path) -> None:
        async with self.opened(place) as store:
            count = limits.RETIRED_EPOCHS + 3
            for number in range(count):
                await new(store, (1, "x"), (2, "y"), epoch=epoch_of(number))
            record = (await store.load_peers())[ALICE]
            assert record.in_retired == tuple((epoch_of(number), 3) for number in range(2, count - 1))

    async def test_what_is_skipped_is_expected_no_more(self, place: Path) -> None:
        async with self.opened(place) as store:
            await new(store, (1, "a"))
            await new(store, (1, "b"), epoch=OTHER_EPOCH)
            await store.perform(ALICE, SkipInbox(OTHER_EPOCH, 5))
            await store.perform(ALICE, SkipInbox(OTHER_EPOCH, 3))  # a lower one changes nothing
            await store.perform(ALICE, SkipInbox(EPOCH, 9))
            await store.perform(ALICE, SkipInbox(THIRD_EPOCH, 7))  # unknown: nothing is expected from it
        async with self.opened(place) as store:
            record = (await store.load_peers())[ALICE]
            assert (record.in_epoch, record.in_next) == (OTHER_EPOCH, 5)
            assert record.in_retired == ((EPOCH, 9),)
            assert await new(store, (4, "old"), (5, "new"), epoch=OTHER_EPOCH) == [5]

    async def test_a_renewed_outbox_keeps_its_holes(self, place: Path) -> None:
        async with self.opened(place) as store:
            await append(store, *"abcdef", draft("g", key="k"), draft("h", key="k"))
            await store.perform(ALICE, AcknowledgeOutbox(1))
            await store.perform(ALICE, DropOutbox((3, 4)))
            await store.perform(ALICE, OfferOutbox())
            record = await renew(store, OTHER_EPOCH)
            assert (record.out_first, record.out_offered, record.out_next) == (1, 1, 8)
            assert record.out_waiting == 4
            assert await queued(store) == [(1, "b"), (4, "e"), (5, "f"), (7, "h")]
        async with self.opened(place) as store:
            assert (await store.load_peers())[ALICE] == record
            assert await append(store, draft("i", key="k")) == Appended(8, (7,))
            await store.perform(ALICE, DropOutbox((1, 4)))
            await store.perform(ALICE, AcknowledgeOutbox(2))
            # The beginning counts in the new numbers; what waits first is 5.
            assert (await renew(store, THIRD_EPOCH)).out_next == 5
            assert await queued(store) == [(1, "f"), (4, "i")]

    async def test_a_renewed_outbox_of_which_nothing_waits_begins_with_one(self, place: Path) -> None:
        async with self.opened(place) as store:
            await append(store, "a", "b", "c")
            await store.perform(ALICE, AcknowledgeOutbox(1))
            await store.perform(ALICE, DropOutbox((2, 3)))
            record = await renew(store, OTHER_EPOCH)
            assert (record.out_first, record.out_offered, record.out_next) == (1, 1, 1)
        async with self.opened(place) as store:
            assert (await append(store, "d")).first == 1
            assert (await store.load_peers())[ALICE].out_first == 1

    async def test_a_forgotten_epoch_that_comes_back_does_not_wait_twice(self, place: Path) -> None:
        async with self.opened(place) as store:
            await accept(store, (1, "a"), (2, "b"))
            for number in range(limits.RETIRED_EPOCHS + 1):
                await accept(store, through=1, epoch=epoch_of(number))
            assert EPOCH not in dict((await store.load_peers())[ALICE].in_retired)
            # Two calls: when the second comes, the epoch is a known one again.
            assert await new(store, (1, "a")) == []
            assert await new(store, (2, "b"), (3, "c")) == [3]
            assert await inbox(store) == [(1, "a"), (2, "b"), (3, "c")]

    async def test_an_epoch_that_comes_back_makes_room_among_the_retired(self, place: Path) -> None:
        async with self.opened(place) as store:
            for number in range(limits.RETIRED_EPOCHS + 1):
                await accept(store, through=1, epoch=epoch_of(number))
            await accept(store, through=2, epoch=epoch_of(1))
            retired = [name for name, _ in (await store.load_peers())[ALICE].in_retired]
            assert retired == [epoch_of(0), *map(epoch_of, range(2, limits.RETIRED_EPOCHS + 1))]
