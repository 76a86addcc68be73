"""The file by which a running node tells other processes of this user how it is."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from p4.adapters.store.state_dir import STATUS_FILE
from p4.core.identity import PeerId
from p4.core.policy import Policy
from p4.node.status import NodeStatus, PeerStatus
from p4.ports import LinkPath, PathKind

__all__ = ["Snapshot", "read_snapshot", "remove_snapshot", "write_snapshot"]

FORMAT = 1
"""Grows when older readers would misunderstand it."""

LARGEST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a node wrote, and which process it is."""

    pid: int
    node: NodeStatus


def write_snapshot(directory: Path, snapshot: Snapshot) -> None:
    """Replace the file: readers find the old one or the new one, and only this user finds any.

    It is not brought to the disk: after a power failure there is no running node that it could tell of.

    Raises:
        OSError: not written; an older one is as it was.
    """
    text = json.dumps({"format": FORMAT, "pid": snapshot.pid, "node": asdict(snapshot.node)})
    beside = directory / f".{STATUS_FILE}.{snapshot.pid}.new"
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        beside.replace(directory / STATUS_FILE)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def remove_snapshot(directory: Path) -> None:
    """The node has ended. A file that cannot be removed misleads nobody: its process is gone."""
    with contextlib.suppress(OSError):
        (directory / STATUS_FILE).unlink(missing_ok=True)


def read_snapshot(directory: Path) -> Snapshot | None:
    """What a node of this or an older run wrote; None if there is nothing that can be understood."""
    try:
        with (directory / STATUS_FILE).open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
        if len(data) > LARGEST_BYTES:
            return None
        found = json.loads(data)
        if found["format"] != FORMAT:
            return None
        return Snapshot(_take(found, "pid", int), _node(found["node"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None  # being replaced, of another version, or damaged: the files tell enough


def _node(entry: dict[str, Any]) -> NodeStatus:
    versions = _take(entry, "versions", dict)
    return NodeStatus(
        peer_id=PeerId(_take(entry, "peer_id", str)),
        moment_ms=_take(entry, "moment_ms", int),
        started_ms=_take(entry, "started_ms", int),
        reachable=_take(entry, "reachable", bool),
        reachability=_take(entry, "reachability", str),
        checked_ms=_whole(entry, "checked_ms"),
        addresses=_texts(entry, "addresses"),
        port=_take(entry, "port", int),
        local_addresses=_texts(entry, "local_addresses"),
        mappings=_texts(entry, "mappings"),
        lan=_take(entry, "lan", bool),
        versions={str(name): str(version) for name, version in versions.items()},
        peers=tuple(_peer(peer) for peer in _take(entry, "peers", list)),
    )


def _peer(entry: dict[str, Any]) -> PeerStatus:
    return PeerStatus(
        peer_id=PeerId(_take(entry, "peer_id", str)),
        name=_take(entry, "name", str),
        connected=_take(entry, "connected", bool),
        state=_take(entry, "state", str),
        protocol=_take(entry, "protocol", int),
        policy=Policy(_take(entry, "policy", str)),
        path=None if entry["path"] is None else _path(entry["path"]),
        round_trip=_number(entry, "round_trip"),
        sending=_number(entry, "sending"),
        receiving=_number(entry, "receiving"),
        queued_messages=_take(entry, "queued_messages", int),
        queued_bytes=_whole(entry, "queued_bytes"),
        open_streams=_take(entry, "open_streams", int),
        last_seen_ms=_take(entry, "last_seen_ms", int),
        why_not=_take(entry, "why_not", str),
        next_attempt_ms=_whole(entry, "next_attempt_ms"),
        lanes=_take(entry, "lanes", str) if "lanes" in entry else "",
    )


def _path(entry: dict[str, Any]) -> LinkPath:
    return LinkPath(
        kind=PathKind(_take(entry, "kind", str)),
        local=_take(entry, "local", str),
        remote=_take(entry, "remote", str),
        local_address=_take(entry, "local_address", str),
        remote_address=_take(entry, "remote_address", str),
        protocol=_take(entry, "protocol", str),
        round_trip=_number(entry, "round_trip"),
        bytes_sent=_take(entry, "bytes_sent", int),
        bytes_received=_take(entry, "bytes_received", int),
    )


def _take(entry: dict[str, Any], name: str, kind: type) -> Any:
    value = entry[name]
    if type(value) is not kind:
        raise TypeError(name)
    return value


def _texts(entry: dict[str, Any], name: str) -> tuple[str, ...]:
    return tuple(str(text) for text in _take(entry, name, list))


def _number(entry: dict[str, Any], name: str) -> float | None:
    value = entry[name]
    if value is not None and type(value) not in {int, float}:
        raise TypeError(name)
    return None if value is None else float(value)


def _whole(entry: dict[str, Any], name: str) -> int | None:
    value = entry[name]
    if value is not None and type(value) is not int:
        raise TypeError(name)
    return value
