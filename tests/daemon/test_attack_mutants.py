"""The attacks find a gate that is open: each check in turn is taken out, and its attack must succeed then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.daemon import test_attacks as attacks
from tests.daemon import test_request_bounds as bounds
from tests.daemon.conftest import RunningDaemon

from p4.daemon.access import gate
from p4.daemon.access.authority import Authority
from p4.daemon.access.failures import FailureLimit
from p4.daemon.access.gate import AccessGate
from p4.daemon.access.web_logins import WebLogins

Attack = Callable[[RunningDaemon], Awaitable[None]]


FOUND = (AssertionError, KeyError, ValueError)
"""How an attack ends that was not refused: with another answer, or with one that is no error at all."""


def yes(*_arguments: object) -> bool:
    return True


def nothing(*_arguments: object) -> None:
    return None


async def no_wait(*_arguments: object) -> None:
    return None


def reusable(self: WebLogins, code: str) -> str | None:
    found = dict(self._codes)
    session = LOG_IN(self, code)
    self._codes.update(found)
    return session


LOG_IN = WebLogins.log_in


async def foreign_page(daemon: RunningDaemon) -> None:
    await attacks.test_foreign_pages_are_refused_whatever_they_know(
        daemon, {"Origin": "https://evil.example"}
    )


async def rebound_name(daemon: RunningDaemon) -> None:
    await attacks.test_a_name_that_leads_here_is_not_ours(daemon, "evil.example:{port}")


MUTANTS: list[tuple[Any, str, Any, Attack]] = [
    (AccessGate, "_check_origin", nothing, rebound_name),
    (AccessGate, "_is_own_origin", yes, foreign_page),
    (AccessGate, "_is_same_origin", yes, attacks.test_the_cookie_alone_changes_nothing),
    (WebLogins, "log_in", reusable, attacks.test_a_login_code_works_once),
    (WebLogins, "is_session", yes, attacks.test_the_cookie_alone_changes_nothing),
    (FailureLimit, "failed", no_wait, attacks.test_guessing_is_slowed_down_and_shuts_nobody_out),
    (gate, "_bounded", lambda receive: receive, bounds.test_bodies_have_a_size),
]


@pytest.mark.parametrize(
    ("place", "name", "open_door", "attack"), MUTANTS, ids=[f"{found[1]}" for found in MUTANTS]
)
async def test_the_attack_succeeds_without_the_check(
    daemon: RunningDaemon,
    monkeypatch: pytest.MonkeyPatch,
    place: Any,
    name: str,
    open_door: Any,
    attack: Attack,
) -> None:
    monkeypatch.setattr(place, name, open_door)
    with pytest.raises(FOUND):
        await attack(daemon)


async def test_a_token_without_limits_is_found(
    pair: tuple[RunningDaemon, RunningDaemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Authority, "require", nothing)
    with pytest.raises(FOUND):
        await attacks.test_a_token_opens_what_it_names_and_nothing_else(pair)


async def test_a_route_that_forgot_the_owner_is_found(
    pair: tuple[RunningDaemon, RunningDaemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Authority, "require_owner", nothing)
    with pytest.raises(FOUND):
        await attacks.test_every_other_route_is_the_owners(pair)
