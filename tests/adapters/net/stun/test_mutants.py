"""Bugs planted into the STUN client and its conclusions: each must fail a test of this directory."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest
from tests.adapters.net.stun import test_client, test_codec, test_nat
from tests.adapters.net.stun.server import answer_bytes, attribute

from p4.adapters.net.stun.classify import Mapping
from p4.errors import UnreachableError

STUN = "p4.adapters.net.stun"
Law = Callable[[], Awaitable[None] | None]


def whole_sample() -> None:
    test_codec.test_a_damaged_sample_never_gives_another_address(test_codec.SAMPLE_IPV4)


class Everything(set[int]):
    """Every kind of attribute may be ignored."""

    def __or__(self, other: object) -> Any:
        return self

    def __contains__(self, kind: object) -> bool:
        return True


def must_be_understood() -> None:
    test_codec.test_what_is_no_answer_is_none(
        answer_bytes(test_codec.TRANSACTION, test_codec.GOOD, attribute(0x7000, b""))
    )


def by_number_of_ports(seen: Iterable[Any]) -> Mapping:
    mapped = {each.mapped for each in seen}
    return Mapping.INDEPENDENT if len(mapped) == 1 else Mapping.PORT_DEPENDENT


MUTANTS: list[tuple[str, str, object, Law]] = [
    ("the fingerprint is not checked", f"{STUN}.codec._FINGERPRINT", 0x8FFF, whole_sample),
    ("any attribute may be ignored", f"{STUN}.codec._MAY_BE_IGNORED", Everything(), must_be_understood),
    ("the wrong cookie", f"{STUN}.codec._COOKIE", 0x2112A443, test_codec.test_the_samples_of_rfc_5769),
    (
        "both flags are one",
        f"{STUN}.codec._CHANGE_PORT_FLAG",
        4,
        test_codec.test_a_request_says_what_is_asked_for,
    ),
    (
        "anybody may answer",
        f"{STUN}.client._same_address",
        lambda *_: True,
        test_client.test_only_the_server_that_was_asked_can_answer,
    ),
    (
        "nothing is repeated",
        f"{STUN}.client._FIRST_REPEAT_SECONDS",
        60.0,
        test_client.test_lost_requests_are_repeated,
    ),
    (
        "a step in any ports",
        f"{STUN}.classify.pairwise",
        lambda ports: [(0, 1)],
        test_nat.test_the_step_of_ports,
    ),
    (
        "one address is enough",
        f"{STUN}.nat.seen_mapping",
        by_number_of_ports,
        test_nat.test_one_address_is_not_enough,
    ),
    (
        "addresses inside are no secret",
        "ipaddress.IPv4Address.is_global",
        True,
        test_nat.test_a_server_in_the_internet_does_not_point_us_into_our_own_network,
    ),
]


@pytest.mark.parametrize(
    ("target", "bug", "law"), [each[1:] for each in MUTANTS], ids=[each[0] for each in MUTANTS]
)
async def test_a_planted_bug_is_found(
    monkeypatch: pytest.MonkeyPatch, target: str, bug: object, law: Law
) -> None:
    monkeypatch.setattr(target, bug)
    with pytest.raises((AssertionError, UnreachableError)):
        await result(law)


async def result(law: Law) -> None:
    outcome = law()
    if inspect.isawaitable(outcome):
        await outcome
