"""Only a contact recognises a contact on the local network (spec/lan.md)."""

from __future__ import annotations

import hashlib
import ipaddress
from ipaddress import ip_interface

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p4.core import limits
from p4.core.identity import Identity, PeerId
from p4.core.lan import (
    LanInterface,
    Recognition,
    announced_tags,
    chosen_contacts,
    decode_txt,
    encode_txt,
    filling_key,
    is_local_address,
    lan_tag,
    pair_key,
    period_of,
    reachable_addresses,
)
from p4.errors import SignalingError

ALICE, BOB, CAROL = (Identity(hashlib.sha256(name.encode()).digest()) for name in ("a", "b", "c"))
NOW = 2_000_000
AROUND = limits.LAN_PERIODS_AROUND
PERIODS = st.integers(AROUND, 2**40)


def announcement(sender: Identity, *contacts: Identity, period: int = NOW) -> tuple[bytes, ...]:
    tags = [
        lan_tag(pair_key(sender, contact.public_key), period, sender.peer_id)
        for contact in contacts
        if contact is not sender
    ]
    return announced_tags(tags, filling_key(sender), period)


def knowing(me: Identity, *contacts: Identity, period: int = NOW) -> Recognition:
    recognition = Recognition(period)
    for contact in contacts:
        recognition.add(contact.peer_id, pair_key(me, contact.public_key))
    return recognition


def ids(count: int) -> list[PeerId]:
    return [PeerId(hashlib.sha256(str(number).encode()).hexdigest()[:24]) for number in range(count)]


# --- who recognises whom ----------------------------------------------------------------------------------


def test_both_sides_of_a_pair_have_one_key_and_each_pair_another() -> None:
    assert pair_key(ALICE, BOB.public_key) == pair_key(BOB, ALICE.public_key)
    keys = {
        pair_key(ALICE, BOB.public_key),
        pair_key(ALICE, CAROL.public_key),
        pair_key(BOB, CAROL.public_key),
    }
    assert len(keys) == 3


@given(PERIODS)
def test_the_contact_recognises_it_and_a_third_does_not(period: int) -> None:
    tags = announcement(ALICE, BOB, period=period)
    assert knowing(BOB, ALICE, CAROL, period=period).recognise(tags) == ALICE.peer_id
    # Carol knows both, and that tells her nothing about the two.
    assert knowing(CAROL, ALICE, BOB, period=period).recognise(tags) is None
    assert knowing(ALICE, BOB, CAROL, period=period).recognise(tags) is None


@given(PERIODS, st.integers(-3 * AROUND, 3 * AROUND))
def test_a_tag_counts_as_long_as_the_specification_says(period: int, off: int) -> None:
    tags = announcement(ALICE, BOB, period=period + 2 * AROUND)
    recognised = knowing(BOB, ALICE, period=period + 2 * AROUND + off).recognise(tags) is not None
    assert recognised == (abs(off) <= AROUND)


@given(st.lists(st.integers(-2 * AROUND, 2 * AROUND), max_size=6))
def test_wherever_the_clock_goes_the_table_is_as_if_made_then(jumps: list[int]) -> None:
    recognition, period = knowing(BOB, ALICE), NOW
    for jump in jumps:
        period += jump
        recognition.advance(period)
        for off in range(-AROUND - 1, AROUND + 2):
            tags = announcement(ALICE, BOB, period=period + off)
            assert (recognition.recognise(tags) is not None) == (abs(off) <= AROUND)


def test_a_contact_that_was_removed_is_a_stranger() -> None:
    recognition = knowing(BOB, ALICE, CAROL)
    recognition.remove(ALICE.peer_id)
    recognition.remove(ALICE.peer_id)
    assert recognition.recognise(announcement(ALICE, BOB)) is None
    assert recognition.recognise(announcement(CAROL, BOB)) == CAROL.peer_id
    assert list(recognition) == [CAROL.peer_id]


def test_tags_of_several_contacts_are_a_forgery() -> None:
    mixed = announcement(ALICE, BOB) + announcement(CAROL, BOB)
    assert knowing(BOB, ALICE, CAROL).recognise(mixed) is None
    assert knowing(BOB, ALICE).recognise(mixed) == ALICE.peer_id


def test_another_period_has_nothing_in_common_with_this_one() -> None:
    assert not set(announcement(ALICE, BOB)) & set(announcement(ALICE, BOB, period=NOW + 1))


def test_a_period_lasts_a_quarter_of_an_hour() -> None:
    assert period_of(0) == period_of(899_999) == 0
    assert period_of(900_000) == 1
    assert period_of(-1) == 0


# --- what an announcement tells -----------------------------------------------------------------------------


@given(st.sets(st.binary(min_size=10, max_size=10), max_size=limits.LAN_TAGS), PERIODS)
def test_the_number_of_contacts_is_not_told(tags: set[bytes], period: int) -> None:
    announced = announced_tags(tags, filling_key(ALICE), period)
    assert len(announced) % limits.LAN_TAG_STEP == 0
    assert 0 < len(announced) <= limits.LAN_TAGS
    assert len(announced) - len(tags) < limits.LAN_TAG_STEP or not tags
    assert list(announced) == sorted(set(announced))
    assert tags <= set(announced)


def test_filling_stays_within_a_period_and_changes_with_it() -> None:
    alone = set(announcement(ALICE))
    assert set(announcement(Identity(ALICE.seed))) == alone
    assert len(set(announcement(ALICE, BOB)) & alone) == len(alone) - 1
    assert not set(announcement(ALICE, period=NOW + 1)) & alone
    assert not set(announcement(BOB)) & alone


@given(st.integers(0, 3 * limits.LAN_TAGS), PERIODS)
def test_who_was_connected_last_is_always_among_them(count: int, period: int) -> None:
    contacts = ids(count)
    chosen = chosen_contacts(contacts, period)
    assert len(chosen) == min(count, limits.LAN_TAGS) == len(set(chosen))
    always = count if count <= limits.LAN_TAGS else limits.LAN_TAGS - limits.LAN_TURN_TAGS
    assert chosen[:always] == contacts[:always]


@pytest.mark.parametrize("count", [97, 100, 128, 1000])
def test_everybody_has_a_turn(count: int) -> None:
    contacts = ids(count)
    turns = -(-(count - 64) // limits.LAN_TURN_TAGS)
    seen = {one for period in range(NOW, NOW + turns) for one in chosen_contacts(contacts, period)}
    assert seen == set(contacts)


# --- the TXT record ---------------------------------------------------------------------------------------


@given(st.lists(st.binary(min_size=10, max_size=10), min_size=1, max_size=limits.LAN_TAGS))
def test_what_is_written_is_read(tags: list[bytes]) -> None:
    assert list(decode_txt(encode_txt(tags))) == tags


def test_a_full_announcement_fits_into_a_packet() -> None:
    tags = [bytes([number]) * 10 for number in range(limits.LAN_TAGS)]
    assert len(encode_txt(tags)) < 1000


def refusal(data: bytes) -> str:
    try:
        tags = decode_txt(data)
    except SignalingError as error:
        return error.code
    return "" if 0 < len(tags) <= limits.LAN_TAGS else "not what it promises"


@given(st.binary(max_size=600))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    assert refusal(data) in {"", "bad-txt", "bad-version", "bad-tags"}


@given(st.binary(max_size=300), st.integers(0, 255))
def test_any_bytes_behind_a_version_are_read_or_refused(data: bytes, length: int) -> None:
    assert refusal(b"\x03v=1" + bytes([length]) + b"t0=" + data) in {"", "bad-txt", "bad-tags"}


# --- addresses --------------------------------------------------------------------------------------------


def interface(*addresses: str, index: int = 2) -> LanInterface:
    return LanInterface(index, tuple(ip_interface(address) for address in addresses))


def test_only_addresses_of_our_own_networks_are_dialled() -> None:
    own = [interface("192.168.1.5/24", "fe80::5/64", "fd00:1::5/64", "2001:db8::5/64")]
    announced = [
        *("fe80::9%2", "192.168.1.9", "fd00:1::9", "192.168.1.9"),  # here
        *("192.168.2.9", "10.0.0.1", "fd00:2::9"),  # local, but not where we are
        *("8.8.8.8", "2001:db8::9", "127.0.0.1", "::1", "224.0.0.251", "ff02::fb%2", "255.255.255.255"),
        *("fe80::8", "192.168.1.9%2", "printer.local", "", "::ffff:192.168.1.9"),
    ]
    assert reachable_addresses(announced, own) == ("192.168.1.9", "fd00:1::9", "fe80::9%2")
    assert reachable_addresses(announced, []) == ()


def test_not_every_address_is_taken() -> None:
    announced = [f"192.168.1.{number}" for number in range(1, 255)]
    assert len(reachable_addresses(announced, [interface("192.168.1.5/24")])) == limits.LAN_ADDRESSES


@pytest.mark.parametrize(
    ("addresses", "announced"),
    [
        (("192.168.1.5/24", "fe80::5/64", "2001:db8::5/64"), ["192.168.1.5", "fe80::5"]),
        (("fe80::5/64", "2001:db8::5/64"), ["fe80::5"]),
        (("169.254.7.7/16",), ["169.254.7.7"]),
        (("203.0.113.5/24", "fe80::5/64"), []),  # a server's, or a modem's, way to the internet
        (("100.64.0.5/10", "fe80::5/64"), []),  # a carrier's network
        (("203.0.113.5/24", "10.0.0.5/24"), ["10.0.0.5"]),
        (("127.0.0.1/8", "::1/128"), []),
    ],
)
def test_nothing_is_announced_to_the_internet(addresses: tuple[str, ...], announced: list[str]) -> None:
    assert [str(each.ip) for each in interface(*addresses).local_addresses] == announced


@given(st.ip_addresses())
def test_no_local_address_is_one_of_the_internet(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    assert not (is_local_address(address) and (address.is_global or address.is_multicast))
