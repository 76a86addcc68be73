"""What is read out of rtnetlink messages, and what is left out."""

from __future__ import annotations

import errno
import ipaddress
import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p4.adapters.net.monitor.netlink import Dump, NetlinkMessage, dump_request, messages, snapshot_of
from p4.adapters.net.monitor.snapshot import Route, Snapshot, usable_address

RUNNING = 0x1 | 0x40
UP_WITHOUT_CARRIER = 0x1


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def number(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


def link(index: int, flags: int) -> NetlinkMessage:
    return NetlinkMessage(16, 0, 1, struct.pack("=BxHiII", 0, 1, index, flags, 0))


def address(index: int, text: str, *, flags: int = 0, peer: str | None = None) -> NetlinkMessage:
    parsed = ipaddress.ip_address(text)
    family = 2 if parsed.version == 4 else 10
    body = struct.pack("=BBBBI", family, 24, 0, 0, index) + number(8, flags)
    if peer is not None:
        body += attribute(1, ipaddress.ip_address(peer).packed) + attribute(2, parsed.packed)
    else:
        body += attribute(1, parsed.packed)
    return NetlinkMessage(20, 0, 1, body)


def route(*attributes: bytes, dst: int = 0, kind: int = 1, flags: int = 0) -> NetlinkMessage:
    return NetlinkMessage(
        24, 0, 1, struct.pack("=BBBBBBBBI", 2, dst, 0, 0, 254, 3, 0, kind, flags) + b"".join(attributes)
    )


def test_addresses_count_where_there_is_a_carrier() -> None:
    seen = snapshot_of(
        [
            link(1, RUNNING),
            link(2, UP_WITHOUT_CARRIER),
            address(1, "192.0.2.7"),
            address(1, "2001:db8::7"),
            address(2, "172.17.0.1"),
            address(3, "10.0.0.1"),
        ]
    )
    assert seen == Snapshot(frozenset({"192.0.2.7", "2001:db8::7"}))


def test_an_address_that_is_not_ours_yet_is_left_out() -> None:
    tentative, duplicate, deprecated = 0x40, 0x08, 0x20
    seen = snapshot_of(
        [
            link(1, RUNNING),
            address(1, "2001:db8::1", flags=tentative),
            address(1, "2001:db8::2", flags=duplicate),
            address(1, "2001:db8::3", flags=deprecated),
        ]
    )
    assert seen.addresses == {"2001:db8::3"}


def test_of_a_point_to_point_link_our_end_counts() -> None:
    seen = snapshot_of([link(1, RUNNING), address(1, "10.8.0.6", peer="10.8.0.5")])
    assert seen.addresses == {"10.8.0.6"}


def test_only_default_routes_that_lead_out_count() -> None:
    gateway, oif, priority, table = (
        attribute(5, b"\x0a\0\0\1"),
        number(4, 1),
        number(6, 100),
        number(15, 1000),
    )
    seen = snapshot_of(
        [
            link(1, RUNNING),
            link(2, UP_WITHOUT_CARRIER),
            route(gateway, oif, priority, table),
            route(oif),
            route(gateway, oif, dst=24),
            route(oif, kind=7),  # unreachable
            route(gateway, oif, priority, flags=0x10),  # the carrier is gone
            route(gateway, number(4, 2)),
        ]
    )
    assert seen.routes == {Route(b"\x0a\0\0\1", 1, 100, 1000), Route(b"", 1, 0, 254)}


def test_every_hop_of_a_multipath_route_counts() -> None:
    def hop(interface: int, flags: int, gateway: bytes) -> bytes:
        nested = attribute(5, gateway)
        return struct.pack("=HBBi", 8 + len(nested), flags, 0, interface) + nested

    several = attribute(9, hop(1, 0, b"\x0a\0\0\1") + hop(2, 0x1, b"\x0a\0\0\2") + hop(2, 0, b"\x0a\0\0\3"))
    seen = snapshot_of([link(1, RUNNING), link(2, RUNNING), route(several)])
    assert seen.routes == {Route(b"\x0a\0\0\1", 1, 0, 254), Route(b"\x0a\0\0\3", 2, 0, 254)}


def test_a_dump_ends_at_its_end_and_takes_only_answers_to_its_request() -> None:
    def message(kind: int, sequence: int, body: bytes = b"", flags: int = 2) -> bytes:
        return struct.pack("=IHHII", 16 + len(body), kind, flags, sequence, 9) + body

    dump = Dump(7)
    dump.take(message(20, 7, b"abcd") + message(20, 6, b"late"))
    halfway = dump.complete
    dump.take(message(20, 7, b"efgh", flags=2 | 0x10) + message(3, 7, bytes(4)))
    assert (halfway, dump.complete) == (False, True)
    assert not dump.consistent
    assert [collected.body for collected in dump.collected] == [b"abcd", b"efgh"]

    refused = Dump(8)
    refused.take(message(2, 8, (-errno.EPERM).to_bytes(4, sys.byteorder, signed=True) + bytes(16)))
    assert refused.complete
    assert refused.error == errno.EPERM


@pytest.mark.parametrize(("what", "length"), [("link", 32), ("address", 24), ("route", 28)])
def test_requests_have_their_lengths(what: str, length: int) -> None:
    request = dump_request(what, 3)
    assert len(request) == length
    assert struct.unpack_from("=I", request)[0] == length
    assert [message.sequence for message in messages(request)] == [3]


@given(st.binary(max_size=400), st.sampled_from([16, 20, 24]))
def test_nothing_that_arrives_breaks_the_reader(raw: bytes, kind: int) -> None:
    for message in messages(raw):
        snapshot_of([message])
    snapshot_of([link(1, RUNNING), NetlinkMessage(kind, 0, 1, raw)])


@pytest.mark.parametrize(
    ("text", "usable"),
    [
        ("192.168.1.2", "192.168.1.2"),
        ("100.64.0.1", "100.64.0.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fd00::1%eth0", "fd00::1"),
        ("127.0.0.1", None),
        ("::1", None),
        ("169.254.1.1", None),
        ("fe80::1%eth0", None),
        ("0.0.0.0", None),  # noqa: S104 - a text to parse
        ("::", None),
        ("224.0.0.1", None),
        ("00:11:22:33:44:55", None),
    ],
)
def test_usable_addresses(text: str, usable: str | None) -> None:
    assert usable_address(text) == usable
