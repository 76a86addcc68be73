"""What is remembered of gates survives the store, and whatever else is found there."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p4.core.address import RendezvousAddress, Transport
from p4.core.gate import GateRecord, gate_public_key

HOST = "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion"
ADDRESS = RendezvousAddress(Transport.ONION, HOST, 80)
KEYS = st.just(b"") | st.binary(min_size=32, max_size=32)


@given(KEYS, KEYS, st.none() | st.just(ADDRESS), st.sampled_from(["", HOST]))
def test_a_record_is_read_as_it_was_written(
    own: bytes, admitted: bytes, address: RendezvousAddress | None, confirmed: str
) -> None:
    record = GateRecord(own, admitted, address, confirmed)
    assert GateRecord.from_text(record.to_text()) == record


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '"x"',
        "null",
        '{"own_key_b64": 7}',
        '{"own_key_b64": "AAAA"}',
        '{"own_key_b64": "*"}',
        '{"address": {"host": "x.onion", "port": 80}}',
        json.dumps({"address": {"host": HOST, "port": 0}}),
        json.dumps({"address": {"host": HOST}}),
    ],
)
def test_what_cannot_be_read_is_exchanged_anew(text: str) -> None:
    assert GateRecord.from_text(text) == GateRecord()


def test_the_open_address_is_needed_until_the_present_gate_is_confirmed() -> None:
    known = GateRecord(b"o" * 32, b"a" * 32, ADDRESS)
    confirmed = GateRecord(b"o" * 32, b"a" * 32, ADDRESS, HOST)
    assert GateRecord().needs_open(HOST)
    assert known.needs_open(HOST)
    assert not confirmed.needs_open(HOST)
    assert confirmed.needs_open("another.onion")
    assert not known.passable
    assert confirmed.passable
    assert not confirmed.unconfirmed().passable


def test_secrets_do_not_show() -> None:
    assert "ooo" not in repr(GateRecord(b"o" * 32))
    assert len(gate_public_key(b"o" * 32)) == 32
