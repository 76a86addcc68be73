"""The durable queue of one contact."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest
from tests.node.harness import id_of

from p4.core import limits
from p4.errors import FrameError, InputError, StateError
from p4.node.mailbox import Mailbox
from p4.ports import InboxMessage, PeerRecord
from p4.testing import MemoryDisk, MemoryStore, SeededEntropy, VirtualClock
from p4.testing.virtual_time import run

BOB = id_of("bob")
FULL = StateError("The disk is full. Nothing was written.", path="(memory)", code="full")


class Post:
    """A mailbox with its disk, and what it told."""

    def __init__(self, disk: MemoryDisk | None = None, *, commit_seconds: float = 0.1) -> None:
        self.disk = disk or MemoryDisk()
        self.received: list[str] = []
        self.delivered: list[int] = []
        self.warnings: list[str] = []
        self.open = asyncio.Event()
        self.open.set()
        self.store = MemoryStore(self.disk, commit_seconds=commit_seconds, return_seconds=0.05)
        self.mailbox = Mailbox(
            BOB,
            self.disk.peers.get(BOB, PeerRecord()),
            self.store,
            VirtualClock(),
            SeededEntropy(1),
            room=self._room,
            on_received=self._on_received,
            on_delivered=self.delivered.append,
            warn=self.warnings.append,
            label=lambda: "Bob",
        )

    async def _room(self) -> None:
        await self.open.wait()

    def _on_received(self, messages: Sequence[InboxMessage]) -> None:
        self.received += [message.text for message in messages]

    async def load(self) -> Mailbox:
        await self.store.open()
        await self.mailbox.load()
        return self.mailbox


def on_virtual_time(work: Coroutine[Any, Any, None]) -> None:
    run(work)


def test_what_was_accepted_is_there_after_a_restart_with_its_number() -> None:
    async def scenario() -> None:
        before = Post()
        mailbox = await before.load()
        assert [await mailbox.send(text) for text in ("a", "b", "c")] == [1, 2, 3]
        await mailbox.confirm(1, epoch=mailbox.out_epoch)
        after = Post(before.disk)
        mailbox = await after.load()
        assert (mailbox.queued, mailbox.out_first) == (2, 2)
        assert mailbox.out_epoch == before.mailbox.out_epoch
        assert [m.text for m in await mailbox.read(after=0, limit=10)] == ["b", "c"]
        assert await mailbox.send("d") == 4

    on_virtual_time(scenario())


def test_a_text_that_cannot_be_sent_is_refused_before_anything_is_written() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.load()
        for text, code in (("x" * (limits.TEXT_BYTES + 1), "text-too-long"), ("\ud800", "bad-text")):
            with pytest.raises(InputError) as caught:
                await mailbox.send(text)
            assert caught.value.code == code
        assert await mailbox.send("é" * (limits.TEXT_BYTES // 2)) == 1

    on_virtual_time(scenario())


def test_a_contact_cannot_confirm_what_it_was_never_sent() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.load()
        await mailbox.send("a")
        await mailbox.confirm(2**63, epoch=mailbox.out_epoch)
        assert post.delivered == [1]
        assert await mailbox.send("b") == 2
        assert mailbox.queued == 1

    on_virtual_time(scenario())


def test_a_text_accepted_while_all_others_are_confirmed_is_not_skipped() -> None:
    async def scenario() -> None:
        post = Post(commit_seconds=0.0)
        mailbox = await post.load()
        for number in range(1, 4):
            await mailbox.send(str(number))
        await mailbox.confirm(3, epoch=mailbox.out_epoch)
        reading = asyncio.create_task(mailbox.read(after=0, limit=10))
        sending = [asyncio.create_task(mailbox.send("four")) for _ in range(1)]
        async with asyncio.timeout(5):
            assert [m.text for m in await reading] == ["four"]
            await asyncio.gather(*sending)

    on_virtual_time(scenario())


def test_a_write_that_is_under_way_becomes_known_although_its_caller_is_gone() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.load()
        accepting = asyncio.create_task(mailbox.accept(b"e" * 16, [(1, "one")]))
        await asyncio.sleep(0.12)  # committed, not yet returned
        accepting.cancel()
        await mailbox.close()
        assert post.received == ["one"]
        assert mailbox.in_next == 2

    on_virtual_time(scenario())


def test_duplicates_are_dropped_and_holes_and_new_epochs_are_taken() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.load()
        await mailbox.accept(b"e" * 16, [(1, "one"), (2, "two")])
        await mailbox.accept(b"e" * 16, [(1, "one"), (2, "two"), (3, "three")])
        await mailbox.accept(b"e" * 16, [(7, "seven")])
        await mailbox.accept(b"f" * 16, [(1, "another life")])
        assert post.received == ["one", "two", "three", "seven", "another life"]
        assert (mailbox.in_epoch, mailbox.in_next) == (b"f" * 16, 2)

    on_virtual_time(scenario())


def test_what_a_version_1_peer_sent_is_kept_once_the_disk_works_again() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.load()
        post.disk.failure = FULL
        for text in ("a", "b"):
            mailbox.receive_v1(text)
        await asyncio.sleep(7)
        mailbox.receive_v1("c")
        post.disk.failure = None
        await asyncio.sleep(7)
        assert post.received == ["a", "b", "c"]

    on_virtual_time(scenario())


def test_a_version_1_peer_cannot_fill_the_memory() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.load()
        post.open.clear()
        for _ in range(limits.SEND_WINDOW_MESSAGES):
            mailbox.receive_v1("x")
        with pytest.raises(FrameError) as caught:
            mailbox.receive_v1("x")
        assert caught.value.code == "window"
        began = asyncio.get_running_loop().time()
        await mailbox.close()
        assert asyncio.get_running_loop().time() - began <= limits.CLOSE_SECONDS

    on_virtual_time(scenario())


# --- restored backups (spec/link.md) ------------------------------------------------------------------------

OLD, NEW = b"e" * 16, b"f" * 16


def test_a_contact_that_has_more_than_was_ever_offered_proves_the_disk_old() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.load()
        await mailbox.send("offered")
        await mailbox.offer(epoch=mailbox.out_epoch)
        await mailbox.send("offered at once")
        mailbox = await Post(post.disk).load()
        for _ in range(5):
            await mailbox.send("queued by a disk that was put back")
        mailbox = await Post(post.disk).load()  # it may have been started again meanwhile
        epoch = mailbox.out_epoch
        assert not mailbox.is_outdated(epoch, 3)
        assert mailbox.is_outdated(epoch, 4), "its number 3 is not our number 3"
        assert not mailbox.is_outdated(bytes(16), 1), "it never heard from us, or forgot it"
        assert mailbox.is_outdated(b"later name of us", 1)

    on_virtual_time(scenario())


def test_a_renewed_queue_keeps_its_texts_and_ignores_what_the_old_one_is_owed() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.load()
        for text in ("a", "b", "c"):
            await mailbox.send(text)
        old = mailbox.out_epoch
        await mailbox.confirm(1, epoch=old)
        renewing = asyncio.create_task(mailbox.renew(epoch=old, known_as=b"what it calls us"))
        appending = asyncio.create_task(mailbox.send("d"))
        await asyncio.sleep(0)
        await mailbox.confirm(3, epoch=old)  # on its way from the old link
        await mailbox.renew(epoch=old, known_as=old)  # asked for twice: done once
        await asyncio.gather(renewing, appending)
        assert mailbox.out_epoch != old
        assert [(m.number, m.text) for m in await mailbox.read(after=0, limit=9)] == [
            (1, "b"),
            (2, "c"),
            (3, "d"),
        ]
        assert (mailbox.queued, mailbox.out_first, post.delivered) == (3, 1, [1])
        for name in (old, b"what it calls us"):
            assert not mailbox.is_outdated(name, 99), "the contact is only behind"
        restarted = await Post(post.disk).load()
        assert (restarted.out_epoch, restarted.queued) == (mailbox.out_epoch, 3)
        assert not restarted.is_outdated(old, 99)

    on_virtual_time(scenario())


def test_the_person_learns_how_many_texts_are_sent_anew() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.load()
        await mailbox.renew(epoch=mailbox.out_epoch, known_as=OLD)
        assert post.warnings == [], "a contact that was added again: nothing was lost"
        await mailbox.send("a")
        await mailbox.send("b")
        await mailbox.renew(epoch=mailbox.out_epoch, known_as=OLD)
        (warning,) = post.warnings
        assert "Your queue towards Bob was older" in warning
        assert "2 messages" in warning

    on_virtual_time(scenario())


def test_a_gap_is_told_once_and_only_where_texts_were_expected() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.load()
        await mailbox.skip_lost(OLD, 7)  # never heard of: nothing was expected
        await mailbox.accept(OLD, [(1, "one")])
        await mailbox.skip_lost(OLD, 2)
        assert post.warnings == []
        await mailbox.skip_lost(OLD, 6)
        await mailbox.skip_lost(OLD, 6)
        assert [warning.split(",")[0] for warning in post.warnings] == ["Missing here: 4 messages from Bob"]
        assert mailbox.expected == (OLD, 6)
        assert (await Post(post.disk).load()).expected == (OLD, 6)

    on_virtual_time(scenario())


def test_an_epoch_that_comes_back_goes_on_where_it_was() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.load()
        await mailbox.accept(OLD, [(1, "one"), (2, "two")])
        await mailbox.accept(NEW, [(1, "another")])
        await mailbox.accept(OLD, [(1, "one"), (2, "two"), (3, "three")])
        await mailbox.skip_lost(NEW, 4)
        assert post.received == ["one", "two", "another", "three"]
        assert mailbox.expected == (OLD, 4)
        assert [warning.split()[:3] for warning in post.warnings] == [
            ["Bob", "sends", "from"],
            ["Bob", "sends", "from"],
            ["Missing", "here:", "2"],
        ]

    on_virtual_time(scenario())


def test_what_the_contact_has_lost_is_told_once_each_time() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.load()
        for text in ("a", "b", "c"):
            await mailbox.send(text)
        epoch = mailbox.out_epoch
        await mailbox.confirm(3, epoch=epoch)
        mailbox.notice_loss(epoch, 4)
        mailbox.notice_loss(NEW, 1)
        assert post.warnings == []
        for in_next in (3, 3, 4, 3):
            mailbox.notice_loss(epoch, in_next)
        assert [warning.split(" that")[0] for warning in post.warnings] == ["Bob has lost one message"] * 2

    on_virtual_time(scenario())


def test_a_contact_that_changes_between_versions_loses_no_text() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.load()
        await mailbox.accept(OLD, [(1, "version 2")])
        for text in ("a", "b"):
            mailbox.receive_v1(text)
        await asyncio.sleep(1)
        assert mailbox.expected == (OLD, 2), "version 1 texts have no name that a RESUME could tell"
        await mailbox.accept(OLD, [(2, "version 2 again")])
        mailbox.receive_v1("c")
        await asyncio.sleep(1)
        assert post.received == ["version 2", "a", "b", "version 2 again", "c"]
        assert post.warnings == []

    on_virtual_time(scenario())
