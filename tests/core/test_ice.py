"""STUN and TURN addresses and credentials."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p4.core.ice import DEFAULT_STUN, IceServerUrl, IceSettings, TurnServer, parse_stun_url, parse_turn_url
from p4.errors import InputError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (DEFAULT_STUN[0], IceServerUrl("stun", "stun.l.google.com", 19302, "udp")),
        (DEFAULT_STUN[1], IceServerUrl("stun", "stun.cloudflare.com", 3478, "udp")),
        ("stun:example.org", IceServerUrl("stun", "example.org", 3478, "udp")),
        ("STUN:192.0.2.1:1", IceServerUrl("stun", "192.0.2.1", 1, "udp")),
        ("stun:[2001:db8::1]:3479", IceServerUrl("stun", "2001:db8::1", 3479, "udp")),
    ],
)
def test_stun_addresses_are_taken_apart(text: str, expected: IceServerUrl) -> None:
    assert parse_stun_url(text) == expected


@pytest.mark.parametrize(
    ("text", "expected", "again"),
    [
        (
            "turn:a.example",
            IceServerUrl("turn", "a.example", 3478, "udp"),
            "turn:a.example:3478?transport=udp",
        ),
        ("turn:a:1?transport=tcp", IceServerUrl("turn", "a", 1, "tcp"), "turn:a:1?transport=tcp"),
        ("turns:a", IceServerUrl("turns", "a", 5349, "tcp"), "turns:a:5349?transport=tcp"),
        (
            "turns:[::1]:9?transport=tcp",
            IceServerUrl("turns", "::1", 9, "tcp"),
            "turns:[::1]:9?transport=tcp",
        ),
    ],
)
def test_turn_addresses_are_taken_apart_and_written_in_full(
    text: str, expected: IceServerUrl, again: str
) -> None:
    assert parse_turn_url(text) == expected
    assert expected.text == again
    assert parse_turn_url(again) == expected


BAD_STUN = [
    "stun",
    "stun:",
    "stun:host:",
    "stun:host:0",
    "stun:host:65536",
    "stun:host:+1",
    "stun:host:٣",
    "stun:host:1 ",
    " stun:host",
    "stun:ho st",
    "stun:-host",
    "stun:host..org",
    "stun://host:3478",
    "stun:[host]:1",
    "stun:[:::]:1",
    "stun:2001:db8::1",
    "stun:host:1?transport=udp",
    "stun:user@host:1",
    "stun:host\n",
    "turn:host:1",
    "stuns:host:1",
    "http://host",
    "host:3478",
]


@pytest.mark.parametrize("text", BAD_STUN)
def test_a_bad_stun_address_is_refused_with_a_sentence_that_shows_it(text: str) -> None:
    with pytest.raises(InputError) as refusal:
        IceSettings(stun=(text,))
    assert refusal.value.code == "stun-url"
    assert repr(text) in refusal.value.message
    assert "stun:stun.example.org:3478" in refusal.value.message


@pytest.mark.parametrize(
    "text",
    [
        "stun:host:1",
        "turn:host?",
        "turn:host?transport=sctp",
        "turn:host?transport=tcp&x=1",
        "turn:host?Transport=tcp",
        "turns:host?transport=udp",
        "turn:host:port",
        "",
    ],
)
def test_a_bad_turn_address_is_refused(text: str) -> None:
    with pytest.raises(InputError) as refusal:
        TurnServer(text)
    assert refusal.value.code == "turn-url"


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_an_input_error(text: str) -> None:
    for prefix in ("", "stun:", "turn:", "turns:host"):
        for parse in (parse_stun_url, parse_turn_url):
            try:
                found = parse(prefix + text)
            except InputError:
                continue
            assert 1 <= found.port <= 65535
            assert parse(found.text) == found


def test_an_empty_stun_address_means_none_as_in_v1() -> None:
    assert IceSettings(stun=("",)).stun == ()
    assert IceSettings(stun=("", "stun:a", "")).stun == ("stun:a",)
    assert IceSettings().stun == DEFAULT_STUN


def test_relays_alone_need_a_relay() -> None:
    with pytest.raises(InputError) as refusal:
        IceSettings(relay_only=True)
    assert refusal.value.code == "relay-only"
    assert IceSettings(turn=(TurnServer("turn:a"),), relay_only=True).relay_only


def test_rest_credentials_are_the_expiry_and_a_signature_over_it() -> None:
    server = TurnServer("turn:a", secret="north", user="ann", ttl_seconds=60)
    username, password = server.credentials(1_700_000_000.9) or ("", "")
    assert username == "1700000060:ann"
    assert password == "FU+L3A2KrinuwW92i96aGoopJUw="  # computed with OpenSSL's command line


def test_rest_credentials_are_derived_anew_for_each_moment() -> None:
    server = TurnServer("turn:a", secret="north")
    assert server.credentials(1000) != server.credentials(1001)
    assert (server.credentials(1000) or ("",))[0] == "4600:p4"


def test_static_and_absent_credentials_are_given_as_they_are() -> None:
    assert TurnServer("turn:a", username="u", password="p").credentials(5) == ("u", "p")
    assert TurnServer("turn:a").credentials(5) is None


@pytest.mark.parametrize(
    "options",
    [
        {"secret": "s", "username": "u"},
        {"secret": "s", "password": "hidden-word"},
        {"username": "u"},
        {"password": "hidden-word"},
        {"secret": "hidden-word", "ttl_seconds": 0},
        {"username": "u" * 509, "password": "hidden-word"},
        {"secret": "hidden-word", "user": "é" * 254},
        {"secret": "hidden-word", "user": "line\nbreak"},
        {"username": "u", "password": "hidden-word\ud800"},
    ],
)
def test_contradicting_credentials_are_refused_without_showing_a_secret(options: dict[str, object]) -> None:
    with pytest.raises(InputError) as refusal:
        TurnServer("turn:a", **options)  # type: ignore[arg-type]
    assert refusal.value.code == "turn-credentials"
    assert "hidden-word" not in refusal.value.message
