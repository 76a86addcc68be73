"""Faults planted in the links, each of which the contract tests must find."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from tests.adapters.webrtc import test_link_contract as contract
from tests.adapters.webrtc.harness import connected

from p4.adapters.webrtc.aiortc_backend import AiortcLink
from p4.adapters.webrtc.base import ChannelLink
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
