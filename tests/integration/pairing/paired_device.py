"""A node in a network namespace that pairs: `paired_device.py STATE invite KIND` or `... STATE add TEXT`.

There is no Tor: the node is in direct mode on its own loopback, so all it can pair over is the local network.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import p4
from p4.core.address import Transport
from p4.core.ice import IceSettings
from p4.node.options import NodeOptions

__all__ = ["main"]


def _say(**what: object) -> None:
    print(json.dumps(what), flush=True)


async def _paired(node: p4.Node, role: str, what: str) -> p4.Peer:
    if role == "add":
        return await node.pair(what, patience=8)
    invite = await node.invites.create(kind=what)
    _say(text=invite.text)
    return await invite.wait()


async def main(state: str, role: str, what: str) -> None:
    """Invite or be invited, tell who it is, and end with the input."""
    options = NodeOptions(transport=Transport.DIRECT, ice=IceSettings(stun=()))
    async with p4.Node(state, options) as node:
        began = time.monotonic()
        try:
            peer = await _paired(node, role, what)
        except p4.P4Error as error:
            _say(refused=error.code)
            await asyncio.to_thread(sys.stdin.read)
            return
        _say(peer=peer.peer_id, me=node.peer_id, took=time.monotonic() - began)
        async with asyncio.timeout(60):
            await peer.wait_connected()
        _say(linked=time.monotonic() - began)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
