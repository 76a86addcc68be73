"""What the daemon tells, as the status that `p4 ls`, `p4 status` and `p4 up` show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from p4.client.records import ContactStatus, DeviceStatus
from p4.core.identity import PeerId
from p4.core.policy import Policy
from p4.node.status import NodeStatus, PeerStatus
from p4.ports import LinkPath, PathKind

__all__ = ["node_status_of", "peer_status_of"]


def node_status_of(device: DeviceStatus) -> NodeStatus:
    """The status of the whole node."""
    return NodeStatus(
        peer_id=PeerId(device.id),
        moment_ms=device.moment_ms,
        started_ms=device.started_ms,
        reachable=device.reachable,
        reachability=device.reachability,
        checked_ms=device.checked_ms,
        addresses=tuple(device.addresses),
        port=device.port,
        local_addresses=tuple(device.local_addresses),
        mappings=tuple(device.mappings),
        lan=device.lan,
        versions=dict(device.versions or {}),
        peers=tuple(map(peer_status_of, device.contacts)),
    )


def peer_status_of(contact: ContactStatus) -> PeerStatus:
    """The status of one contact."""
    return PeerStatus(
        peer_id=PeerId(contact.id),
        name=contact.name,
        connected=contact.connected,
        state=contact.state,
        protocol=contact.protocol,
        policy=Policy(contact.policy),
        path=None if contact.path is None else _path(contact.path),
        round_trip=contact.round_trip,
        sending=contact.sending,
        receiving=contact.receiving,
        queued_messages=contact.queued_messages,
        queued_bytes=contact.queued_bytes,
        open_streams=contact.open_streams,
        last_seen_ms=contact.last_seen_ms,
        why_not=contact.why_not,
        next_attempt_ms=contact.next_attempt_ms,
        lanes=contact.lanes,
    )


def _path(entry: Mapping[str, Any]) -> LinkPath:
    return LinkPath(
        kind=PathKind(entry["kind"]),
        local=entry["local"],
        remote=entry["remote"],
        local_address=entry["local_address"],
        remote_address=entry["remote_address"],
        protocol=entry["protocol"],
        round_trip=entry["round_trip"],
        bytes_sent=entry["bytes_sent"],
        bytes_received=entry["bytes_received"],
    )
