"""Where a contact says it is; single cases are vectors (vectors/signaling/at_*)."""

from __future__ import annotations

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from p4.core.address import RendezvousAddress, Transport
from p4.core.identity import Identity, PeerId
from p4.core.reach import (
    MOST_COMMON_CONTACTS,
    MOST_ENDPOINTS,
    KnownReach,
    Reach,
    common_contact_mark,
    parse_endpoint,
    recognised,
)
from p4.core.signaling import Announcement

NONCE = "00112233445566778899aabbccddeeff"
ALICE, BOB, CAROL = (Identity(bytes([number]) * 32).peer_id for number in (1, 2, 3))

hosts = st.ip_addresses().filter(
    lambda host: (
        not (
            host.is_loopback
            or host.is_unspecified
            or host.is_multicast
            or (isinstance(host, ipaddress.IPv6Address) and host.ipv4_mapped is not None)
        )
    )
)
endpoints = st.builds(
    lambda host, port: RendezvousAddress(Transport.DIRECT, str(host), port), hosts, st.integers(1, 65535)
)
reaches = st.builds(
    Reach,
    st.lists(endpoints, max_size=MOST_ENDPOINTS, unique=True).map(tuple),
    st.lists(st.from_regex(r"[0-9a-f]{16}", fullmatch=True), max_size=MOST_COMMON_CONTACTS).map(tuple),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4),
)


@given(reaches)
def test_what_is_announced_is_understood(reach: Reach) -> None:
    assert Reach.from_fields(reach.to_fields()) == reach


@given(st.lists(endpoints, min_size=MOST_ENDPOINTS + 1, max_size=20, unique=True))
def test_no_more_is_announced_than_a_receiver_takes(many: list[RendezvousAddress]) -> None:
    reach = Reach(tuple(many), ("0" * 16,) * 20)
    assert Reach.from_fields(reach.to_fields()) == Reach(
        tuple(many[:MOST_ENDPOINTS]), ("0" * 16,) * MOST_COMMON_CONTACTS
    )


@given(json_values, json_values)
def test_whatever_is_said_is_read_without_an_error(at: object, via: object) -> None:
    read = Reach.from_fields({"at": at, "via": via})
    assert (read is None) == (not isinstance(at, list))


@given(st.text(max_size=60))
def test_what_is_kept_may_be_rubbish(text: str) -> None:
    """It is a hint: whatever the store gives, a node starts."""
    assert isinstance(KnownReach.from_text(text), KnownReach)


@given(reaches, st.lists(st.sampled_from([ALICE, BOB, CAROL]), unique=True).map(tuple))
def test_what_is_kept_is_read_again(reach: Reach, introducers: tuple[PeerId, ...]) -> None:
    known = KnownReach(reach.endpoints, introducers)
    assert KnownReach.from_text(known.to_text()) == known


def test_what_an_older_program_kept_is_read() -> None:
    assert KnownReach.from_text('{"at":["192.0.2.1:4000"],"via":["0123456789abcdef"]}') == KnownReach(
        (RendezvousAddress(Transport.DIRECT, "192.0.2.1", 4000),)
    )


def test_nothing_kept_and_nothing_said() -> None:
    for text in ("", "[]", "{}", '{"at":1,"through":2}', '{"at":[],"through":[1,"x"]}', "[" * 100_000):
        assert KnownReach.from_text(text) == KnownReach(), text[:20]
    assert Reach.from_fields({"via": ["0" * 16]}) is None


@given(endpoints)
def test_an_address_has_one_meaning(endpoint: RendezvousAddress) -> None:
    shown = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    assert parse_endpoint(f"{shown}:{endpoint.port}") == endpoint


def test_nobody_is_sent_to_himself() -> None:
    for host in (
        "127.0.0.1",
        "127.255.0.9",
        "0.0.0.0",  # noqa: S104 - nobody listens there
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:0.0.0.0]",
    ):
        assert parse_endpoint(f"{host}:4000") is None, host


def test_common_contacts_are_recognised_by_those_who_know_them_and_never_twice_alike() -> None:
    marks = (common_contact_mark(NONCE, CAROL), common_contact_mark(NONCE, ALICE))
    assert recognised(Reach((), marks), NONCE, [BOB, CAROL]) == [CAROL]
    assert recognised(Reach((), marks), NONCE.replace("0", "1"), [BOB, CAROL]) == []
    assert recognised(Reach(), NONCE, [BOB, CAROL]) == []


def test_the_mark_of_a_common_contact_is_what_the_specification_says() -> None:
    import hashlib

    digest = hashlib.sha256(b"P4 via 1\0" + bytes.fromhex(NONCE) + CAROL.encode()).digest()
    assert common_contact_mark(NONCE, CAROL) == digest[:8].hex()


def test_an_announcement_without_reach_says_nothing_about_it() -> None:
    announced = Announcement.ours(frozenset(), "00" * 8, NONCE)
    assert not announced.to_object().keys() & {"at", "via"}
    nowhere = Announcement.ours(frozenset(), "00" * 8, NONCE, Reach())
    assert nowhere.to_object()["at"] == []
