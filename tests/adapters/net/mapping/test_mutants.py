"""Mappers with one mistake each, which a scene must find."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.adapters.net.mapping import scenes

from p4.adapters.net.mapping import RouterPortMapper, askers, keeper, pcp
from p4.adapters.net.mapping.epoch import Epoch
from p4.adapters.net.mapping.exchange import RouterSocket
from p4.adapters.net.mapping.router import Pace

Patch = pytest.MonkeyPatch


def nonces_not_compared(patch: Patch) -> None:
    parse, request = pcp.parse, pcp.map_request
    asked: list[bytes] = []

    def remember(local: str, nonce: bytes, *rest: Any, **named: Any) -> bytes:
        asked.append(nonce)
        return request(local, nonce, *rest, **named)

    def believe(datagram: bytes) -> pcp.PcpResponse | None:
        answer = parse(datagram)
        if answer is None or answer.mapping is None:
            return answer
        return replace(answer, mapping=replace(answer.mapping, nonce=asked[-1]))

    patch.setattr(pcp, "map_request", remember)
    patch.setattr(pcp, "parse", believe)


def sent_only_once(patch: Patch) -> None:
    ask = RouterSocket.ask

    async def once(self: RouterSocket, *rest: Any, tries: int, first_retry: float) -> Any:
        return await ask(self, *rest, tries=1, first_retry=first_retry)

    patch.setattr(RouterSocket, "ask", once)


def never_renewed(patch: Patch) -> None:
    patch.setattr(keeper, "max", lambda *_: 1e9, raising=False)


def renewals_told(patch: Patch) -> None:
    tell = RouterPortMapper._tell

    def always(self: RouterPortMapper) -> None:
        self._told = frozenset()
        tell(self)

    def granted(self: keeper.Keeper, *rest: Any) -> Any:
        self._changed()
        return ask(self, *rest)

    ask = keeper.Keeper._granted
    patch.setattr(RouterPortMapper, "_tell", always)
    patch.setattr(keeper.Keeper, "_granted", granted)


def epochs_not_compared(patch: Patch) -> None:
    patch.setattr(Epoch, "continued_by", lambda self, later: True)


def private_addresses_believed(patch: Patch) -> None:
    patch.setattr(keeper.Keeper, "_usable_host", lambda self, lease: lease.external_host)


def no_pause(patch: Patch) -> None:
    async def pause(self: keeper.Keeper, seconds: float) -> None:
        await asyncio.sleep(0.01)

    patch.setattr(keeper.Keeper, "_pause", pause)


def changes_not_heeded(patch: Patch) -> None:
    patch.setattr(keeper.Keeper, "ask_anew", lambda self: None)


def nothing_deleted(patch: Patch) -> None:
    async def unmap(self: Any, *rest: Any) -> None:
        return None

    patch.setattr(askers.PcpAsker, "unmap", unmap)


def goodbyes_without_limit(patch: Patch) -> None:
    async def unmap(self: askers.PcpAsker, *rest: Any) -> None:
        await asyncio.sleep(2)

    patch.setattr(askers.PcpAsker, "unmap", unmap)
    patch.setattr(scenes, "PACE", replace(scenes.PACE, goodbye=60.0))


def random_nonces(patch: Patch) -> None:
    made = iter(range(1, 1000))
    patch.setattr(askers.PcpAsker, "_nonce", lambda self, port: next(made).to_bytes(12, "big"))


CAUGHT_BY: list[tuple[Callable[[Patch], None], Callable[[], Awaitable[None]]]] = [
    (nonces_not_compared, scenes.a_forged_answer_is_left_out),
    (sent_only_once, scenes.lost_packets_are_sent_again),
    (never_renewed, scenes.it_is_renewed_at_half_its_life_and_nothing_is_told_then),
    (renewals_told, scenes.it_is_renewed_at_half_its_life_and_nothing_is_told_then),
    (epochs_not_compared, scenes.after_a_restart_of_the_router_it_is_mapped_again),
    (private_addresses_believed, scenes.a_private_address_of_the_router_is_not_told),
    (no_pause, scenes.a_silent_network_is_left_alone),
    (changes_not_heeded, scenes.a_changed_network_is_asked_at_once),
    (nothing_deleted, scenes.the_end_deletes_the_mappings),
    (goodbyes_without_limit, scenes.the_end_deletes_the_mappings),
    (random_nonces, scenes.the_next_process_gets_its_mapping_back),
]


@pytest.mark.parametrize(("mistake", "scene"), CAUGHT_BY, ids=lambda value: value.__name__)
async def test_the_mistake_is_found(
    mistake: Callable[[Patch], None], scene: Callable[[], Awaitable[None]], monkeypatch: Patch
) -> None:
    monkeypatch.setattr(scenes, "PATIENCE_SECONDS", 1.5)
    mistake(monkeypatch)
    with pytest.raises((AssertionError, TimeoutError)):
        await scene()


def test_the_pace_leaves_silent_networks_alone() -> None:
    pace = Pace()
    # Six small packets in two seconds, then none for ten minutes.
    assert pace.probe_tries * 2 == 6
    assert pace.again >= 600
    assert sum(pace.first_retry * 2**attempt for attempt in range(pace.probe_tries)) < 2
