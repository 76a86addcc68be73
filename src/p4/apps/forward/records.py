"""The forwards and served ports that outlive the daemon, on disk."""

from __future__ import annotations

import json
from sqlite3 import Row

from p4.apps.forward.names import Endpoint
from p4.apps.forward.tunnel import Kind, Protocol, Tunnel
from p4.apps.store import AppStore

__all__ = ["TunnelRecords"]

_STEPS = [
    """
    CREATE TABLE forward_tunnels (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        protocol TEXT NOT NULL,
        name TEXT NOT NULL,
        host TEXT NOT NULL,
        port INTEGER NOT NULL,
        contact TEXT NOT NULL,
        kept INTEGER NOT NULL,
        granted TEXT NOT NULL  -- JSON: ids of contacts
    ) STRICT;
    """
]


class TunnelRecords:
    """Their table. Those that are not kept are in it too: after a crash their grants are taken back."""

    def __init__(self, store: AppStore) -> None:
        self._store = store

    async def open(self) -> list[Tunnel]:
        """All that the last run has left. Raises StateError."""
        await self._store.migrate("forward", _STEPS)
        return [
            _tunnel(row) for row in await self._store.query("SELECT * FROM forward_tunnels ORDER BY rowid")
        ]

    async def add(self, tunnel: Tunnel) -> None:
        """Keep one, or what is new about it. Raises StateError."""
        await self._store.execute(
            "INSERT OR REPLACE INTO forward_tunnels VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                tunnel.id,
                tunnel.kind.value,
                tunnel.protocol.value,
                tunnel.name,
                tunnel.endpoint.host,
                tunnel.endpoint.port,
                tunnel.contact,
                int(tunnel.kept),
                json.dumps(tunnel.granted),
            ),
        )

    async def remove(self, tunnel: Tunnel) -> None:
        """Forget one. Raises StateError."""
        await self._store.execute("DELETE FROM forward_tunnels WHERE id = ?", (tunnel.id,))


def _tunnel(row: Row) -> Tunnel:
    return Tunnel(
        row["id"],
        Kind(row["kind"]),
        Protocol(row["protocol"]),
        row["name"],
        Endpoint(row["host"], row["port"]),
        row["contact"],
        bool(row["kept"]),
        tuple(json.loads(row["granted"])),
    )
