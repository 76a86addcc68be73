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
        await mailbox.confirm(1)
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
        await mailbox.confirm(2**63)
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
        await mailbox.confirm(3)
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
