"""Who does what in port guessing, the bytes of its packets, and its limits (spec/punch.md)."""

from __future__ import annotations

import hashlib
import hmac
import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p4.core import limits
from p4.core.punch import (
    LOWEST_PORT,
    PACKET_BYTES,
    NatNote,
    PacketKind,
    Packets,
    Role,
    RunLimit,
    add_candidate,
    bridge_candidate,
    is_packet,
    probe_ports,
    punch_key,
    role_between,
)
from p4.core.signaling import Announcement, Offer, parse_payload

EASY = NatNote(Role.EASY, "203.0.114.7", 40_000)
HARD = NatNote(Role.HARD, "198.51.101.9")


# --- announcement ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("note", [EASY, HARD, NatNote(Role.EASY, "8.8.8.8", 1024)])
def test_a_note_is_read_as_it_was_written(note: NatNote) -> None:
    assert NatNote.parse(note.to_object()) == note
    assert NatNote.parse({**note.to_object(), "later": 1}) == note


@pytest.mark.parametrize(
    "value",
    [
        None,
        "easy",
        [],
        {},
        {"kind": "easy"},
        {"kind": "easy", "at": "8.8.8.8"},
        {"kind": "hard", "at": "8.8.8.8:4000"},
        {"kind": "EASY", "at": "8.8.8.8:4000"},
        {"kind": ["easy"], "at": "8.8.8.8:4000"},
        {"kind": "easy", "at": 7},
        {"kind": "easy", "at": "8.8.8.8:1023"},
        {"kind": "easy", "at": "8.8.8.8:65536"},
        {"kind": "easy", "at": "8.8.8.8:04000"},
        {"kind": "easy", "at": "8.8.8.08:4000"},
        {"kind": "easy", "at": "8.8.8:4000"},
        {"kind": "easy", "at": "[2001:db8::1]:4000"},
        {"kind": "easy", "at": "8.8.8.8:4000\n"},
        {"kind": "hard", "at": "host.example"},
        {"kind": "hard", "at": "2001:db8::1"},
        {"kind": "hard", "at": "8.8.8.8 "},
    ],
)
def test_other_values_are_ignored(value: object) -> None:
    assert NatNote.parse(value) is None


JSON_VALUES = st.recursive(
    st.none() | st.integers() | st.text() | st.booleans(),
    lambda inner: st.dictionaries(st.sampled_from(["kind", "at"]), inner),
)


@given(JSON_VALUES)
def test_any_json_value_is_a_note_or_nothing(value: object) -> None:
    NatNote.parse(value)


def test_the_roles() -> None:
    assert role_between(EASY, HARD) is Role.EASY
    assert role_between(HARD, EASY) is Role.HARD
    assert role_between(EASY, NatNote(Role.EASY, "8.8.8.8", 4000)) is None
    assert role_between(HARD, NatNote(Role.HARD, "8.8.8.8")) is None
    assert role_between(None, HARD) is None
    assert role_between(EASY, None) is None


OUTSIDE = NatNote(Role.EASY, "8.8.8.8", 4000)
INSIDE = NatNote(Role.EASY, "192.168.1.2", 4000)


@pytest.mark.parametrize(
    "host",
    [
        *("10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "198.18.0.1", "192.0.2.1"),
        *("127.0.0.1", "169.254.1.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "8.8.8.8"),
        "0.0.0.0",  # noqa: S104 - not to be bound
    ],
)
def test_a_contact_cannot_send_us_into_our_own_network(host: str) -> None:
    assert role_between(OUTSIDE, NatNote(Role.HARD, host)) is None


def test_in_a_private_internet_its_addresses_are_what_there_is() -> None:
    assert role_between(INSIDE, NatNote(Role.HARD, "192.168.7.1")) is Role.EASY
    assert role_between(INSIDE, NatNote(Role.HARD, "9.9.9.9")) is Role.EASY
    for host in ("127.0.0.1", "169.254.1.1", "224.0.0.1", "255.255.255.255", "192.168.1.2"):
        assert role_between(INSIDE, NatNote(Role.HARD, host)) is None


@pytest.mark.parametrize("note", [EASY, HARD, None])
def test_an_announcement_carries_the_note(note: NatNote | None) -> None:
    announcement = replace(Announcement.ours(frozenset(), "0" * 16, "1" * 32), nat=note)
    offer = parse_payload(Offer("session", "sdp", announcement).to_payload())
    assert isinstance(offer, Offer)
    assert offer.p4 == announcement


def test_a_note_that_cannot_be_read_spoils_nothing() -> None:
    payload = Offer("session", "sdp", Announcement.ours(frozenset(), "0" * 16, "1" * 32)).to_payload()
    p4 = payload["p4"]
    assert isinstance(p4, dict)
    offer = parse_payload({**payload, "p4": {**p4, "nat": {"kind": "easy", "at": 7}}})
    assert isinstance(offer, Offer)
    assert offer.p4 is not None
    assert offer.p4.nat is None


# --- key and packets ---------------------------------------------------------------------------------------


def test_the_key_and_the_packets_by_the_letter() -> None:
    key = punch_key(b"o" * 16, b"a" * 16, "session")
    assert key == hmac.new(b"o" * 16 + b"a" * 16, b"P4 punch 1\0session", hashlib.sha256).digest()
    packets = Packets(key)
    for kind in PacketKind:
        tag = hmac.new(key, b"P4 punch packet 1\0" + bytes([kind]), hashlib.sha256).digest()[:16]
        assert packets.write(kind) == b"\xf4" + bytes([kind]) + tag
        assert is_packet(packets.write(kind))


def test_a_packet_counts_from_its_side_and_with_its_key_only() -> None:
    packets, others = Packets(b"k" * 32), Packets(b"l" * 32)
    for kind in PacketKind:
        data = packets.write(kind)
        assert packets.read(data, kind.sender) is kind
        assert packets.read(data, Role.HARD if kind.sender is Role.EASY else Role.EASY) is None
        assert others.read(data, kind.sender) is None
        assert packets.read(data + b"\0", kind.sender) is None


@given(st.binary(max_size=40), st.sampled_from(Role))
def test_bytes_of_nobody_are_no_packet(data: bytes, sender: Role) -> None:
    assert Packets(b"k" * 32).read(data, sender) is None


def test_what_ice_and_its_company_send_is_no_packet() -> None:
    """First bytes of STUN, ZRTP, DTLS, TURN channels, QUIC and RTP (RFC 7983, RFC 9443)."""
    for first in (*range(0xF4), *range(0xF5, 0x100)):
        assert not is_packet(bytes([first]) * PACKET_BYTES)
    assert not is_packet(b"\xf4" * (PACKET_BYTES + 1))
    assert not is_packet(b"")


# --- ports -------------------------------------------------------------------------------------------------


@given(st.binary(min_size=1, max_size=32))
def test_ports_are_tried_once_each(seed: bytes) -> None:
    ports = list(itertools.islice(probe_ports(seed), 2000))
    assert len(set(ports)) == 2000
    assert min(ports) >= LOWEST_PORT
    assert max(ports) <= 65_535
    assert ports == list(itertools.islice(probe_ports(seed), 2000))


def test_in_the_end_every_port_was_tried() -> None:
    assert sorted(probe_ports(b"seed")) == list(range(LOWEST_PORT, 65_536))


def test_ports_are_spread_evenly() -> None:
    """Chi-squared over 63 classes of 1024 ports, of many seeds: an uneven choice would meet later."""
    counts = [0] * 63
    for number in range(63):
        for port in itertools.islice(probe_ports(bytes([number])), 1000):
            counts[(port - LOWEST_PORT) // 1024] += 1
    assert sum((count - 1000) ** 2 / 1000 for count in counts) < 110  # 99.98 % of even ones


def test_the_numbers_of_the_specification() -> None:
    text = (Path(__file__).resolve().parents[2] / "spec" / "punch.md").read_text("utf-8")
    for sentence in (
        f"opens {limits.PUNCH_SOCKETS} sockets, at least {limits.PUNCH_LEAST_SOCKETS},",
        f"at most {limits.PUNCH_OPENS_PER_SECOND:g} a second;",
        f"gives\n  up after {limits.PUNCH_HARD_SECONDS:g} s.",
        f"at most {limits.PUNCH_PROBES_PER_SECOND:g} a second, at most {limits.PUNCH_PROBES} in all, for",
        f"for at most {limits.PUNCH_EASY_SECONDS:g} s.",
        f"at most {limits.PUNCH_RUNS} attempts in {limits.PUNCH_RUNS_SECONDS:g} s",
        f"If nothing was sent over the pair for {limits.PUNCH_KEEP_SECONDS:g} s",
        f"has been silent for {limits.PUNCH_IDLE_SECONDS:g} s",
    ):
        assert sentence in text, sentence


# --- how often ---------------------------------------------------------------------------------------------


def test_three_attempts_in_three_minutes_with_a_contact() -> None:
    limit = RunLimit()
    assert [limit.begin("ann", when) for when in (0.0, 10.0, 20.0, 30.0, 179.9)] == [True] * 3 + [False] * 2
    assert limit.begin("bob", 30.0)
    assert limit.allows("ann", 180.0)
    assert limit.begin("ann", 180.0)
    assert not limit.begin("ann", 189.9)
    assert limit.begin("ann", 190.0)


# --- the candidate -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_the_candidate_stands_before_the_end_of_candidates(end: str) -> None:
    candidate = bridge_candidate("192.168.1.2", 4000)
    assert " 192.168.1.2 4000 typ srflx raddr 0.0.0.0 rport " in candidate
    lines = ["v=0", "m=application 9 UDP/DTLS/SCTP webrtc-datachannel"]
    whole = end.join([*lines, "a=end-of-candidates", ""])
    assert add_candidate(whole, candidate) == end.join([*lines, f"a={candidate}", "a=end-of-candidates", ""])
    assert add_candidate(end.join([*lines, ""]), candidate) == end.join([*lines, f"a={candidate}", ""])


def test_its_priority_is_below_a_direct_path_and_above_a_relay() -> None:
    priority = int(bridge_candidate("192.168.1.2", 4000).split()[3])
    assert 0x01FFFFFF < priority < 100 << 24
