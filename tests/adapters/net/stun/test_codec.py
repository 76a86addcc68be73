"""The wire form against the examples of RFC 5769, and against everything that is no answer."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.adapters.net.stun.server import COOKIE, answer_bytes, attribute, packed_address

from p4.adapters.net.stun.codec import BindingAnswer, binding_request, parse_answer, transaction_of

TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")

# RFC 5769 sections 2.2 and 2.3: sample responses with MESSAGE-INTEGRITY and FINGERPRINT.
SAMPLE_IPV4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
SAMPLE_IPV6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9fa"
    "a5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
)


def test_the_samples_of_rfc_5769() -> None:
    assert parse_answer(SAMPLE_IPV4) == BindingAnswer(("192.0.2.1", 32853))
    mapped = str(ipaddress.ip_address("2001:db8:1234:5678:11:2233:4455:6677"))
    assert parse_answer(SAMPLE_IPV6) == BindingAnswer((mapped, 32853))
    assert transaction_of(SAMPLE_IPV4) == TRANSACTION


@pytest.mark.parametrize("sample", [SAMPLE_IPV4, SAMPLE_IPV6])
def test_a_damaged_sample_never_gives_another_address(sample: bytes) -> None:
    """Whatever bit it is. A fingerprint that is not recognised as one any more is not missed."""
    whole, refused = parse_answer(sample), 0
    for bit in range(len(sample) * 8):
        damaged = bytearray(sample)
        damaged[bit // 8] ^= 1 << bit % 8
        answer = parse_answer(bytes(damaged))
        assert answer in {None, whole}, bit
        refused += answer is None
    assert refused > len(sample) * 7


def test_a_request_says_what_is_asked_for() -> None:
    plain = binding_request(TRANSACTION)
    assert plain[:20] == b"\x00\x01\x00\x08" + COOKIE + TRANSACTION
    assert plain[20:24] == b"\x80\x28\x00\x04"
    both = binding_request(TRANSACTION, change_address=True, change_port=True)
    assert both[20:28] == b"\x00\x03\x00\x04\x00\x00\x00\x06"
    assert binding_request(TRANSACTION, change_port=True)[20:28] == b"\x00\x03\x00\x04\x00\x00\x00\x02"


def test_old_servers_and_second_addresses_are_understood() -> None:
    mapped, other = ("192.0.2.7", 4000), ("198.51.100.1", 3479)
    old = answer_bytes(TRANSACTION, attribute(1, packed_address(mapped)), attribute(5, packed_address(other)))
    assert parse_answer(old) == BindingAnswer(mapped, other)
    new = answer_bytes(
        TRANSACTION, attribute(1, packed_address(mapped)), attribute(0x802C, packed_address(other))
    )
    assert parse_answer(new) == BindingAnswer(mapped, other)


def test_a_refusal_has_its_code() -> None:
    refusal = answer_bytes(TRANSACTION, attribute(9, b"\0\0\x04\x14Unknown"), kind=0x0111)
    assert parse_answer(refusal) == BindingAnswer(None, error=420)


GOOD = attribute(0x20, packed_address(("192.0.2.7", 4000), COOKIE + TRANSACTION))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        answer_bytes(TRANSACTION),  # no address
        answer_bytes(TRANSACTION, GOOD)[:-4],  # cut off
        answer_bytes(TRANSACTION, GOOD) + bytes(4),  # longer than it says
        answer_bytes(TRANSACTION, GOOD, attribute(0x7000, b"")),  # must be understood
        answer_bytes(TRANSACTION, b"\0\x20\0\x0c" + packed_address(("192.0.2.7", 4000))),  # beyond the end
        answer_bytes(TRANSACTION, attribute(0x20, b"\0\x01" + COOKIE[:2] + b"abcd")),  # port 0
        answer_bytes(TRANSACTION, attribute(0x20, b"\0\x03\0\x01abcd")),  # no such family
        answer_bytes(TRANSACTION, attribute(0x20, b"\0\x02\0\x01abcd")),  # IPv6 of four bytes
        answer_bytes(TRANSACTION, attribute(9, b"\0\0\x07\0"), kind=0x0111),  # no such class of errors
        answer_bytes(TRANSACTION, GOOD, kind=0x0001),  # a request
        answer_bytes(TRANSACTION, GOOD, kind=0x0103),  # an answer of TURN
        answer_bytes(TRANSACTION, attribute(0x8028, b"none"), GOOD),  # the fingerprint is not the last
    ],
)
def test_what_is_no_answer_is_none(data: bytes) -> None:
    assert parse_answer(data) is None


ADDRESSES = st.tuples(st.ip_addresses().map(str), st.integers(1, 65535))


@given(ADDRESSES, st.binary(min_size=12, max_size=12))
def test_any_address_is_read_as_it_was_written(address: tuple[str, int], transaction: bytes) -> None:
    value = attribute(0x20, packed_address(address, COOKIE + transaction))
    assert parse_answer(answer_bytes(transaction, value)) == BindingAnswer(address)
