"""A process that watches its network and prints what it is told: one JSON object per line.

    python watching_child.py [poll]

The first line is the state at the start. ``at`` is the monotonic clock, which all processes share.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from p4.adapters.net.monitor import select_monitor
from p4.adapters.net.monitor.polling import PollingSource
from p4.adapters.net.monitor.system import SystemMonitor
from p4.ports.monitor import NetworkChange


def tell(change: NetworkChange) -> None:
    line = {"at": time.monotonic(), "addresses": sorted(change.addresses), "resumed": change.resumed}
    print(json.dumps(line), flush=True)


async def main() -> None:
    monitor = SystemMonitor([PollingSource()]) if "poll" in sys.argv else select_monitor()
    monitor.start(tell)
    tell(NetworkChange(monitor.addresses, resumed=False))
    # Ends with its standard input, so that no failed test leaves it behind.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    monitor.close()


if __name__ == "__main__":
    asyncio.run(main())
