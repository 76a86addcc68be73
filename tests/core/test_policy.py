from __future__ import annotations

import pytest

from p4.core.ice import IceSettings, TurnServer
from p4.core.policy import Policy
from p4.errors import InputError

TURN = (TurnServer("turn:turn.example.org"),)


def test_the_words_that_are_stored_and_typed_stay_what_they_are() -> None:
    assert {policy.value for policy in Policy} == {"direct", "relay-only", "lan-only"}
    assert Policy("direct") is Policy.DIRECT, "what a contact has that was never given another"


def test_only_the_servers_that_a_policy_allows_are_asked() -> None:
    settings = IceSettings(stun=("stun:stun.example.org",), turn=TURN)
    assert settings.under(Policy.DIRECT) == settings
    assert settings.under(Policy.DIRECT, relays=False) == IceSettings(stun=settings.stun)
    for relays in (True, False):
        assert settings.under(Policy.RELAY_ONLY, relays=relays) == IceSettings((), TURN, relay_only=True)
        assert settings.under(Policy.LAN_ONLY, relays=relays) == IceSettings(())


def test_hiding_needs_a_relay() -> None:
    with pytest.raises(InputError) as refusal:
        IceSettings().under(Policy.RELAY_ONLY)
    assert refusal.value.code == "relay-only"
