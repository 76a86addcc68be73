"""Rendezvous addresses (spec/invite.md). The vectors carry the single cases; here is what they cannot say."""

from __future__ import annotations

import base64
import hashlib

import pytest

from p4.core.address import RendezvousAddress, Transport
from p4.errors import InviteError


def onion_of(key: bytes) -> str:
    checksum = hashlib.sha3_256(b".onion checksum" + key + b"\x03").digest()[:2]
    return base64.b32encode(key + checksum + b"\x03").decode().lower() + ".onion"


ONION = onion_of(bytes(range(32)))


def test_text_form_can_be_dialled() -> None:
    assert str(RendezvousAddress(Transport.ONION, ONION, 80)) == f"onion://{ONION}:80"
    assert str(RendezvousAddress(Transport.DIRECT, "2001:db8::1", 9)) == "direct://[2001:db8::1]:9"


def test_every_single_wrong_character_of_an_onion_address_is_noticed() -> None:
    """The checksum has 16 bits, so a chance of 1 in 65536 each remains; these fixed cases all fail."""
    for position in range(56):
        other = "a" if ONION[position] != "a" else "b"
        with pytest.raises(InviteError) as caught:
            RendezvousAddress(Transport.ONION, ONION[:position] + other + ONION[position + 1 :], 80)
        assert caught.value.code == "bad-address"


@pytest.mark.parametrize(
    "host", ["laptop", "a.b-c.example", "example.org.", "127.0.0.1", "::1", "fe80::1%eth0", "x_y.local"]
)
def test_direct_hosts(host: str) -> None:
    assert RendezvousAddress(Transport.DIRECT, host, 1).host == host


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        "a..b",
        "-a",
        "a-",
        "1.2.3",
        "1.2.3.4.5",
        "a b",
        "a\n",
        "é.example",
        "[::1]",
        "a" * 254,
        "a/b",
        "a@b",
    ],
)
def test_not_a_direct_host(host: str) -> None:
    with pytest.raises(InviteError) as caught:
        RendezvousAddress(Transport.DIRECT, host, 1)
    assert caught.value.code == "bad-address"


def test_a_long_host_does_not_fill_the_screen() -> None:
    with pytest.raises(InviteError) as caught:
        RendezvousAddress(Transport.DIRECT, "\x1b" * 10_000, 1)
    assert len(caught.value.message) < 500
    assert "\x1b" not in caught.value.message


@pytest.mark.parametrize("port", [0, -1, 65536, True])
def test_bad_ports(port: int) -> None:
    with pytest.raises(InviteError) as caught:
        RendezvousAddress(Transport.ONION, ONION, port)
    assert caught.value.code == "bad-port"
