"""Lanes over TLS 1.3 and TCP (spec/lanes.md, "Stream lanes"); implements `p4.ports.lane.StreamLanes`."""

from p4.adapters.tls_lane.stream_lanes import TlsStreamLanes

__all__ = ["TlsStreamLanes"]
