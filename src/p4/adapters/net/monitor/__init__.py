"""Tells of changed addresses and default routes and of sleep; implements `p4.ports.monitor`.

Linux announces changes (rtnetlink, `p4.adapters.net.monitor.linux`); elsewhere, and where that is
forbidden, the addresses are listed once a second (`p4.adapters.net.monitor.polling`).
"""

from __future__ import annotations

from p4.adapters.net.monitor.linux import NetlinkSource
from p4.adapters.net.monitor.polling import PollingSource
from p4.adapters.net.monitor.system import SystemMonitor
from p4.ports.monitor import NetworkMonitor

__all__ = ["select_monitor"]


def select_monitor() -> NetworkMonitor:
    """The best monitor for this machine; where the system announces nothing, one that looks each second."""
    return SystemMonitor([NetlinkSource(), PollingSource()])
