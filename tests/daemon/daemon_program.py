"""A daemon as a process of its own, to be killed: ``python -m tests.daemon.daemon_program DIRECTORY``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.daemon.conftest import direct_options

import p4
from p4.daemon.server import Daemon


async def main() -> None:
    directory = Path(sys.argv[1])
    async with Daemon(p4.Node(directory, direct_options()), directory) as daemon:
        print(daemon.endpoint.port, flush=True)
        await daemon.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
