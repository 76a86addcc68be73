"""PCP and NAT-PMP byte for byte, as the figures of RFC 6887 and RFC 6886 lay them out."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p4.adapters.net.mapping import nat_pmp, pcp
from p4.adapters.net.mapping.epoch import Epoch
from p4.adapters.net.mapping.router import is_public
from p4.ports.mapping import PortProtocol

NONCE = bytes(range(1, 13))
NONCE_HEX = "0102030405060708090a0b0c"
MAPPED = "00000000000000000000ffff"  # the first 12 bytes of an IPv4 address in PCP


def raw(*parts: str) -> bytes:
    return bytes.fromhex("".join(parts).replace(" ", ""))


# --- PCP ----------------------------------------------------------------------------------------------


def test_pcp_announce_request() -> None:
    # Figure 2: version 2, opcode 0, reserved, lifetime 0, our address. Figure 8: no more.
    assert pcp.announce_request("192.168.1.10") == raw("02 00 0000 00000000", MAPPED, "c0a8010a")


def test_pcp_map_request() -> None:
    # Figure 2 with opcode 1, then figure 9: nonce, protocol, 3 reserved bytes, the two ports, any address.
    assert pcp.map_request(
        "192.168.1.10", NONCE, PortProtocol.TCP, 4242, suggested_port=5000, lifetime=3600
    ) == raw("02 01 0000 00000e10", MAPPED, "c0a8010a", NONCE_HEX, "06 000000 1092 1388", MAPPED, "00000000")


def test_pcp_map_request_for_ipv6() -> None:
    address = "20010db8000000000000000000000007"
    assert pcp.map_request("2001:db8::7", NONCE, PortProtocol.UDP, 9, lifetime=0) == raw(
        "02 01 0000 00000000", address, NONCE_HEX, "11 000000 0009 0000", "00" * 16
    )


def test_pcp_map_response() -> None:
    # Figures 3 and 10; the option that follows (figure 4: PREFER_FAILURE) is of no interest.
    response = raw(
        "02 81 00 00 00000708 0000a8c0 000000000000000000000000",
        NONCE_HEX,
        "11 000000 1092 d431",
        MAPPED,
        "cb007109",
        "02 00 0000",
    )
    assert pcp.parse(response) == pcp.PcpResponse(
        0, 1800, 43200, pcp.PcpMapping(NONCE, PortProtocol.UDP, 4242, 54321, "203.0.113.9")
    )


def test_pcp_response_with_an_ipv6_address() -> None:
    response = raw(
        "02 81 00 00 00000708 00000001 000000000000000000000000",
        NONCE_HEX,
        "06 000000 0050 0050",
        "20010db8000000000000000000000007",
    )
    answer = pcp.parse(response)
    assert answer is not None
    assert answer.mapping is not None
    assert answer.mapping.external_address == "2001:db8::7"


def test_pcp_errors_with_and_without_the_rest() -> None:
    header = raw("02 81 00 02 0000001e 00000005 000000000000000000000000")
    assert pcp.parse(header) == pcp.PcpResponse(2, 30, 5)
    whole = header + raw(NONCE_HEX, "06 000000 1092 0000", MAPPED, "00000000")
    answer = pcp.parse(whole)
    assert answer is not None
    assert (answer.result, answer.mapping and answer.mapping.nonce) == (2, NONCE)


@pytest.mark.parametrize(
    "datagram",
    [
        "",
        "02 80 00 00 00000000 00000005 0000000000000000",  # too short
        "02 80 00 00 00000000 00000005 000000000000000000000000 00",  # no multiple of four
        "01 80 00 00 00000000 00000005 000000000000000000000000",  # another version
        "02 00 00 00 00000000 00000005 000000000000000000000000",  # a request
        "02 81 00 00 00000000 00000005 000000000000000000000000",  # success, but of what?
        "02 81 00 00 00000000 00000005 000000000000000000000000" + NONCE_HEX + "84" + "00" * 23,  # SCTP
        "02 80 00 00 00000000 00000005" + "00" * 1092,  # too long
    ],
)
def test_what_is_no_pcp_response_is_left_out(datagram: str) -> None:
    assert pcp.parse(raw(datagram)) is None


# --- NAT-PMP ------------------------------------------------------------------------------------------


def test_nat_pmp_requests() -> None:
    assert nat_pmp.address_request() == raw("00 00")
    assert nat_pmp.map_request(PortProtocol.UDP, 4242, suggested_port=5000, lifetime=7200) == raw(
        "00 01 0000 1092 1388 00001c20"
    )
    assert nat_pmp.map_request(PortProtocol.TCP, 4242, lifetime=0) == raw("00 02 0000 1092 0000 00000000")


def test_nat_pmp_responses() -> None:
    assert nat_pmp.parse(raw("00 80 0000 000000ff cb007109")) == nat_pmp.NatPmpResponse(0, 255, "203.0.113.9")
    assert nat_pmp.parse(raw("00 82 0000 000000ff 1092 d431 00000708")) == nat_pmp.NatPmpResponse(
        0, 255, None, nat_pmp.NatPmpMapping(PortProtocol.TCP, 4242, 54321, 1800)
    )


def test_nat_pmp_errors_may_be_cut_short() -> None:
    assert nat_pmp.parse(raw("00 81 0004 000000ff")) == nat_pmp.NatPmpResponse(4, 255)
    # No address is known: the four bytes are zero, and no address either.
    assert nat_pmp.parse(raw("00 80 0003 000000ff 00000000")) == nat_pmp.NatPmpResponse(3, 255)


@pytest.mark.parametrize(
    "datagram",
    [
        "",
        "00 80 0000 0000",
        "00 00 0000 00000001 cb007109",  # a request
        "02 80 0000 00000001 cb007109",  # another version
        "00 80 0000 00000001 cb00",  # success without an address
        "00 81 0000 00000001 1092 d431",  # success without a lifetime
        "00 85 0000 00000001 cb007109",  # success of something unknown
    ],
)
def test_what_is_no_nat_pmp_response_is_left_out(datagram: str) -> None:
    assert nat_pmp.parse(raw(datagram)) is None


# --- anything -----------------------------------------------------------------------------------------


@given(st.binary(max_size=1200))
def test_no_bytes_break_the_parsers(datagram: bytes) -> None:
    for answer in (pcp.parse(datagram), nat_pmp.parse(datagram)):
        assert answer is None or 0 <= answer.epoch < 2**32


@given(st.binary(max_size=80), st.sampled_from([0, 1, 2]), st.sampled_from([0x80, 0x81, 0x82, 0x01]))
def test_nearly_right_bytes_do_not_break_them_either(rest: bytes, version: int, opcode: int) -> None:
    datagram = bytes((version, opcode)) + rest
    answer = pcp.parse(datagram)
    if answer is not None and answer.mapping is not None:
        assert len(answer.mapping.nonce) == pcp.NONCE_BYTES
        ipaddress.ip_address(answer.mapping.external_address)
    nat_pmp.parse(datagram)


# --- epochs and addresses -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("server", "client", "continued"),
    [
        (60, 60.0, True),
        (0, 1.9, True),
        (-1, 0.5, True),  # rounding
        (-2, 0.5, False),
        (-5000, 60.0, False),  # began anew
        (950, 1000.0, True),  # its clock is slow by less than a sixteenth
        (930, 1000.0, False),
        (1000, 950.0, True),
        (1000, 930.0, False),  # ours stood still, or it did not keep its state
        (3, 0.5, False),
        (2, 0.5, True),
    ],
)
def test_epochs(server: int, client: float, continued: bool) -> None:
    before = Epoch(10_000, 500.0)
    assert before.continued_by(Epoch(10_000 + server, 500.0 + client)) is continued


@given(st.integers(0, 10**7), st.integers(0, 10**6), st.floats(-1, 1))
def test_a_router_that_counts_seconds_never_looks_restarted(start: int, seconds: int, jitter: float) -> None:
    assert Epoch(start, 77.5).continued_by(Epoch(start + seconds, 77.5 + seconds + jitter))


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("192.168.1.1", False),
        ("10.0.0.1", False),
        ("100.64.0.1", False),
        ("203.0.113.9", False),
        ("0.0.0.0", False),  # noqa: S104 - a text to parse
        ("224.0.0.1", False),
        ("fd00::1", False),
        ("fe80::1", False),
        ("2001:db8::1", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public
