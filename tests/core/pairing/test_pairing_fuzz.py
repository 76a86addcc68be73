"""Hostile lines, links, words and files of pairing: a value or an error of ours, and nothing else."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.counts import examples
from vectors.generate.gate_frames import onion_name

from p4.core.address import RendezvousAddress, Transport
from p4.core.gate import gate_public_key
from p4.core.identity import Identity, encode_key
from p4.core.invite import Invite
from p4.core.pairing.card import Card
from p4.core.pairing.exchange import GuestExchange, HostExchange, read_hello
from p4.core.pairing.link import PairingLink
from p4.core.pairing.open_invite import InviteKind, OpenInvite, parse_invites, serialise_invites
from p4.core.pairing.secrets import PairingSecret
from p4.errors import InputError, InviteError, PairingError, SignalingError
from p4.node.pairing.parts import english_words

ALICE, BOB = Identity(bytes(range(32))), Identity(bytes(range(32, 64)))
SECRET = PairingSecret.of_link(bytes(16), ALICE.public_key)
ADDRESS = RendezvousAddress(Transport.DIRECT, "192.0.2.1", 4433)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=50) | st.binary(max_size=40).map(bytes.hex),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
keys = st.sampled_from(["pairing", "tag", "pake", "proof", "card", "done", "refused"])
lines = st.one_of(
    st.binary(max_size=300),
    st.dictionaries(keys, values, max_size=5).map(lambda fields: json.dumps(fields).encode()),
)


def card(identity: Identity) -> Card:
    return Card(Invite(identity.public_key, ADDRESS), "a device", None, ("warm",))


def noise(count: int) -> bytes:
    return bytes(range(count))


def whole_exchange() -> list[bytes]:
    guest = GuestExchange(SECRET, BOB, card(BOB), noise)
    host = HostExchange(SECRET, ALICE, card(ALICE), read_hello(guest.hello()), lambda n: bytes([7]) * n)
    guest.take_pake(host.answer())
    proof = guest.proof()
    assert host.take_proof(proof) == card(BOB)
    answer = host.proof()
    assert guest.take_proof(answer) == card(ALICE)
    host.take_done(guest.done())
    return [guest.hello(), host.answer(), proof, answer, guest.done()]


LINES = whole_exchange()


def mutated(line: bytes) -> st.SearchStrategy[bytes]:
    def change(fields: dict[str, Any], key: str, value: Any) -> bytes:
        return json.dumps({**fields, key: value}).encode()

    fields = json.loads(line)
    return st.one_of(
        lines,
        st.builds(change, st.just(fields), st.sampled_from(list(fields)), values),
        st.tuples(st.integers(0, len(line) - 1), st.integers(0, 255)).map(
            lambda at: line[: at[0]] + bytes([at[1]]) + line[at[0] + 1 :]
        ),
    )


@given(mutated(LINES[0]), mutated(LINES[2]), mutated(LINES[4]))
@examples(0.75)
def test_the_host_reads_anything(first: bytes, third: bytes, fifth: bytes) -> None:
    for hello_line, proof, done in (
        (first, LINES[2], LINES[4]),
        (LINES[0], third, LINES[4]),
        (LINES[0], LINES[2], fifth),
    ):
        try:
            host = HostExchange(SECRET, ALICE, card(ALICE), read_hello(hello_line), lambda n: bytes([7]) * n)
            host.take_proof(proof)
            host.take_done(done)
        except (SignalingError, PairingError):
            pass


@given(mutated(LINES[1]), mutated(LINES[3]))
@examples(0.75)
def test_the_guest_reads_anything(second: bytes, fourth: bytes) -> None:
    for pake, proof in ((second, LINES[3]), (LINES[1], fourth)):
        guest = GuestExchange(SECRET, BOB, card(BOB), noise)
        try:
            guest.take_pake(pake)
            guest.take_proof(proof)
        except (SignalingError, PairingError):
            pass


@given(
    st.one_of(
        st.binary(max_size=400),
        st.dictionaries(st.sampled_from(["key", "rendezvous", "name", "gate", "caps"]), values).map(
            lambda fields: json.dumps(fields).encode()
        ),
    )
)
def test_a_card_is_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(SignalingError):
        Card.parse(data)


@pytest.mark.parametrize("weak", [bytes(32), b"\1" + bytes(31), bytes(31) + b"\x80"])
def test_nobody_is_admitted_by_a_key_that_everybody_has(weak: bytes) -> None:
    """Tor ends at a key of zeros, and any key of small order would open the gate to all."""
    gate = {"key": encode_key(weak), "address": onion_name(ALICE.public_key).decode() + ".onion", "port": 80}
    fields = json.loads(card(ALICE).to_bytes())
    with pytest.raises(SignalingError) as refused:
        Card.parse(json.dumps({**fields, "gate": gate}).encode())
    assert refused.value.code == "bad-card"
    gate["key"] = encode_key(gate_public_key(weak))
    assert Card.parse(json.dumps({**fields, "gate": gate}).encode()).gate is not None


@given(
    st.one_of(
        st.text(max_size=200), st.text("abcdefghijklmnopqrstuvwxyz234567 ", max_size=200).map("P4:".__add__)
    )
)
def test_a_link_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InviteError):
        PairingLink.parse(text)


@given(
    st.binary(min_size=16, max_size=16),
    st.integers(0, 2**32 - 1),
    st.none() | st.sampled_from(["192.0.2.1", "2001:db8::1", "a.example", "x" * 63]),
    st.integers(1, 65535),
)
def test_a_link_says_what_was_put_in(secret: bytes, expires_at: int, host: str | None, port: int) -> None:
    address = None if host is None else RendezvousAddress(Transport.DIRECT, host, port)
    link = PairingLink(secret, ALICE.public_key, expires_at, address)
    text = link.to_text()
    assert PairingLink.parse(text.upper()) == link
    assert secret.hex() not in repr(link)


@given(st.data())
def test_any_mistyped_character_of_a_link_is_noticed(data: st.DataObject) -> None:
    text = PairingLink(bytes(16), ALICE.public_key, 1_800_000_000).to_text()
    position = data.draw(st.integers(3, len(text) - 1))
    wrong = data.draw(st.sampled_from([c for c in "abcdefghijklmnopqrstuvwxyz234567" if c != text[position]]))
    with pytest.raises(InviteError) as refused:
        PairingLink.parse(text[:position] + wrong + text[position + 1 :])
    assert refused.value.code in {"mistyped", "bad-link"}


@given(st.text(max_size=120))
def test_words_are_read_or_refused(text: str) -> None:
    with contextlib.suppress(InviteError):
        english_words().parse(text)


@given(st.sampled_from([2, 8]), st.data())
def test_chosen_words_are_read_in_any_form(count: int, data: st.DataObject) -> None:
    words = english_words().choose(count, data.draw(st.binary(min_size=2 * count, max_size=2 * count)))
    cut = [word[: data.draw(st.integers(4, 8))] for word in words]
    assert english_words().parse(data.draw(st.sampled_from([" ", "-", ", "])).join(cut).upper()) == words


@given(
    st.one_of(
        st.binary(max_size=200),
        values.map(lambda value: json.dumps({"version": 1, "invites": [value]}).encode()),
    )
)
def test_a_file_of_invites_is_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(InputError):
        parse_invites(data)


@given(
    st.builds(
        OpenInvite,
        st.text(max_size=16),
        st.sampled_from(InviteKind),
        st.text(max_size=90),
        st.integers(0, 2**50),
        st.integers(0, 2**50),
        st.text(max_size=64),
        st.booleans(),
        st.sampled_from([b"", bytes(range(32))]),
    )
)
def test_invites_are_read_as_they_were_written(invite: OpenInvite) -> None:
    data = serialise_invites([invite])
    assert parse_invites(data) == [invite]
