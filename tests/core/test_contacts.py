"""The contact book (spec/identity.md, Contacts)."""

from __future__ import annotations

import json
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from p4.core.address import RendezvousAddress, Transport
from p4.core.contacts import Contact, ContactBook
from p4.core.identity import Identity, PeerId, encode_key
from p4.core.invite import Invite
from p4.core.rotation import RotationStatement
from p4.errors import ContactError, InviteError

ME = Identity(bytes(32)).peer_id


def invite(number: int, host: str = "192.0.2.1") -> Invite:
    key = Identity(bytes([number]) * 32).public_key
    return Invite(key, RendezvousAddress(Transport.DIRECT, host, 9000 + number))


def book(*names: str) -> ContactBook:
    result = ContactBook()
    for number, name in enumerate(names, start=1):
        result = result.add(invite(number), name, me=ME)
    return result


def entry(number: int, **changes: Any) -> dict[str, Any]:
    return {**invite(number).to_object(), **changes}


def parsed(*entries: Any) -> tuple[ContactBook, tuple[str, ...]]:
    return ContactBook.parse(json.dumps(entries).encode())


class TestAdd:
    def test_a_new_contact_comes_last(self) -> None:
        result = book("laptop", "")
        assert [contact.name for contact in result.contacts] == ["laptop", ""]
        assert result.contacts[1] == Contact(invite(2).peer_id, invite(2).public_key, invite(2).rendezvous)

    def test_the_old_book_is_unchanged(self) -> None:
        before = book("laptop")
        before.add(invite(2), me=ME)
        assert len(before.contacts) == 1

    def test_a_known_contact_moves_and_keeps_its_name(self) -> None:
        moved = book("laptop").add(invite(1, "198.51.100.1"), me=ME)
        assert moved.find("laptop").rendezvous.host == "198.51.100.1"
        assert len(moved.contacts) == 1

    def test_a_known_contact_can_be_given_a_name_with_it(self) -> None:
        assert book("laptop").add(invite(1), "desk", me=ME).find("desk").peer_id == invite(1).peer_id

    @pytest.mark.parametrize("former", [1, 2])
    def test_who_has_a_key_that_a_contact_has_rotated_from_is_not_that_contact(self, former: int) -> None:
        """Neither its address nor its gate may follow somebody who found an old key."""
        keys = [Identity(bytes([number]) * 32) for number in (1, 2, 3)]
        rotated = book("laptop").contacts[0]
        for old, new in pairwise(keys):
            rotated = rotated.with_key(RotationStatement.make(old, new, now_ms=1))
        known = ContactBook.of(rotated)
        with pytest.raises(ContactError) as caught:
            known.add(invite(former, "198.51.100.1"), me=ME)
        assert caught.value.code == "changed-key"
        assert known.contacts[0].rendezvous.host == "192.0.2.1"

    def test_the_same_invite_twice_changes_nothing(self) -> None:
        assert book("laptop").add(invite(1), me=ME).serialise() == book("laptop").serialise()

    def test_our_own_invite_is_refused(self) -> None:
        with pytest.raises(InviteError) as caught:
            ContactBook().add(invite(1), me=invite(1).peer_id)
        assert caught.value.code == "own-invite"

    def test_a_known_name_with_a_new_key_is_refused_and_explained(self) -> None:
        with pytest.raises(ContactError, match="different key") as caught:
            book("laptop").add(invite(2), "LAPTOP", me=ME)
        assert caught.value.code == "name-taken"
        assert invite(1).peer_id in caught.value.message

    def test_another_key_in_the_file_for_the_same_id_is_refused_until_removed(self) -> None:
        forged = entry(1, public_key_b64=encode_key(invite(2).public_key))
        before, problems = parsed(forged)
        assert len(problems) == 1
        with pytest.raises(ContactError, match="another key") as caught:
            before.add(invite(1), me=ME)
        assert caught.value.code == "changed-key"
        assert before.remove(invite(1).peer_id).add(invite(1), me=ME).contacts


class TestNames:
    @pytest.mark.parametrize("name", ["x", "Küche 2", "a" * 64, "👩\u200d💻", "دفتر"])
    def test_good(self, name: str) -> None:
        assert book(name).find(name).name == name

    @pytest.mark.parametrize(
        "name",
        [
            "a" * 65,
            " x",
            "x ",
            "a\nb",
            "a\x1b[2Jb",
            "a\u202eb",
            "a\u2028b",
            "\ud800",
            "0" * 24,
            "AB" * 12,
            "\u200e",
        ],
    )
    def test_bad(self, name: str) -> None:
        for attempt in (partial(book, name), partial(book("old").rename, "old", name)):
            with pytest.raises(ContactError) as caught:
                attempt()
            assert caught.value.code == "bad-name"
            assert caught.value.message.isprintable()

    @pytest.mark.parametrize(
        ("one", "other"), [("laptop", "LapTop"), ("straße", "STRASSE"), ("é", "e\u0301")]
    )
    def test_names_that_look_alike_are_one(self, one: str, other: str) -> None:
        assert book(one).find(other).name == one
        with pytest.raises(ContactError) as caught:
            book(one, "second").rename("second", other)
        assert caught.value.code == "name-taken"

    def test_a_contact_may_change_the_case_of_its_own_name(self) -> None:
        assert book("laptop").rename("laptop", "Laptop").contacts[0].name == "Laptop"

    def test_a_name_can_be_taken_away(self) -> None:
        assert book("laptop").rename("laptop", "").contacts[0].label == invite(1).peer_id


class TestFind:
    def test_by_id_name_and_beginning(self) -> None:
        contact = book("laptop").contacts[0]
        for reference in (
            contact.peer_id,
            contact.peer_id.upper(),
            contact.peer_id[:6],
            " laptop ",
            "LAPTOP",
        ):
            assert book("laptop").find(reference) == contact

    @pytest.mark.parametrize(
        "reference", ["", " ", "nobody", invite(1).peer_id[:5], invite(2).peer_id, "\x1b"]
    )
    def test_unknown(self, reference: str) -> None:
        with pytest.raises(ContactError) as caught:
            book("laptop").find(reference)
        assert caught.value.code == "unknown"
        assert caught.value.message.isprintable()

    def test_an_empty_reference_finds_no_nameless_contact(self) -> None:
        with pytest.raises(ContactError):
            book("").find("")

    def test_a_beginning_of_two_ids_is_ambiguous(self) -> None:
        contacts = [Contact(PeerId("abcdef" + digit * 18), b"", invite(1).rendezvous) for digit in ("0", "1")]
        result = ContactBook.of(*contacts)
        with pytest.raises(ContactError) as caught:
            result.find("abcdef")
        assert caught.value.code == "ambiguous"
        assert result.find("abcdef0") == contacts[0]

    def test_a_name_goes_before_a_beginning(self) -> None:
        prefix = invite(1).peer_id[:8]
        assert book("", prefix).find(prefix).peer_id == invite(2).peer_id

    def test_remove(self) -> None:
        assert [contact.name for contact in book("a", "b").remove("a").contacts] == ["b"]
        with pytest.raises(ContactError):
            book("a").remove("b")


class TestFile:
    def test_version_1_entries_without_names(self) -> None:
        result, problems = parsed(entry(1), entry(2, name=""), entry(3, name=invite(3).peer_id))
        assert [contact.name for contact in result.contacts] == ["", "", ""]
        assert problems == ()

    def test_what_is_not_touched_is_written_back_as_it_was(self) -> None:
        entries = [
            entry(1, later={"x": [1]}, name="laptop"),
            entry(2, peer_id="0" * 24),
            "not an object",
            entry(3, name="a\nb"),
            {},
            entry(1),
        ]
        result, problems = parsed(*entries)
        assert json.loads(result.serialise()) == entries
        assert len(problems) == 5
        assert [contact.peer_id for contact in result.contacts] == [invite(1).peer_id, invite(3).peer_id]

    def test_a_change_touches_only_what_it_must(self) -> None:
        rendezvous = {**entry(1)["rendezvous"], "hint": "attic"}
        before, _ = parsed(entry(1, rendezvous=rendezvous, later=1), entry(2))
        after = json.loads(before.add(invite(1, "198.51.100.1"), "x", me=ME).serialise())
        assert after == [
            entry(1, rendezvous={**rendezvous, "address": "198.51.100.1"}, later=1, name="x"),
            entry(2),
        ]

    def test_problems_are_sentences_that_name_the_entry(self) -> None:
        _, problems = parsed(entry(1), entry(2, peer_id="0" * 24), entry(3, name=7))
        assert problems[0].startswith("Entry 2 of the contacts file: ")
        assert problems[1].startswith("Entry 3 of the contacts file: ")
        assert all(problem.endswith(".") for problem in problems)

    def test_two_with_one_name_in_the_file(self) -> None:
        result, problems = parsed(entry(1, name="x"), entry(2, name="X"))
        assert [contact.name for contact in result.contacts] == ["x", ""]
        assert len(problems) == 1

    @pytest.mark.parametrize(
        ("data", "code"),
        [(b"", "not-json"), (b"{}", "not-list"), (b"\xff", "not-utf8"), (b"[" * 9999, "too-deep")],
    )
    def test_a_file_that_is_no_list_at_all(self, data: bytes, code: str) -> None:
        with pytest.raises(ContactError) as caught:
            ContactBook.parse(data)
        assert caught.value.code == code

    def test_round_trip(self) -> None:
        before = book("laptop", "", "Küche")
        after, problems = ContactBook.parse(before.serialise())
        assert after.contacts == before.contacts
        assert problems == ()
        assert after.serialise() == before.serialise()

    def test_an_unusable_entry_is_removed_by_its_id_only(self) -> None:
        result, _ = parsed(entry(1, public_key_b64="x"))
        with pytest.raises(ContactError):
            result.remove(invite(1).peer_id[:6])
        assert json.loads(result.remove(invite(1).peer_id).serialise()) == []
