"""A port that is free on the wanted addresses only."""

from __future__ import annotations

import socket

import psutil
import pytest

from p4.adapters.webrtc.steering import HeldPort, preferred_addresses

LOOPBACK = "127.0.0.1"


def others() -> list[str]:
    found = [e.address for entries in psutil.net_if_addrs().values() for e in entries]
    return [a for a in found if "." in a and a.count(".") == 3 and a != LOOPBACK]


def can_bind(host: str, port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_only_the_wanted_address_is_left_until_it_is_closed(kind: socket.SocketKind) -> None:
    unwanted = others()
    with HeldPort({LOOPBACK}) as held:
        assert can_bind(LOOPBACK, held.number, kind)
        assert not any(can_bind(host, held.number, kind) for host in unwanted)
    with HeldPort(unwanted) as held:
        assert not can_bind(LOOPBACK, held.number, kind)
    assert can_bind(LOOPBACK, held.number, kind)


def test_what_is_preferred_is_an_address_of_this_machine() -> None:
    own = {e.address.split("%")[0] for entries in psutil.net_if_addrs().values() for e in entries}
    assert preferred_addresses() <= own
