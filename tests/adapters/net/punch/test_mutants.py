"""Bugs planted into the data path and the life of a bridge: each must fail a test of this directory."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.adapters.net.punch import test_forwarder, test_guesser
from tests.adapters.net.punch.test_forwarder import Setting, check

from p4.adapters.net.punch import UdpPortGuesser
from p4.adapters.net.punch.forwarder import Forwarder
from p4.adapters.net.stun.codec import username_of
from p4.core.punch import Role

FORWARDER = "p4.adapters.net.punch.forwarder"
Law = Callable[[Setting], Awaitable[None]]


class EqualToAll:
    """Stands for a comparison of addresses that was left out."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return 0


def admits_any_name(forwarder: Forwarder, data: memoryview, source: Any) -> bool:
    if username_of(bytes(data)) is None:
        return False
    forwarder._agent = source
    forwarder._near.connect(source)
    return True


def admits_any_address(forwarder: Forwarder, data: memoryview, source: Any) -> bool:
    name = username_of(bytes(data))
    if name is None or not name.startswith(forwarder._expected):
        return False
    forwarder._agent = source
    return True


def forgets_the_first_check(forwarder: Forwarder, far: Any, far_end: Any) -> None:
    forwarder._waiting = None
    original_open(forwarder, far, far_end)


def believes_everybody_on_the_pair(forwarder: Forwarder, far: Any, far_end: Any) -> None:
    original_open(forwarder, far, far_end)
    forwarder._far_end = EqualToAll()  # type: ignore[assignment]


original_open = Forwarder.open


async def only_the_right_name(setting: Setting) -> None:
    await test_forwarder.test_only_the_agent_with_the_right_name_is_let_in(setting, check("other"))


MUTANTS: list[tuple[str, str, object, Law]] = [
    ("any name is let in", f"{FORWARDER}.Forwarder._admit", admits_any_name, only_the_right_name),
    (
        "any address is let in",
        f"{FORWARDER}.Forwarder._admit",
        admits_any_address,
        test_forwarder.test_another_address_of_this_machine_is_not_the_agent,
    ),
    (
        "the first check is forgotten",
        f"{FORWARDER}.Forwarder.open",
        forgets_the_first_check,
        test_forwarder.test_the_last_check_before_the_meeting_is_not_lost,
    ),
    (
        "what waited in the pair's socket is taken",
        f"{FORWARDER}.Forwarder.open",
        believes_everybody_on_the_pair,
        test_forwarder.test_once_it_knows_its_two_ends_nobody_else_is_heard,
    ),
    (
        "packets of the bridge go to the agent",
        f"{FORWARDER}.is_packet",
        lambda _: False,
        test_forwarder.test_packets_of_the_bridge_end_there,
    ),
    (
        "datagrams are cut off",
        f"{FORWARDER}._LONGEST",
        1500,
        test_forwarder.test_what_the_agent_sends_arrives_at_the_far_end_and_back,
    ),
]


@pytest.mark.parametrize(
    ("target", "bug", "law"), [each[1:] for each in MUTANTS], ids=[each[0] for each in MUTANTS]
)
async def test_a_planted_bug_of_the_data_path_is_found(
    monkeypatch: pytest.MonkeyPatch, target: str, bug: object, law: Law
) -> None:
    monkeypatch.setattr(target, bug)
    monkeypatch.setattr(test_forwarder, "SECONDS", 0.5)
    setting = Setting()
    try:
        with pytest.raises((AssertionError, TimeoutError)):
            await law(setting)
    finally:
        setting.close()


LIVES: list[tuple[str, str, object, Callable[[], Awaitable[None]]]] = [
    (
        "any address is sent to",
        "p4.adapters.net.punch.bridge.role_between",
        lambda ours, _: ours.role,
        test_guesser.test_an_address_that_is_refused_gets_no_packet,
    ),
    (
        "as often as a contact likes",
        "p4.core.punch.RunLimit.begin",
        lambda *_: True,
        test_guesser.test_three_attempts_in_three_minutes_with_a_contact_and_two_at_a_time,
    ),
    (
        "any number at a time",
        "p4.core.limits.PUNCH_AT_A_TIME",
        99,
        test_guesser.test_three_attempts_in_three_minutes_with_a_contact_and_two_at_a_time,
    ),
    (
        "what was found is kept in another network",
        "p4.adapters.net.punch.guesser.UdpPortGuesser.network_changed",
        lambda _: None,
        test_guesser.test_the_kind_is_remembered_until_the_network_changes,
    ),
    (
        "what is remembered is never corrected",
        "p4.adapters.net.punch.guesser._role_of",
        lambda _: Role.EASY,
        test_guesser.test_the_second_answer_corrects_what_is_remembered,
    ),
]


@pytest.mark.parametrize(
    ("target", "bug", "law"), [each[1:] for each in LIVES], ids=[each[0] for each in LIVES]
)
async def test_a_planted_bug_of_a_bridge_is_found(
    monkeypatch: pytest.MonkeyPatch, target: str, bug: object, law: Callable[[], Awaitable[None]]
) -> None:
    made: list[Any] = []
    original = UdpPortGuesser

    def remembered(*arguments: Any) -> Any:
        made.append(original(*arguments))
        return made[-1]

    monkeypatch.setattr(test_guesser, "UdpPortGuesser", remembered)
    monkeypatch.setattr(target, bug)
    try:
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            await law()
    finally:
        for guesser in made:
            with contextlib.suppress(OSError):
                await guesser.close()
