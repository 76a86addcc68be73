"""The driver of one contact's messages: the disk, the pace of the link, and ends at the worst moment."""

from __future__ import annotations

import asyncio

import pytest
from tests.node.post import BOB, Carrier, Post, arriving, draft

from p4.core import limits
from p4.core.session.messages.events import ConsumedByPeer, Delivered, Renewed
from p4.core.session.session_frames import Ack, Consumed, Grants, Resume
from p4.errors import LocalError, StateError
from p4.testing.virtual_time import run

HIS = b"h" * 16
FULL = StateError("The disk is full. Nothing was written.", path="(memory)", code="full")


# --- the disk -----------------------------------------------------------------------------------------------


def test_what_was_accepted_is_there_after_a_restart_with_its_numbers() -> None:
    async def scenario() -> None:
        before = Post()
        mailbox = await before.open()
        began = asyncio.get_running_loop().time()
        accepted = await asyncio.gather(*(mailbox.submit((draft(), draft())) for _ in range(50)))
        assert [one.first for one in accepted] == list(range(1, 101, 2))
        assert asyncio.get_running_loop().time() - began < 1, "they did not share their writes"
        carrier = before.greeted(Carrier())
        await asyncio.sleep(1)
        mailbox.handle([Ack(99)])
        await asyncio.sleep(1)
        assert Delivered(mailbox.out_epoch, 99) in before.told
        before.store.crash()
        after = Post(before.disk)
        mailbox = await after.open()
        assert (mailbox.queued, mailbox.out_first, mailbox.out_epoch) == (1, 100, accepted[0].epoch)
        assert carrier.numbers() == list(range(1, 101))
        assert (await mailbox.submit((draft(),))).first == 101

    run(scenario())


def test_whoever_gives_up_waiting_has_handed_over_all_the_same() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.open()
        for number in range(20):
            handing = asyncio.create_task(mailbox.submit((draft(),)))
            await asyncio.sleep(number * 0.01)
            handing.cancel()
        assert (await mailbox.submit((draft(),))).first == 21
        assert sorted(post.disk.outbox[BOB]) == list(range(1, 22))

    run(scenario())


def test_what_the_disk_refuses_is_refused_and_what_arrived_waits_for_it() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.open()
        carrier = post.greeted(Carrier())
        post.disk.failure = FULL
        mailbox.handle(arriving(1, 2))
        with pytest.raises(StateError) as caught:
            await mailbox.submit((draft(),))
        assert caught.value.code == "full"
        await asyncio.sleep(1)
        assert not any(isinstance(frame, Ack) for frame in carrier.frames)
        post.disk.failure = None
        await asyncio.sleep(limits.DISK_RETRY_SECONDS + 1)
        assert [message.number for message in post.received] == [1, 2]
        assert carrier.frames[-1] == Ack(2)
        assert (await mailbox.submit((draft(),))).first == 1

    run(scenario())


def test_a_write_under_way_becomes_known_although_the_link_and_the_mailbox_end() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.open()
        post.greeted(Carrier())
        mailbox.handle(arriving(1))
        handing = asyncio.create_task(mailbox.submit((draft(),)))
        await asyncio.sleep(0.12)  # on disk, and nobody told
        mailbox.link_down()
        began = asyncio.get_running_loop().time()
        await mailbox.close()
        assert asyncio.get_running_loop().time() - began <= limits.CLOSE_SECONDS
        assert [message.number for message in post.received] == [1]
        assert (await handing).first == 1

    run(scenario())


def test_a_mailbox_that_ends_leaves_nobody_waiting() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.open()
        post.greeted(Carrier())
        mailbox.handle(arriving(1))
        await asyncio.sleep(1)
        post.store._commit_seconds = 1000  # the disk hangs
        handing = asyncio.create_task(mailbox.submit((draft(),)))
        taking = mailbox.take(post.received[0])
        await asyncio.sleep(0)
        began = asyncio.get_running_loop().time()
        await mailbox.close()
        assert asyncio.get_running_loop().time() - began <= limits.CLOSE_SECONDS
        for waiting in (handing, taking, mailbox.submit((draft(),)), mailbox.take(post.received[0])):
            with pytest.raises(LocalError) as caught:
                await waiting
            assert caught.value.code == "closed"

    run(scenario())


def test_a_message_that_was_taken_does_not_come_again() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.open()
        carrier = post.greeted(Carrier())
        mailbox.handle(arriving(1, 2, 3))
        await asyncio.sleep(1)
        await asyncio.gather(*(mailbox.take(message) for message in post.received[:2]))
        assert [message.number for message in post.disk.inbox[BOB].values()] == [3]
        await asyncio.sleep(1)
        assert [frame for frame in carrier.frames if isinstance(frame, Consumed)][-1] == Consumed(2, "chat")
        mailbox.handle([Consumed(7, "chat")])
        assert not any(isinstance(effect, ConsumedByPeer) and effect.through > 0 for effect in post.told)

    run(scenario())


# --- the link -----------------------------------------------------------------------------------------------


def test_what_is_ready_at_one_moment_travels_together() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.open()
        carrier = post.greeted(Carrier())
        await asyncio.gather(*(mailbox.submit((draft(),)) for _ in range(100)))
        await asyncio.sleep(1)
        assert carrier.numbers() == list(range(1, 101))
        assert len([frames for frames in carrier.sent if len(frames) > 10]) >= 1
        assert len(carrier.sent) < 10

    run(scenario())


def test_it_sends_no_more_than_the_link_takes() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.open()
        carrier = post.greeted(Carrier(room=0))
        await mailbox.submit(tuple(draft(bytes(1000)) for _ in range(100)))
        await asyncio.sleep(60)
        assert carrier.numbers() == []
        for _ in range(2):
            before = len(carrier.numbers())
            carrier.take(20_000)
            await asyncio.sleep(0.1)
            assert 10 <= len(carrier.numbers()) - before <= 21
        carrier.take(10**6)
        await asyncio.sleep(0.1)
        assert carrier.numbers() == list(range(1, 101))

    run(scenario())


def test_a_link_that_fails_is_told_once_and_nothing_is_lost_with_it() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.open()
        broken = post.greeted(Carrier())
        broken.broken = True
        await mailbox.submit((draft(),))
        await mailbox.submit((draft(),))
        await asyncio.sleep(1)
        assert broken.failed == ["The channel is gone."]
        mailbox.link_down()
        assert post.greeted(Carrier()).frames[:1] == [Resume(mailbox.out_epoch, 1, bytes(16), 1)]
        await asyncio.sleep(1)
        assert mailbox._carrier.numbers() == [1, 2]  # type: ignore[union-attr]

    run(scenario())


def test_what_one_link_was_to_carry_does_not_leave_on_the_next() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.open()
        waiting = post.greeted(Carrier(room=0))
        await mailbox.submit((draft(),))
        await asyncio.sleep(1)
        following = Carrier()
        mailbox.link_up(following)
        waiting.take(10**6)
        await asyncio.sleep(1)
        assert waiting.numbers() == following.numbers() == [], "nobody has said RESUME on it"
        assert mailbox._draining is None

    run(scenario())


def test_a_contact_that_breaks_the_protocol_loses_its_link() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.open()
        carrier = post.greeted(Carrier())
        mailbox.handle([Ack(3)])
        assert len(carrier.failed) == 1
        assert "broke the protocol" in carrier.failed[0]
        sent = len(carrier.sent)
        mailbox.handle(arriving(1))
        await asyncio.sleep(1)
        assert len(carrier.sent) == sent
        assert post.received == []

    run(scenario())


def test_an_outdated_queue_is_named_anew_and_the_link_replaced() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.open()
        await mailbox.submit((draft(), draft()))
        old = mailbox.out_epoch
        carrier = post.greeted(Carrier(), in_next=7)
        await asyncio.sleep(1)
        assert carrier.numbers() == []
        assert len(carrier.failed) == 1
        assert "broke the protocol" not in carrier.failed[0]
        assert [effect.old_epoch for effect in post.told if isinstance(effect, Renewed)] == [old]
        mailbox.link_down()
        carrier = post.greeted(Carrier(), known=False)
        await asyncio.sleep(1)
        assert carrier.numbers() == [1, 2]
        assert mailbox.out_epoch != old

    run(scenario())


def test_what_may_be_used_is_told_for_each_link_and_change() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.open()
        mailbox.link_up(Carrier())
        mailbox.handle([Resume(HIS, 1, bytes(16), 1)])
        assert (post.allowed, mailbox.granted("chat")) == (0, False)
        mailbox.handle([Grants(("chat",))])
        assert (post.allowed, mailbox.granted("chat"), mailbox.granted("files")) == (1, True, False)
        mailbox.handle([Grants(("chat", "files"))])
        assert (post.allowed, mailbox.granted("files.read")) == (2, True)
        mailbox.handle(arriving(1))
        assert post.allowed == 2
        post.greeted(Carrier())
        assert (post.allowed, mailbox.granted("files")) == (3, False)
        mailbox.link_down()
        assert not mailbox.granted("chat")

    run(scenario())


# --- version 1 ----------------------------------------------------------------------------------------------


def test_silence_of_the_channel_confirms_to_a_version_1_peer() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.open()
        carrier = Carrier(protocol=1)
        mailbox.link_up(carrier)
        await mailbox.submit((draft(b'"one"'),))
        await asyncio.sleep(limits.V1_CONFIRM_SECONDS - 0.1)
        assert (carrier.lines, mailbox.queued) == (["one"], 1)
        await asyncio.sleep(0.3)
        assert mailbox.queued == 0
        carrier.free -= 1  # something does not leave
        await mailbox.submit((draft(b'"two"'),))
        await asyncio.sleep(60)
        assert mailbox.queued == 1
        carrier.free += 1
        await asyncio.sleep(limits.V1_CONFIRM_SECONDS + 0.1)
        assert mailbox.queued == 0
        assert [effect.through for effect in post.told if isinstance(effect, Delivered)] == [1, 2]

    run(scenario())


def test_what_a_broken_version_1_link_carried_last_is_said_again() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.open()
        mailbox.link_up(Carrier(protocol=1))
        await mailbox.submit((draft(b'"again"'),))
        await asyncio.sleep(1)
        mailbox.link_down()
        await asyncio.sleep(limits.V1_CONFIRM_SECONDS + 1)
        assert mailbox.queued == 1
        carrier = Carrier(protocol=1)
        mailbox.link_up(carrier)
        await asyncio.sleep(limits.V1_CONFIRM_SECONDS + 1)
        assert (carrier.lines, mailbox.queued) == (["again"], 0)

    run(scenario())


def test_a_version_1_peer_cannot_fill_the_memory_while_the_disk_is_full() -> None:
    async def scenario() -> None:
        post = Post()
        mailbox = await post.open()
        carrier = Carrier(protocol=1)
        mailbox.link_up(carrier)
        post.disk.failure = FULL
        count = 0
        while not carrier.failed:
            mailbox.handle_chat_line("x")
            count += 1
            assert count <= 2 * limits.SEND_WINDOW_MESSAGES + 1
        post.disk.failure = None
        await asyncio.sleep(limits.DISK_RETRY_SECONDS + 1)
        assert len(post.received) >= limits.SEND_WINDOW_MESSAGES, "what it had taken it keeps"

    run(scenario())
