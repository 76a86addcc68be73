"""Default routes as each system lists them."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p4.adapters.net.mapping.gateways import (
    DefaultRoute,
    gateways_of,
    list_gateways,
    routes_of_linux,
    routes_of_netstat,
    routes_of_windows,
)

LINUX_IPV4 = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0
tun0\t00000000\t0108080A\t0003\t0\t0\t50\t00000080\t0\t0\t0
ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0000000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
"""
LINUX_IPV6 = """\
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00450003 eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200 lo
20010db8000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001 eth0
"""  # noqa: E501 - as the kernel prints it
NETSTAT = """\
Routing tables

Internet:
Destination        Gateway            Flags               Netif Expire
default            192.168.1.1        UGScg                 en0
default            link#20            UCSIg         bridge100      !
127                127.0.0.1          UCS                   lo0

Internet6:
Destination                             Gateway                                 Flags      Netif Expire
default                                 fe80::1%en0                             UGcg                  en0
::1                                     ::1                                     UHL                   lo0
"""
ROUTE_PRINT = """\
===========================================================================
IPv4-Routentabelle
===========================================================================
Aktive Routen:
     Netzwerkziel    Netzwerkmaske          Gateway    Schnittstelle Metrik
          0.0.0.0          0.0.0.0      192.168.1.1    192.168.1.23     25
          0.0.0.0          0.0.0.0   Auf Verbindung      10.8.0.6      1
===========================================================================
"""


@pytest.mark.skipif(sys.byteorder != "little", reason="the sample is from a little-endian machine")
def test_linux() -> None:
    assert routes_of_linux(LINUX_IPV4, LINUX_IPV6) == [
        DefaultRoute("192.168.1.1", "wlan0", 600),
        DefaultRoute("10.0.0.1", "eth0", 100),
        DefaultRoute("fe80::1%eth0", "eth0", 1024),
    ]


def test_macos() -> None:
    assert routes_of_netstat(NETSTAT) == [
        DefaultRoute("192.168.1.1", "en0", 0),
        DefaultRoute("fe80::1%en0", "en0", 1),
    ]


def test_windows() -> None:
    assert routes_of_windows(ROUTE_PRINT) == [DefaultRoute("192.168.1.1", "", 25)]


@given(st.text(max_size=300))
def test_no_listing_breaks_the_readers(text: str) -> None:
    routes_of_linux(text, text)
    routes_of_netstat(text)
    routes_of_windows(text)


def test_the_preferred_router_comes_first_and_not_all_are_asked() -> None:
    routes = [DefaultRoute(f"127.0.0.{metric}", "lo", metric) for metric in (9, 3, 7, 5)]
    found = list(gateways_of(routes, lambda address: True))
    assert [gateway.address for gateway in found] == ["127.0.0.3", "127.0.0.5", "127.0.0.7"]
    assert all(gateway.local_address.startswith("127.") for gateway in found)


async def test_this_machine_can_be_asked() -> None:
    for gateway in await list_gateways(lambda address: True):
        assert (":" in gateway.address) == (":" in gateway.local_address)
