"""A process that offers a link for each line of its input and prints the addresses that the library knows.

After a line ``changed`` the backend is told first that the network has changed; after ``kept`` it is not.
"""

from __future__ import annotations

import asyncio
import json
import sys

from p4.adapters.webrtc.sdp import addresses_of, candidates_of
from p4.adapters.webrtc.wrtc_backend import WrtcBackend
from p4.core.ice import IceSettings


async def main() -> None:
    backend = WrtcBackend()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        if line.strip() == "changed":
            backend.network_changed()
        link = backend.create(IceSettings(stun=()), lambda event: None)
        offer = await link.offer("chat")
        link.close()
        print(json.dumps(sorted(addresses_of(candidates_of(offer)))), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
