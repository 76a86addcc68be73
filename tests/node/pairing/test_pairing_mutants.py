"""Bugs planted into pairing: a test of this directory, or a vector, notices each."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from tests import test_vectors
from tests.node.pairing import test_pairing_attacks as attacks
from tests.node.pairing import test_pairing_interrupted as interrupted
from tests.node.pairing import test_pairing_of_nodes as nodes

from p4.core.pairing.open_invite import OpenInvite
from p4.errors import P4Error
from p4.node.pairing.invite import PairingInvite
from p4.node.pairing.invites import Invites
from p4.node.peer import Peer
from p4.testing import VirtualTimeError

INVITES = "p4.node.pairing.invites.Invites"
EXCHANGE = "p4.core.pairing.exchange"
ALWAYS_EQUAL = SimpleNamespace(compare_digest=lambda one, other: True, digest=hmac.digest)


NOTICED = (
    AssertionError,
    P4Error,
    TimeoutError,
    VirtualTimeError,
    LookupError,
    ValueError,
    pytest.fail.Exception,
)


def _vectors(*names: str) -> Callable[..., None]:
    def run() -> None:
        for name in names:
            test_vectors.test_vector(f"pairing/{name}.json")

    return run


def _note_in_memory(invites: Invites, invite: PairingInvite) -> None:
    invite.record = invite.record.after_guess()


def _claim_without_a_look(invites: Invites, invite: PairingInvite, key: bytes) -> None:
    invites._write(invite, invite.record.after_claim(key))


def _claim_in_memory(invites: Invites, invite: PairingInvite, key: bytes) -> None:
    invite.record = replace(invite.record, claimed_by=key)


def _keep_secret(invites: Invites, invite: PairingInvite, outcome: Peer | str) -> None:
    invite.finish(outcome)


def _forget_everything(invites: Invites) -> list[OpenInvite]:
    return []


def _confirm_at_once(invites: Invites, invite: PairingInvite, key: bytes) -> None:
    invites._write(invite, invite.record.after_claim(key))
    invite.finish("used")


MUTANTS: list[tuple[str, str, Any, Callable[..., None]]] = [
    (
        "anybody is answered who knows the secret",
        "p4.core.pairing.open_invite.OpenInvite.answers",
        lambda invite, key: True,
        attacks.test_a_thief_of_the_link_cannot_take_over_a_claimed_invite,
    ),
    (
        "two at one moment are both taken",
        f"{INVITES}.claim",
        _claim_without_a_look,
        nodes.test_two_guests_at_one_moment_are_one_contact_and_one_refusal,
    ),
    (
        "a used invite stays open",
        f"{INVITES}._end",
        lambda *_: None,
        nodes.test_one_invite_pairs_one_device,
    ),
    (
        "the secret stays on disk",
        f"{INVITES}._end",
        _keep_secret,
        nodes.test_an_invite_expires_at_its_moment,
    ),
    (
        "expiry is ignored by the host",
        f"{INVITES}._expire",
        lambda *_: False,
        nodes.test_an_invite_expires_at_its_moment,
    ),
    (
        "a claim is kept in memory only",
        f"{INVITES}.claim",
        _claim_in_memory,
        interrupted.test_a_claim_outlives_a_restart_of_the_host,
    ),
    (
        "an invite ends before the guest has confirmed",
        f"{INVITES}.claim",
        _confirm_at_once,
        interrupted.test_a_host_that_crashes_before_it_answers_pairs_after_its_restart,
    ),
    (
        "open invites are forgotten at a start",
        f"{INVITES}._load",
        _forget_everything,
        nodes.test_an_open_invite_survives_a_crash_of_its_host,
    ),
    (
        "guests do not confirm by calling",
        f"{INVITES}.in_doubt",
        lambda *_: None,
        interrupted.test_a_guest_that_crashes_before_it_confirms_can_come_again,
    ),
    (
        "our own link is tried",
        "p4.node.pairing.desk._own",
        lambda: ValueError("tried"),
        nodes.test_own_links_and_words_are_refused,
    ),
    (
        "proofs are not compared",
        f"{EXCHANGE}.hmac",
        ALWAYS_EQUAL,
        _vectors("host_proof_changed"),
    ),
    (
        "the guest compares no proof",
        f"{EXCHANGE}._require_proof",
        lambda *_: None,
        _vectors("guest_proof_changed"),
    ),
    (
        "signatures of cards are not verified",
        f"{EXCHANGE}.verify_signature",
        lambda *_: True,
        _vectors("host_stolen_key"),
    ),
    (
        "the transcript is not part of the keys",
        f"{EXCHANGE}._transcript",
        lambda *_: bytes(32),
        _vectors("host_link"),
    ),
    (
        "check digits are not looked at",
        "p4.core.pairing.link._checksum",
        lambda body: bytes(4),
        _vectors("link_plain"),
    ),
    (
        "lengths are not looked at",
        "p4.core.pairing.link._require_length",
        lambda *_: None,
        _vectors("link_long"),
    ),
    (
        "weak keys are taken",
        "p4.core.pairing.link.is_usable_key",
        lambda key: True,
        _vectors("link_weak_key"),
    ),
    (
        "a wrong guess ends nothing",
        f"{INVITES}.guessed_wrong",
        lambda *_: None,
        attacks.test_of_guesses_at_one_moment_one_is_compared_and_the_host_is_told,
    ),
    (
        "guesses are not written down",
        f"{INVITES}.note_guess",
        lambda *_: None,
        attacks.test_a_guess_is_on_disk_before_it_is_compared,
    ),
    (
        "guesses are kept in memory only",
        f"{INVITES}.note_guess",
        _note_in_memory,
        attacks.test_a_guess_is_on_disk_before_it_is_compared,
    ),
    ("codes of any length are taken", "p4.core.pairing.words._COUNTS", range(1, 99), _vectors("words_seven")),
]


@pytest.mark.parametrize(("_", "what", "bug", "test"), MUTANTS, ids=[mutant[0] for mutant in MUTANTS])
def test_a_planted_bug_is_noticed(
    monkeypatch: pytest.MonkeyPatch, _: str, what: str, bug: Any, test: Callable[..., None]
) -> None:
    monkeypatch.setattr(what, bug)
    takes = test.__code__.co_varnames[: test.__code__.co_argcount]
    with pytest.raises(NOTICED):
        test(*(monkeypatch for name in takes if name == "monkeypatch"))
