"""Asks routers to pass connections from outside on to us; implements `p4.ports.mapping`.

`mapper` has one `keeper` for each router that `gateways` finds. A keeper asks with PCP (`pcp`), NAT-PMP
(`nat_pmp`), both by `askers` over an `exchange` of datagrams, or with `upnp`.
`lending` lets lanes have ports, too.
"""

from __future__ import annotations

from p4.adapters.net.mapping.lending import LendingPortMapper
from p4.adapters.net.mapping.mapper import RouterPortMapper

__all__ = ["LendingPortMapper", "RouterPortMapper"]
