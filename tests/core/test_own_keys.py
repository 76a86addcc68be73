"""Which key and which name a device uses towards whom (spec/rotation.md)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.counts import examples

from p4.core import limits
from p4.core.identity import Identity, PeerId
from p4.core.own_keys import OwnKeys
from p4.errors import InputError

KEYS = [Identity(bytes([number] * 32)) for number in range(1, 40)]
ANNA, BERT = PeerId("a" * 24), PeerId("b" * 24)
DAY_MS = 24 * 60 * 60 * 1000


def rotated(times: int, *contacts: PeerId) -> OwnKeys:
    keys = OwnKeys(KEYS[0])
    for number in range(1, times + 1):
        keys = keys.rotated(KEYS[number], contacts, now_ms=number)
    return keys


def test_a_contact_from_before_keeps_the_name_and_hears_of_each_key_in_order() -> None:
    keys = rotated(3, ANNA)
    assert keys.name_for(ANNA) == KEYS[0].peer_id
    assert keys.signer_for(ANNA).public_key == KEYS[0].public_key
    assert keys.signer_for(ANNA).peer_id == KEYS[0].peer_id
    assert [one.new_key for one in keys.owed_to(ANNA)] == [key.public_key for key in KEYS[1:4]]
    keys = keys.confirmed(ANNA, KEYS[2].public_key)
    assert keys.name_for(ANNA) == KEYS[0].peer_id
    assert keys.signer_for(ANNA).public_key == KEYS[2].public_key
    assert [one.new_key for one in keys.owed_to(ANNA)] == [KEYS[3].public_key]


def test_a_contact_that_came_later_knows_the_present_key() -> None:
    keys = rotated(2)
    assert keys.signer_for(BERT) == KEYS[2]
    assert keys.owed_to(BERT) == ()


def test_no_news_and_no_way_back() -> None:
    keys = rotated(2, ANNA).confirmed(ANNA, KEYS[2].public_key)
    for key in (KEYS[0], KEYS[1], KEYS[2], KEYS[9]):
        assert keys.confirmed(ANNA, key.public_key) is keys
    assert keys.confirmed(BERT, KEYS[1].public_key) is keys


def test_private_keys_are_erased_when_nobody_needs_them_or_after_years() -> None:
    keys = rotated(2, ANNA, BERT)
    assert keys.pruned(0) is keys
    keys = keys.confirmed(ANNA, KEYS[2].public_key).confirmed(BERT, KEYS[1].public_key).pruned(0)
    assert [one.identity is None for one in keys.former] == [True, False]
    assert keys.confirmed(BERT, KEYS[2].public_key).pruned(0).readers() == (KEYS[2],)
    late = keys.pruned(limits.FORMER_KEY_DAYS * DAY_MS + 3)
    assert late.readers() == (KEYS[2],)
    assert late.signer_for(BERT).public_key == KEYS[2].public_key, "better than nothing"
    assert rotated(1, ANNA).forgotten(ANNA).pruned(0).readers() == (KEYS[1],)


def test_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ROTATIONS_OF_A_CONTACT", 2)
    with pytest.raises(InputError):
        rotated(3)


@given(
    st.lists(
        st.tuples(st.sampled_from("rcpf"), st.sampled_from([ANNA, BERT]), st.integers(0, 12)), max_size=20
    )
)
@examples(0.6)
def test_whatever_happens_both_sides_have_a_key_in_common(steps: list[tuple[str, PeerId, int]]) -> None:
    keys, known = OwnKeys(KEYS[0]), {ANNA: 0, BERT: 0}
    for what, contact, number in steps:
        last = len(keys.former)
        if what == "r":
            keys = keys.rotated(KEYS[last + 1], known, now_ms=0)
        elif what == "c":
            known[contact] = max(
                known[contact], min(number, last)
            )  # it takes over, and perhaps we hear of it
            if number % 2:
                keys = keys.confirmed(contact, KEYS[known[contact]].public_key)
        elif what == "p":
            keys = keys.pruned(0)
        assert OwnKeys.from_object(json.loads(json.dumps(keys.to_object()))) == keys
        for one, at in known.items():
            assert KEYS[at].public_key in [reader.public_key for reader in keys.readers_for(one)]
            signer = keys.signer_for(one).public_key
            assert signer in [key.public_key for key in KEYS[: at + 1]], "never one that it cannot know"
            assert {reader.peer_id for reader in keys.readers_for(one)} == {keys.name_for(one)}


@pytest.mark.parametrize(
    "change",
    [
        {"private_key_b64": "AA"},
        {"private_key_b64": None},
        {"former": None},
        {"former": [{"private_key_b64": None, "statement_b64": "AA=="}]},
        {"former": [{}]},
        {"known_by": []},
        {"known_by": {"x": {}}},
        {"known_by": {ANNA: {"peer_id": ANNA, "public_key_b64": "x"}}},
    ],
)
def test_a_damaged_file_is_refused_without_showing_a_key(change: dict[str, object]) -> None:
    value = rotated(2, ANNA).to_object()
    with pytest.raises(ValueError, match=r"^(holds|has|lacks|is) ") as caught:
        OwnKeys.from_object({**value, **change})
    assert str(value["private_key_b64"]) not in str(caught.value)
    with pytest.raises(ValueError, match="follow"):
        OwnKeys.from_object({**value, "private_key_b64": rotated(0).to_object()["private_key_b64"]})
