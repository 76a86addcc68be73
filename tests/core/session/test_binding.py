"""What is signed about a link; and that leaving any of it out would be noticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from p4.core.identity import Identity
from p4.core.session.binding import Binding, LinkProof, Role

ALICE, BOB, CAROL = (Identity(bytes([number]) * 32) for number in (1, 2, 3))
TRUE = Binding(
    ALICE.peer_id, BOB.peer_id, b"a" * 32, b"b" * 32, b"c" * 16, b"d" * 16, "3f2b8c1e-0d4a-4f6b-9a57"
)
OTHER: dict[str, Any] = {
    "offerer": CAROL.peer_id,
    "answerer": CAROL.peer_id,
    "offerer_fingerprint": b"x" * 32,
    "answerer_fingerprint": b"x" * 32,
    "offerer_nonce": b"x" * 16,
    "answerer_nonce": b"x" * 16,
    "session_id": "another",
}


def unnoticed() -> set[str]:
    """Parts of the binding that the far end may have seen otherwise without being refused."""
    parts = {
        part
        for part, value in OTHER.items()
        if TRUE.verify(BOB.public_key, replace(TRUE, **{part: value}).sign(BOB, Role.ANSWERER), Role.ANSWERER)
    }
    if TRUE.verify(BOB.public_key, TRUE.sign(BOB, Role.OFFERER), Role.ANSWERER):
        parts.add("role")
    return parts


def test_two_ends_that_saw_the_same_prove_themselves() -> None:
    at_alice = LinkProof.make(ALICE, BOB.public_key, TRUE)
    at_bob = LinkProof.make(BOB, ALICE.public_key, TRUE)
    assert (at_alice.role, at_bob.role) == (Role.OFFERER, Role.ANSWERER)
    assert at_alice.accepts(at_bob.signature)
    assert at_bob.accepts(at_alice.signature)
    assert not at_alice.accepts(at_alice.signature), "sent back"
    assert not at_alice.accepts(bytes(64))


def test_every_part_is_signed() -> None:
    assert unnoticed() == set()


@pytest.mark.parametrize("part", [*OTHER, "role"])
def test_a_part_that_is_left_out_is_found(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    honest: Callable[[Binding, Role], bytes] = Binding.statement

    def without(self: Binding, signer: Role) -> bytes:
        if part == "role":
            return honest(self, Role.OFFERER)
        return honest(replace(self, **{part: getattr(TRUE, part)}), signer)

    monkeypatch.setattr(Binding, "statement", without)
    assert unnoticed() == {part}


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("offerer", "A" * 24),
        ("answerer", "a" * 23),
        ("offerer_fingerprint", bytes(31)),
        ("answerer_fingerprint", bytes(33)),
        ("offerer_nonce", bytes(15)),
        ("answerer_nonce", bytes(17)),
        ("session_id", ""),
        ("session_id", "x" * 65),
        ("session_id", "é"),
    ],
)
def test_two_links_never_share_a_statement(part: str, value: Any) -> None:
    """All parts but the last have one length, so the statement can be cut in one way only."""
    with pytest.raises(ValueError, match="wrong form"):
        replace(TRUE, **{part: value})
