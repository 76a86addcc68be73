"""What people write for ports, and what comes of nonsense."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p4.apps.forward.names import Endpoint, parse_endpoint, parse_far_end, require_name
from p4.core import limits
from p4.core.session.wire import is_service
from p4.errors import InputError


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("8123", "127.0.0.1", 8123),
        ("192.168.1.5:80", "192.168.1.5", 80),
        ("printer.lan:631", "printer.lan", 631),
        ("[::1]:22", "::1", 22),
        ("[fe80::1%eth0]:22", "fe80::1%eth0", 22),
    ],
)
def test_endpoints(text: str, host: str, port: int) -> None:
    endpoint = parse_endpoint(text)
    assert endpoint == Endpoint(host, port)
    assert parse_endpoint(str(endpoint)) == endpoint


@pytest.mark.parametrize("text", ["", "x", "0", "65536", "-1", "::1:22", ":80", "a:", "a:b", "²2", "1:2:3"])
def test_what_is_no_port(text: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_endpoint(text)
    assert refused.value.code == "bad-port"


def test_port_0_only_where_the_system_may_choose() -> None:
    assert parse_endpoint("0", least=0).port == 0


def test_far_ends() -> None:
    assert parse_far_end("laptop:8123") == ("laptop", "8123")
    assert parse_far_end("Anna's laptop: old:web") == ("Anna's laptop: old", "web")
    for text, code in (("laptop", "bad-target"), (":web", "bad-target"), ("laptop:", "bad-name")):
        with pytest.raises(InputError) as refused:
            parse_far_end(text)
        assert refused.value.code == code


@given(st.text(max_size=80))
def test_every_name_is_a_service_under_all_its_prefixes(name: str) -> None:
    try:
        require_name(name)
    except InputError:
        return
    for prefix in ("tcp", "udp", "udp-reply"):
        assert is_service(f"{prefix}.{name}")


def test_the_longest_name_fits() -> None:
    assert is_service(f"udp-reply.{require_name('x' * limits.TUNNEL_NAME_BYTES)}")
    with pytest.raises(InputError):
        require_name("x" * (limits.TUNNEL_NAME_BYTES + 1))
    with pytest.raises(InputError):
        require_name("a.b")  # a contact with a grant for `tcp.a` would reach it, too
