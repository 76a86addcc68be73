"""The path of a connection of aiortc: the nominated pair of its ICE connection.

aiortc's statistics tell of media only, and its transports show neither pair nor round trip, so this reads
what `RTCDtlsTransport`, `RTCSctpTransport` and aioice keep to themselves.
"""

from __future__ import annotations

import aiortc
from aioice.ice import CandidatePair
from aioice.turn import TurnClientTcpProtocol

from p4.adapters.webrtc.path import host_and_port, path_kind
from p4.ports import LinkPath

__all__ = ["selected_path"]


def selected_path(sctp: aiortc.RTCSctpTransport) -> LinkPath | None:
    """The pair of candidates that data channels use at the moment; None if none is nominated."""
    dtls = sctp.transport
    # ruff: noqa: SLF001 - see above: there is no public way to any of it
    pair = dtls.transport._connection._nominated.get(1)
    if pair is None:
        return None
    # Of a host candidate and the server-reflexive one behind it aioice uses the former.
    (local_host, local_port), (remote_host, remote_port) = pair.local_addr, pair.remote_addr
    local, remote = pair.local_candidate.type, pair.remote_candidate.type
    counted = next(iter(dtls._get_stats().values()))
    return LinkPath(
        kind=path_kind((local, local_host), (remote, remote_host)),
        local=local,
        remote=remote,
        local_address=host_and_port(local_host, local_port),
        remote_address=host_and_port(remote_host, remote_port),
        protocol="tcp" if _through_tcp(pair) else "udp",
        round_trip=sctp._srtt,
        bytes_sent=counted.bytesSent,
        bytes_received=counted.bytesReceived,
    )


def _through_tcp(pair: CandidatePair) -> bool:
    """Whether the relay of the pair, if it has one of ours, is spoken to over TCP (or TLS)."""
    inner = getattr(pair.protocol.transport, "_TurnTransport__inner_protocol", None)
    return isinstance(inner, TurnClientTcpProtocol)
