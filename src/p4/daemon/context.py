"""What the routes of one daemon share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from p4.daemon.access.ending import Ending
from p4.daemon.access.failures import FailureLimit
from p4.daemon.access.tokens import TokenBook
from p4.daemon.access.web_logins import WebLogins
from p4.daemon.event_feed import EventFeed
from p4.daemon.hosted_apps import HostedApps
from p4.daemon.kept_receipts import KeptReceipts
from p4.daemon.leases import Leases
from p4.daemon.message_desk import MessageDesk
from p4.daemon.metrics import LinkCounts
from p4.daemon.stream_desk import StreamDesk
from p4.node.node import BaseNode

__all__ = ["DaemonContext"]


@dataclass(slots=True)
class DaemonContext:
    """One running daemon, as its routes see it."""

    node: BaseNode
    state_directory: Path
    apps: HostedApps
    feed: EventFeed
    tokens: TokenBook
    logins: WebLogins
    failures: FailureLimit
    desk: MessageDesk
    receipts: KeptReceipts
    leases: Leases
    streams: StreamDesk
    end: Callable[[], None]
    """Asks the daemon to end; returns at once."""
    started_ms: int
    """Unix milliseconds."""
    link_counts: LinkCounts = field(default_factory=LinkCounts)
    serving: set[str] = field(default_factory=set)
    """Services of which programs answer the calls."""
    closing: Ending = field(default_factory=Ending)
    """Set when the daemon ends: what lasts long ends then."""
    port: int = 0
    """Loopback TCP port; 0 before it listens."""
