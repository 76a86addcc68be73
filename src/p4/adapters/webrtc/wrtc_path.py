"""The path of a connection of wrtc, from its statistics (https://www.w3.org/TR/webrtc-stats/)."""

from __future__ import annotations

import ipaddress

import webrtc

from p4.adapters.webrtc.path import host_and_port, path_kind
from p4.ports import LinkPath

__all__ = ["selected_base", "selected_path"]


def selected_path(report: webrtc.RTCStatsReport) -> LinkPath | None:
    """The pair of candidates that a connection uses at the moment; None if it has chosen none."""
    pair = _selected_pair(report)
    if pair is None:
        return None
    local, remote = report.get(pair.local_candidate_id), report.get(pair.remote_candidate_id)
    if not isinstance(local, webrtc.RTCIceCandidateStats) or not isinstance(
        remote, webrtc.RTCIceCandidateStats
    ):
        return None
    ours, theirs = (str(local.candidate_type), str(remote.candidate_type))
    # Towards a relay of ours TLS is spoken over TCP.
    towards_relay = "tcp" if str(local.relay_protocol) in {"tcp", "tls"} else "udp"
    return LinkPath(
        kind=path_kind((ours, local.address or ""), (theirs, remote.address or "")),
        local=ours,
        remote=theirs,
        local_address=host_and_port(local.address, local.port),
        remote_address=host_and_port(remote.address, remote.port),
        protocol=towards_relay if ours == "relay" else str(local.protocol),
        round_trip=pair.current_round_trip_time if pair.responses_received else None,
        bytes_sent=pair.bytes_sent or 0,
        bytes_received=pair.bytes_received or 0,
    )


def selected_base(connection: webrtc.RTCPeerConnection) -> str | None:
    """The address of this machine that a connection uses at the moment; None if none, or one over a relay."""
    transport = connection.sctp.transport if connection.sctp is not None else None
    pair = transport.ice_transport.get_selected_candidate_pair() if transport is not None else None
    if pair is None or str(pair.local.type) == "relay":
        return None
    base = pair.local.related_address or pair.local.address
    try:
        return str(ipaddress.ip_address(base or ""))
    except ValueError:
        return None


def _selected_pair(report: webrtc.RTCStatsReport) -> webrtc.RTCIceCandidatePairStats | None:
    # Of several nominated pairs only the transport knows which one is used.
    for entry in report.values():
        if isinstance(entry, webrtc.RTCTransportStats) and entry.selected_candidate_pair_id:
            pair = report.get(entry.selected_candidate_pair_id)
            return pair if isinstance(pair, webrtc.RTCIceCandidatePairStats) else None
    return None
