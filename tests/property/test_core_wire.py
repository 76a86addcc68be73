"""Laws of the wire formats: what we write we read, and any change after signing is noticed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p4.core import envelope
from p4.core.address import RendezvousAddress, Transport
from p4.core.canonical import canonical_bytes, parse_value
from p4.core.contacts import ContactBook
from p4.core.identity import Identity, decode_key, encode_key
from p4.core.invite import Invite
from p4.core.signaling import Announcement, Answer, Offer, SignalingMessage, parse_payload
from p4.errors import ContactError, EnvelopeError, RemoteError

ALICE, BOB = Identity(bytes([1]) * 32), Identity(bytes([2]) * 32)
NOW = 1_700_000_000_000

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(-(2**53) + 1, 2**53 - 1)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=6)


@given(JSON)
def test_reading_the_canonical_form_gives_the_value_again(value: object) -> None:
    text = canonical_bytes(value)
    again = parse_value(text, RemoteError)
    assert again == value
    assert canonical_bytes(again) == text


@given(JSON)
def test_the_canonical_form_does_not_depend_on_how_the_value_was_written(value: object) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=2)):
        assert canonical_bytes(parse_value(text.encode(), RemoteError)) == canonical_bytes(value)


@given(OBJECTS, st.binary(min_size=16, max_size=16), st.integers(0, 2**53 - 1))
def test_what_is_sealed_is_verified(payload: dict[str, object], nonce: bytes, timestamp_ms: int) -> None:
    line = envelope.seal(ALICE, BOB.peer_id, payload, timestamp_ms=timestamp_ms, nonce=nonce)
    verified = envelope.parse(line).verify(ALICE.public_key, me=BOB.peer_id, now_ms=timestamp_ms)
    assert (verified.payload, verified.nonce, verified.timestamp_ms) == (payload, nonce, timestamp_ms)


LINE = envelope.seal(ALICE, BOB.peer_id, {"type": "ping", "n": 1}, timestamp_ms=NOW, nonce=bytes(16))


def verified(line: bytes) -> envelope.Verified:
    return envelope.parse(line).verify(ALICE.public_key, me=BOB.peer_id, now_ms=NOW)


def is_harmless(changed: bytes) -> bool:
    """Refused, or the same envelope written otherwise: white space, or the escape of the same character."""
    try:
        return verified(changed) == verified(LINE)
    except EnvelopeError:
        return True


@given(st.integers(0, len(LINE) - 1), st.binary(max_size=2))
def test_no_changed_byte_gives_another_verified_envelope(position: int, instead: bytes) -> None:
    assert is_harmless(LINE[:position] + instead + LINE[position + 1 :])


def test_the_law_of_changed_bytes_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its mutant: a signature check that always says yes. Every position is tried: no luck is needed."""
    changes = [LINE[:position] + b"7" + LINE[position + 1 :] for position in range(len(LINE))]
    assert all(map(is_harmless, changes))
    monkeypatch.setattr("p4.core.envelope.verify_signature", lambda *_: True)
    assert not all(map(is_harmless, changes))


@given(st.binary(min_size=32, max_size=32))
def test_key_coding(key: bytes) -> None:
    assert decode_key(encode_key(key)) == key


@given(st.binary(min_size=32, max_size=32), st.ip_addresses(), st.integers(1, 65535))
def test_every_invite_is_read_again(seed: bytes, host: object, port: int) -> None:
    invite = Invite(Identity(seed).public_key, RendezvousAddress(Transport.DIRECT, str(host), port))
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"):
        assert Invite.parse(invite.to_text().encode(encoding)) == invite


ANNOUNCEMENTS = st.builds(
    Announcement,
    st.integers(2, 2**53 - 1),
    st.frozensets(st.from_regex(r"\A[a-z0-9.-]{1,32}\Z"), max_size=32),
    st.binary(min_size=8, max_size=8).map(bytes.hex),
    st.binary(min_size=16, max_size=16).map(bytes.hex),
)
SESSION_IDS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=64)


@given(st.sampled_from([Offer, Answer]), SESSION_IDS, TEXT.filter(bool), st.none() | ANNOUNCEMENTS)
def test_descriptions_survive_their_payload(
    kind: type[Offer | Answer], session_id: str, sdp: str, p4: Announcement | None
) -> None:
    message: SignalingMessage = kind(session_id, sdp, p4)
    assert parse_payload(json.loads(json.dumps(message.to_payload()))) == message


NAMES = st.sampled_from(["", "a", "A", "ä", "laptop", "ﬀ", "ff", "x" * 64, "bad\n", "0" * 24])
CHANGES = st.lists(
    st.tuples(st.sampled_from(["add", "rename", "remove"]), st.integers(1, 5), NAMES), max_size=12
)


@given(CHANGES, st.lists(JSON, max_size=3))
def test_a_contact_book_survives_its_file_whatever_was_done_to_it(
    changes: list[tuple[str, int, str]], strange: list[object]
) -> None:
    book, _ = ContactBook.parse(json.dumps(strange).encode())
    for change, number, name in changes:
        key = Identity(bytes([number]) * 32)
        invite = Invite(key.public_key, RendezvousAddress(Transport.DIRECT, "192.0.2.1", number))
        try:
            if change == "add":
                book = book.add(invite, name, me=ALICE.peer_id if number != 1 else BOB.peer_id)
            elif change == "rename":
                book = book.rename(key.peer_id, name)
            else:
                book = book.remove(key.peer_id)
        except ContactError:
            continue
    again, _ = ContactBook.parse(book.serialise())
    assert again.contacts == book.contacts
    assert again.serialise() == book.serialise()
    folded = [contact.name.casefold() for contact in book.contacts if contact.name]
    assert len(folded) == len(set(folded))
