"""Discovery on the local network by multicast DNS: the port `p4.ports.lan` on the library zeroconf."""

from p4.adapters.lan.discovery import MulticastDiscovery

__all__ = ["MulticastDiscovery"]
