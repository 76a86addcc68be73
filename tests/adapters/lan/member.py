"""A device on a local network: `member.py NAME PORT [CONTACT …]`, in a network namespace.

Prints what it finds as lines of JSON, and obeys the lines that it reads: ``contacts NAME …``, ``changed``,
``close``. Ends when it was closed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import sys
import time
from pathlib import Path

from p4.adapters.clock import SystemClock, SystemEntropy
from p4.adapters.lan import MulticastDiscovery
from p4.core.address import RendezvousAddress
from p4.core.identity import Identity, PeerId
from p4.node.lan import LanContact, LanPresence

__all__ = ["identity", "main"]


def identity(name: str) -> Identity:
    """The identity of the device with this name."""
    return Identity(hashlib.sha256(name.encode()).digest())


def _contact(name: str) -> LanContact:
    return identity(name).peer_id, identity(name).public_key


def _say(**what: object) -> None:
    print(json.dumps({**what, "at": time.monotonic()}), flush=True)


async def main(name: str, port: int, names: list[str]) -> None:
    """Run until told to close."""
    contacts = [_contact(each) for each in names]

    def found(peer_id: PeerId, addresses: tuple[RendezvousAddress, ...]) -> None:
        _say(found=peer_id, addresses=[f"{each.host} {each.port}" for each in addresses])

    presence = LanPresence(
        MulticastDiscovery(),
        identity(name),
        SystemClock(),
        SystemEntropy(),
        contacts=lambda: contacts,
        found=found,
        gone=lambda peer_id: _say(gone=peer_id),
    )
    before = len(list(Path("/proc/self/fd").iterdir()))
    await presence.start(port)
    _say(started=name)
    while True:
        command, *arguments = (await asyncio.to_thread(sys.stdin.readline)).split() or ["close"]
        if command == "contacts":
            contacts[:] = [_contact(each) for each in arguments]
            presence.contacts_changed()
        elif command == "changed":
            presence.network_changed()
        else:
            break
    began = time.monotonic()
    await presence.close()
    took = time.monotonic() - began
    await asyncio.sleep(0.05)  # sockets that were closed leave the loop
    left = [str(task) for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    descriptors = len(list(Path("/proc/self/fd").iterdir())) - before
    _say(closed=took, tasks=left, descriptors=descriptors)


if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG)
    logging.getLogger("zeroconf").setLevel(logging.WARNING)
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
