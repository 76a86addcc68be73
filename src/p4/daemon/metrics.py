"""Figures in the text format 0.0.4 of Prometheus (prometheus.io/docs/instrumenting/exposition_formats)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from p4.core.identity import PeerId
from p4.daemon.event_feed import FeedReader
from p4.node.status import NodeStatus

__all__ = ["CONTENT_TYPE", "LinkCounts", "count_links", "exposition"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(slots=True)
class LinkCounts:
    """What happened to links since the daemon started, by contact."""

    opened: Counter[PeerId] = field(default_factory=Counter)
    lost: Counter[PeerId] = field(default_factory=Counter)


async def count_links(reader: FeedReader, counts: LinkCounts) -> None:
    """Keep count, for ever."""
    async for event in reader:
        if event.contact is not None and event.kind == "link.up":
            counts.opened[event.contact] += 1
        elif event.contact is not None and event.kind == "link.down":
            counts.lost[event.contact] += 1


def exposition(status: NodeStatus, counts: LinkCounts) -> str:
    """The figures of a node as text.

    Args:
        counts: of its links, since the daemon started.
    """
    lines: list[str] = []

    def family(
        name: str, kind: str, text: str, samples: Iterable[tuple[Mapping[str, str], float | None]]
    ) -> None:
        known = [(labels, value) for labels, value in samples if value is not None]
        if known:
            lines.extend((f"# HELP {name} {text}", f"# TYPE {name} {kind}"))
            lines.extend(f"{name}{_labels(labels)} {value:g}" for labels, value in known)

    def each(name: str, kind: str, text: str, values: Mapping[PeerId, float | None]) -> None:
        family(name, kind, text, [(labels[peer_id], value) for peer_id, value in values.items()])

    peers = status.peers
    labels = {peer.peer_id: {"contact": peer.peer_id, "name": peer.name} for peer in peers}
    family("p4_info", "gauge", "Versions.", [(status.versions, 1)])
    family("p4_start_time_seconds", "gauge", "Unix time of the start.", [({}, status.started_ms / 1000)])
    family("p4_reachable", "gauge", "Whether others reach us, as far as we know.", [({}, status.reachable)])
    each("p4_link_up", "gauge", "Whether a link is up.", {peer.peer_id: peer.connected for peer in peers})
    each(
        "p4_link_round_trip_seconds",
        "gauge",
        "Smoothed round trip.",
        {peer.peer_id: peer.round_trip for peer in peers},
    )
    each(
        "p4_link_sending_bytes_per_second",
        "gauge",
        "Leaving on the link, smoothed.",
        {peer.peer_id: peer.sending for peer in peers},
    )
    each(
        "p4_link_receiving_bytes_per_second",
        "gauge",
        "Arriving on the link, smoothed.",
        {peer.peer_id: peer.receiving for peer in peers},
    )
    each(
        "p4_link_sent_bytes",
        "gauge",
        "Sent on the present path.",
        {peer.peer_id: peer.path.bytes_sent if peer.path else None for peer in peers},
    )
    each(
        "p4_link_received_bytes",
        "gauge",
        "Received on the present path.",
        {peer.peer_id: peer.path.bytes_received if peer.path else None for peer in peers},
    )
    family(
        "p4_link_path",
        "gauge",
        "Which way the link goes.",
        [({**labels[peer.peer_id], "kind": peer.path.kind.value}, 1) for peer in peers if peer.path],
    )
    each(
        "p4_links_opened_total",
        "counter",
        "Links that came up since the start.",
        {peer.peer_id: counts.opened[peer.peer_id] for peer in peers},
    )
    each(
        "p4_links_lost_total",
        "counter",
        "Times that a contact had no link any more.",
        {peer.peer_id: counts.lost[peer.peer_id] for peer in peers},
    )
    each(
        "p4_queued_messages",
        "gauge",
        "Accepted and not confirmed by the contact.",
        {peer.peer_id: peer.queued_messages for peer in peers},
    )
    each(
        "p4_queued_bytes",
        "gauge",
        "Of the bodies of queued messages.",
        {peer.peer_id: peer.queued_bytes for peer in peers},
    )
    each("p4_open_streams", "gauge", "Not over.", {peer.peer_id: peer.open_streams for peer in peers})
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
