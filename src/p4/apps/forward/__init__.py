"""TCP and UDP ports of one device at another (spec/forward.md, docs/tunnels.md)."""

from p4.apps.forward.app import ForwardApp, TunnelEvent
from p4.apps.forward.names import Endpoint, parse_endpoint, parse_far_end
from p4.apps.forward.tunnel import Figures, Kind, Protocol, Tunnel, TunnelState

__all__ = [
    "Endpoint",
    "Figures",
    "ForwardApp",
    "Kind",
    "Protocol",
    "Tunnel",
    "TunnelEvent",
    "TunnelState",
    "parse_endpoint",
    "parse_far_end",
]
