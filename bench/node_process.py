"""A node in a process of its own, driven by JSON lines: ``python -m bench.node_process DIR TORRC_LINES``.

Reads ``{"do": "add", "invite": …}``, ``{"do": "drop"}`` and ``{"do": "close"}``; writes one line per event,
with its moment on the clock that all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import p4
from p4.core.ice import IceSettings
from p4.core.invite import Invite
from p4.node.events import LinkDown, LinkUp, NodeEvent
from p4.node.options import NodeOptions


def tell(event: str, **details: Any) -> None:
    """Write an event."""
    print(json.dumps({"event": event, "at": time.monotonic(), **details}), flush=True)


def _report(event: NodeEvent) -> None:
    match event:
        case LinkUp():
            tell("up")
        case LinkDown(reason=reason):
            tell("down", reason=reason)
        case _:
            pass


async def _run(directory: Path, torrc_lines: tuple[str, ...]) -> None:
    loop = asyncio.get_running_loop()
    commands: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(commands.put_nowait, json.loads(line))

    threading.Thread(target=read, daemon=True).start()
    node = p4.Node(directory, NodeOptions(ice=IceSettings(stun=()), torrc_lines=torrc_lines))
    events = node.events()

    async def listen() -> None:
        async for event in events:
            _report(event)

    listening = asyncio.create_task(listen())
    await asyncio.sleep(0)  # so that not even the first event is missed
    await node.start()
    tell("started", invite=node.invite().to_text(), peer_id=node.peer_id)
    while (command := await commands.get())["do"] != "close":
        if command["do"] == "add":
            node.add_contact(Invite.parse(command["invite"]))
        elif command["do"] == "drop":
            node.peers()[0].drop()
    await node.close()
    await listening
    tell("closed")


if __name__ == "__main__":
    asyncio.run(_run(Path(sys.argv[1]), tuple(json.loads(sys.argv[2]))))
