"""How a status looks on a screen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from p4.cli.output import show, visible
from p4.cli.status.words import ago, duration, milliseconds, rate, reachability, size
from p4.core.policy import Policy
from p4.node.status import NodeStatus, PeerStatus

__all__ = ["contacts_table", "node_table", "peer_table", "show"]

NO_CONTACTS = (
    "No contacts yet. Make an invite here (p4 invite) and take it on the other device (p4 add LINK)."
)


def node_table(node: NodeStatus, now_ms: int) -> Table:
    """The node itself: a line for each thing."""
    lines: list[tuple[str, str]] = [("id", node.peer_id)]
    if node.started_ms:
        lines.append(("running", f"for {duration((now_ms - node.started_ms) / 1000)}"))
    lines.append(("reachable", reachability(node, now_ms)))
    lines += [("address", address) for address in node.addresses]
    if node.started_ms:
        lines += _surroundings(node)
    connected = sum(peer.connected for peer in node.peers)
    lines.append(("contacts", f"{len(node.peers)}, {connected} connected"))
    lines.append(("versions", ", ".join(f"{name} {number}" for name, number in node.versions.items())))
    return _pairs(lines)


def contacts_table(peers: Sequence[PeerStatus], now_ms: int) -> RenderableType:
    """A line for each contact."""
    if not peers:
        return Text(NO_CONTACTS)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("CONTACT", "PATH", "RTT", "DOWN", "UP", "QUEUE", "SEEN"):
        table.add_column(
            heading, no_wrap=True, justify="right" if heading in {"RTT", "DOWN", "UP"} else "left"
        )
    table.add_column("STATE", overflow="fold")
    for peer in peers:
        table.add_row(
            Text(visible(peer.name) or peer.peer_id[:8], style="green" if peer.connected else ""),
            Text(_path(peer)),
            Text(milliseconds(peer.round_trip)),
            Text(rate(peer.receiving)),
            Text(rate(peer.sending)),
            Text(_queue(peer)),
            Text(_seen(peer, now_ms)),
            Text(_state(peer, now_ms)),
        )
    return table


def peer_table(peer: PeerStatus, now_ms: int) -> Table:
    """Everything about one contact."""
    lines = [
        ("contact", f"{visible(peer.name)} ({peer.peer_id})" if peer.name else peer.peer_id),
        ("state", _state(peer, now_ms)),
        ("last seen", _seen(peer, now_ms)),
        ("protocol", str(peer.protocol) if peer.protocol else "not known yet"),
        ("queue", _queue(peer)),
        ("streams", str(peer.open_streams)),
        ("policy", peer.policy.value),
    ]
    if peer.path is not None:
        path = peer.path
        lines += [
            ("path", _path(peer)),
            ("from", f"{path.local_address or 'hidden'} ({path.local})"),
            ("to", f"{path.remote_address or 'hidden'} ({path.remote})"),
            ("round trip", milliseconds(peer.round_trip)),
            ("receiving", f"{rate(peer.receiving)}, {size(path.bytes_received)} in all"),
            ("sending", f"{rate(peer.sending)}, {size(path.bytes_sent)} in all"),
        ]
    return _pairs(lines)


def _surroundings(node: NodeStatus) -> list[tuple[str, str]]:
    doorway = f"TCP port {node.port}, for contacts that know our addresses" if node.port else "none"
    lines = [("doorway", doorway)]
    if node.local_addresses:
        lines.append(("own addresses", ", ".join(node.local_addresses)))
    if node.port:
        lines.append(("port mapping", ", ".join(node.mappings) or "none"))
    lines.append(("local network", "contacts there find this device" if node.lan else "not searched"))
    return lines


def _pairs(lines: Iterable[tuple[str, str]]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in lines:
        table.add_row(Text(name), Text(value))
    return table


def _seen(peer: PeerStatus, now_ms: int) -> str:
    return "now" if peer.connected else ago(peer.last_seen_ms, now_ms)


def _path(peer: PeerStatus) -> str:
    if peer.path is None:
        return "–" if not peer.connected else "?"
    way = f"{peer.path.kind.value} {peer.path.protocol}"
    return f"{way} + {peer.lanes}" if peer.lanes else way


def _queue(peer: PeerStatus) -> str:
    if not peer.queued_messages:
        return "0"
    size_of = "" if peer.queued_bytes is None else f" ({size(peer.queued_bytes)})"
    return f"{peer.queued_messages}{size_of}"


def _state(peer: PeerStatus, now_ms: int) -> str:
    state = peer.state
    if peer.next_attempt_ms is not None and not peer.connected:
        seconds = (peer.next_attempt_ms - now_ms) / 1000
        state = f"retry in {duration(seconds)}" if seconds >= 1 else "retry now"
    if peer.policy is not Policy.DIRECT:
        state += f" ({peer.policy.value})"
    return f"{state}: {visible(peer.why_not)}" if peer.why_not else state
