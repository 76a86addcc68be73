"""What `p4.ports.Link` promises, on both libraries and across them in both roles."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator

import psutil
import pytest
from tests.adapters.webrtc.harness import COMBINATIONS, CuttablePath, End, connected, negotiate, two_ends

from p4.adapters.webrtc import select_backend
from p4.adapters.webrtc.base import ChannelLink
from p4.core import limits
from p4.errors import LinkError
from p4.ports import ChannelOpened, LinkClosed, LinkEvent, LinkMessage

Pair = tuple[End, End]

combinations = pytest.mark.parametrize("names", COMBINATIONS, ids="-".join)


@pytest.fixture(params=COMBINATIONS, ids="-".join)
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    async with connected(request.param) as ends:
        yield ends


# --- messages ------------------------------------------------------------------------------------------


MESSAGES: list[str | bytes] = [
    "hello",
    b"\x00\xff\xfe binary",
    "",
    b"",
    "çà et là 𝄞 \u0000 \N{ZERO WIDTH JOINER}",
    "x" * limits.LINK_MESSAGE_BYTES,
    bytes(range(256)) * 256,
    "é" * (limits.LINK_MESSAGE_BYTES // 2),
]


async def test_messages_keep_kind_content_and_order_in_both_directions(pair: Pair) -> None:
    for sender, receiver in (pair, pair[::-1]):
        for message in MESSAGES:
            sender.link.send("chat", message)
        assert [(await receiver.message()).data for _ in MESSAGES] == MESSAGES


@pytest.mark.parametrize("message", ["x" * 65537, b"x" * 65537, "é" * 32769], ids=["text", "binary", "utf-8"])
async def test_a_message_over_64_kib_is_refused_and_the_link_lives_on(
    pair: Pair, message: str | bytes
) -> None:
    with pytest.raises(LinkError) as refusal:
        pair[0].link.send("chat", message)
    assert refusal.value.code == "too-large"
    pair[0].link.send("chat", "after")
    assert (await pair[1].message()).data == "after"


async def test_text_that_utf8_cannot_carry_is_refused(pair: Pair) -> None:
    with pytest.raises(LinkError) as refusal:
        pair[0].link.send("chat", "half \ud800 pair")
    assert refusal.value.code == "not-text"


# --- channels ------------------------------------------------------------------------------------------


async def test_further_channels_from_either_side_open_on_both_and_carry_messages(pair: Pair) -> None:
    for opener, other, label in ((pair[0], pair[1], "p4"), (pair[1], pair[0], "files")):
        opener.link.open_channel(label)
        assert await opener.next() == ChannelOpened(label)
        assert await other.next() == ChannelOpened(label)
        opener.link.send(label, "there")
        other.link.send(label, b"back")
        assert await other.next() == LinkMessage(label, "there")
        assert await opener.next() == LinkMessage(label, b"back")


async def test_a_message_sent_in_the_moment_of_opening_comes_after_the_opening(pair: Pair) -> None:
    offerer, answerer = pair

    def send_at_once(event: LinkEvent) -> None:
        if event == ChannelOpened("p4"):
            for number in range(50):
                offerer.link.send("p4", str(number))

    offerer.on_event = send_at_once
    offerer.link.open_channel("p4")
    assert await answerer.next() == ChannelOpened("p4")
    assert [(await answerer.message()).data for _ in range(50)] == [str(number) for number in range(50)]


@combinations
async def test_channels_asked_for_before_there_is_a_connection_open_with_it(names: tuple[str, str]) -> None:
    async with two_ends(names) as (offerer, answerer):
        offer = await offerer.link.offer("chat")
        offerer.link.open_channel("early-offerer")
        answer = await answerer.link.answer(offer)
        answerer.link.open_channel("early-answerer")
        await offerer.link.accept_answer(answer)
        expected = {ChannelOpened(label) for label in ("chat", "early-offerer", "early-answerer")}
        for end in (offerer, answerer):
            assert {await end.next() for _ in expected} == expected


async def test_opening_a_channel_twice_opens_it_once(pair: Pair) -> None:
    pair[0].link.open_channel("p4")
    pair[0].link.open_channel("p4")
    pair[0].link.open_channel("last")
    assert {await pair[1].next(), await pair[1].next()} == {ChannelOpened("p4"), ChannelOpened("last")}


@combinations
async def test_sending_where_nothing_is_open_says_so(names: tuple[str, str]) -> None:
    async with two_ends(names) as (offerer, answerer):
        await offerer.link.offer("chat")
        for end, label in ((offerer, "chat"), (offerer, "unknown"), (answerer, "chat")):
            with pytest.raises(LinkError) as refusal:
                end.link.send(label, "lost")
            assert refusal.value.code == "not-open"
            assert end.link.buffered(label) == 0
            await end.link.drained(label)


# --- the end -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("closer", [0, 1], ids=["offerer-closes", "answerer-closes"])
async def test_the_other_side_notices_a_close_once_and_soon(pair: Pair, closer: int) -> None:
    begin = time.monotonic()
    pair[closer].link.close()
    other = pair[1 - closer]
    assert isinstance(await other.next(), LinkClosed)
    assert time.monotonic() - begin < 5
    with pytest.raises(LinkError) as refusal:
        other.link.send("chat", "too late")
    assert refusal.value.code == "not-open"
    other.link.close()
    await other.backend.close()
    assert [type(event) for event in other.events] == [ChannelOpened, LinkClosed]
    assert [type(event) for event in pair[closer].events] == [ChannelOpened]


async def test_close_never_waits_and_may_be_repeated(pair: Pair) -> None:
    begin = time.monotonic()
    for _ in range(3):
        pair[0].link.close()
    assert time.monotonic() - begin < 0.2
    pair[0].link.open_channel("p4")
    assert pair[0].link.buffered("chat") == 0


async def test_nothing_is_raised_after_close_however_much_arrives(pair: Pair) -> None:
    sender, receiver = pair
    for number in range(200):
        sender.link.send("chat", str(number))
    await receiver.next()
    receiver.link.close()
    known = len(receiver.events)
    await sender.closed()
    assert len(receiver.events) == known


async def test_a_callback_of_the_library_that_comes_late_is_dropped(pair: Pair) -> None:
    link = pair[0].link
    assert isinstance(link, ChannelLink)
    link.close()
    link._on_message("chat", "late")
    link._on_open("later")
    link._end("late too")
    assert pair[0].events == [ChannelOpened("chat")]


async def test_closing_from_within_an_event_is_allowed(pair: Pair) -> None:
    sender, receiver = pair
    receiver.on_event = lambda _: receiver.link.close()
    for number in range(20):
        sender.link.send("chat", str(number))
    await sender.closed()
    assert receiver.events == [ChannelOpened("chat"), LinkMessage("chat", "0")]


async def test_a_fault_of_the_sink_is_reported_and_does_not_break_the_link(pair: Pair) -> None:
    sender, receiver = pair
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
    fault = RuntimeError("a fault of the node")

    def fail(_: LinkEvent) -> None:
        raise fault

    receiver.on_event = fail
    sender.link.send("chat", "one")
    sender.link.send("chat", "two")
    assert [(await receiver.message()).data for _ in range(2)] == ["one", "two"]
    assert reported == [fault, fault]


@combinations
@pytest.mark.parametrize("step", ["offer", "answer"])
async def test_closing_during_a_negotiation_ends_it_with_a_link_error(
    names: tuple[str, str], step: str
) -> None:
    async with two_ends(names) as (offerer, answerer):
        offer = await offerer.link.offer("chat") if step == "answer" else ""
        end = answerer if step == "answer" else offerer
        work = asyncio.ensure_future(end.link.answer(offer) if step == "answer" else end.link.offer("chat"))
        await asyncio.sleep(0)
        end.link.close()
        with pytest.raises(LinkError):
            await work
        assert end.events == []


@combinations
async def test_a_cancelled_negotiation_stays_cancelled(names: tuple[str, str]) -> None:
    async with two_ends(names) as (offerer, _):
        work = asyncio.ensure_future(offerer.link.offer("chat"))
        await asyncio.sleep(0)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work


@pytest.mark.slow
async def test_a_path_that_is_cut_ends_both_links() -> None:
    """wrtc leaves the channel open after the connection failed; aiortc needs half a minute to notice."""

    async def cut(names: tuple[str, str]) -> None:
        path = CuttablePath()
        async with two_ends(names) as (offerer, answerer):
            await path.between(offerer, answerer)
            assert await offerer.next() == await answerer.next() == ChannelOpened("chat")
            path.cut = True
            for end in (offerer, answerer):
                assert isinstance(await end.next(seconds=60), LinkClosed)
                await end.link.drained("chat")
                with pytest.raises(LinkError):
                    end.link.send("chat", "nowhere")
            assert [len(end.events) for end in (offerer, answerer)] == [2, 2]
        path.close()

    await asyncio.gather(*map(cut, COMBINATIONS))


# --- back-pressure -------------------------------------------------------------------------------------


async def test_a_full_buffer_refuses_drains_and_loses_nothing(pair: Pair) -> None:
    sender, receiver = pair
    block = limits.LINK_MESSAGE_BYTES
    count = 0
    refusal = ""
    while not refusal and count < 10_000:
        try:
            sender.link.send("chat", count.to_bytes(4, "big") + bytes(block - 4))
            count += 1
        except LinkError as error:
            refusal = error.code
    assert refusal == "buffer-full"
    assert 16 * 1024 * 1024 - block < count * block
    assert sender.link.buffered("chat") > limits.LINK_HIGH_WATER_BYTES

    await asyncio.wait_for(sender.link.drained("chat"), 60)
    assert sender.link.buffered("chat") <= limits.LINK_LOW_WATER_BYTES
    sender.link.send("chat", "room again")
    numbers = [(await receiver.message()).data[:4] for _ in range(count)]
    assert numbers == [number.to_bytes(4, "big") for number in range(count)]
    assert (await receiver.message()).data == "room again"


@pytest.mark.parametrize("closer", [0, 1], ids=["our-close", "their-close"])
async def test_waiting_for_the_buffer_ends_with_the_link(pair: Pair, closer: int) -> None:
    for _ in range(200):
        pair[0].link.send("chat", bytes(limits.LINK_MESSAGE_BYTES))
    waiting = asyncio.ensure_future(pair[0].link.drained("chat"))
    await asyncio.sleep(0)
    pair[closer].link.close()
    await asyncio.wait_for(waiting, 10)


# --- many ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [COMBINATIONS[0], *(pytest.param(names, marks=pytest.mark.slow) for names in COMBINATIONS[1:])],
    ids="-".join,
)
async def test_a_hundred_links_leave_no_task_thread_or_file_behind(names: tuple[str, str]) -> None:
    backends = [select_backend(name) for name in names]

    async def one() -> None:
        offerer, answerer = (End(backend) for backend in backends)
        await negotiate(offerer, answerer)
        await offerer.next()
        await answerer.next()
        offerer.link.close()
        await answerer.closed()
        answerer.link.close()

    for _ in range(5):
        await one()
    before = await settled()
    for _ in range(100):
        await one()
    after = await settled()
    for backend in backends:
        await backend.close()
    assert all(now <= earlier for now, earlier in zip(after, before, strict=True)), (
        f"{before} grew to {after}"
    )


async def settled() -> tuple[int, int, int]:
    """Tasks, threads and open files, once they no longer fall."""
    process = psutil.Process()
    known = None
    while known != (counts := _counts(process)):
        known = counts
        gc.collect()
        await asyncio.sleep(0.2)
    return counts


def _counts(process: psutil.Process) -> tuple[int, int, int]:
    return len(asyncio.all_tasks()), process.num_threads(), process.num_fds()
