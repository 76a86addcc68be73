"""Faults planted in the links, each of which the contract tests must find."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from tests.adapters.webrtc import test_channel_kinds as kinds
from tests.adapters.webrtc import test_link_contract as contract
from tests.adapters.webrtc.harness import connected

from p4.adapters.webrtc.aiortc_backend import AiortcLink
from p4.adapters.webrtc.base import ChannelLink, DataChannel, _Kept
from p4.ports import LinkClosed, LinkMessage

Test = Callable[[contract.Pair], Awaitable[None]]


def leave_channels_open(link: ChannelLink) -> None:
    link._over = True


def end_always(link: ChannelLink, reason: str) -> None:
    link._sink(LinkClosed(reason))


def forget_the_kind(link: ChannelLink, label: str, data: str | bytes) -> None:
    link._sink(LinkMessage(label, data.encode() if isinstance(data, str) else data))


def open_silently(link: ChannelLink, label: str) -> None:
    link._open[label] = link._channels[label]


async def drained_at_once(_link: ChannelLink, _label: str) -> None:
    return


def let_the_sink_fail(link: ChannelLink, label: str, data: str | bytes) -> None:
    link._sink(LinkMessage(label, data))


def create_ordered(link: AiortcLink, label: str, *, ordered: bool, reliable: bool) -> DataChannel:
    return link._live().createDataChannel(label, maxRetransmits=None if reliable else 0)


def create_reliable(link: AiortcLink, label: str, *, ordered: bool, reliable: bool) -> DataChannel:
    return link._live().createDataChannel(label, ordered=ordered)


def announce_early(link: ChannelLink, kept: _Kept, data: str | bytes) -> None:
    link._on_open(kept.channel.label)
    link._on_message(kept.channel.label, data)


def keep_any_number(_link: ChannelLink, kept: _Kept, data: str | bytes) -> None:
    kept.early.append(data)


def kinds_announced(_: contract.Pair) -> Awaitable[None]:
    return kinds.test_the_other_side_learns_the_kind_from_the_announcement(("aiortc", "aiortc"))


def early_messages_wait(_: contract.Pair) -> Awaitable[None]:
    return kinds.test_messages_that_overtake_the_confirmation_wait_for_it()


def early_messages_are_limited(_: contract.Pair) -> Awaitable[None]:
    return kinds.test_a_channel_that_is_used_and_never_confirmed_ends_the_link("x")


def noticed_once(pair: contract.Pair) -> Awaitable[None]:
    return contract.test_the_other_side_notices_a_close_once_and_soon(pair, 0)


MUTANTS: dict[str, tuple[str, object, Test]] = {
    "events after close": (
        "_finish",
        leave_channels_open,
        contract.test_a_callback_of_the_library_that_comes_late_is_dropped,
    ),
    "an end for every sign of it": ("_end", end_always, noticed_once),
    "text becomes binary": (
        "_on_message",
        forget_the_kind,
        contract.test_messages_keep_kind_content_and_order_in_both_directions,
    ),
    "a channel opens unannounced": (
        "_on_open",
        open_silently,
        contract.test_a_message_sent_in_the_moment_of_opening_comes_after_the_opening,
    ),
    "drained before it is": (
        "drained",
        drained_at_once,
        contract.test_a_full_buffer_refuses_drains_and_loses_nothing,
    ),
    "a failing sink": (
        "_on_message",
        let_the_sink_fail,
        contract.test_a_fault_of_the_sink_is_reported_and_does_not_break_the_link,
    ),
    "every channel is ordered": ("_create", create_ordered, kinds_announced),
    "every channel is reliable": ("_create", create_reliable, kinds_announced),
    "opened before it is confirmed": ("_on_early_message", announce_early, early_messages_wait),
    "unconfirmed without end": ("_on_early_message", keep_any_number, early_messages_are_limited),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MUTANTS)
async def test_the_contract_tests_find_the_fault(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    attribute, mutant, test = MUTANTS[name]
    monkeypatch.setattr("tests.adapters.webrtc.harness.SECONDS", 1.0)
    async with connected(("aiortc", "aiortc")) as pair:
        monkeypatch.setattr(AiortcLink, attribute, mutant)
        with pytest.raises((AssertionError, TimeoutError)):
            await test(pair)
