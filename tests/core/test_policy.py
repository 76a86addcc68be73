from __future__ import annotations

from p4.core.policy import Policy


def test_the_words_that_are_stored_and_typed_stay_what_they_are() -> None:
    assert {policy.value for policy in Policy} == {"direct", "relay-only", "lan-only"}
    assert Policy("direct") is Policy.DIRECT, "what a contact has that was never given another"
