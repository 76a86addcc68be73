"""As `node_program`, for a node that sends and receives bulk data.

    ip netns exec NAMESPACE python -m tests.integration.nat.lane_program SETTINGS_FILE

Further commands: ``{"stream": NAME, "seconds": 30}`` writes a stream for so long, as fast as it goes. What
arrives of streams is said once a second, with the number of open lanes of each kind:
``{"event": "bytes", "position": 123456, "lanes": {"peer": 3, "stream": 0}}``.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from tests.integration.nat.node_program import Program, Settings, say

import p4

SERVICE = "bulk"
BLOCK = bytes(range(251)) * 1031


class LaneProgram(Program):
    """Writes and reads streams, too."""

    writing: asyncio.Task[None] | None = None

    async def do(self, command: dict[str, Any]) -> None:
        await super().do(command)
        if "add" in command:
            await self.node.peer(command["name"]).grant(SERVICE)
        if "stream" in command:
            self.writing = asyncio.create_task(self.write(command["stream"], command["seconds"]))

    async def write(self, name: str, seconds: float) -> None:
        """Write a stream for a while."""
        stream = await self.node.peer(name).stream(SERVICE)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await stream.write(BLOCK)
        await stream.reset()

    async def read(self) -> None:
        """Read what the first stream brings and tell how much it is."""
        stream = await anext(aiter(self.node.streams(SERVICE)))
        (peer,) = self.node.peers()
        told = 0.0
        try:
            async for _ in stream:
                if time.monotonic() - told >= 1:
                    told = time.monotonic()
                    lanes = {kind.value: count for kind, count in peer.relation.lanes.items()}
                    say("bytes", position=stream.position, lanes=lanes)
        except p4.StreamError:
            say("over")


async def main(settings: Settings) -> None:
    """Run until stdin ends."""
    async with p4.Node(Path(settings.state), settings.options()) as node:
        program = LaneProgram(node)
        say("started", invite=node.invite().to_text(), peer_id=node.peer_id)
        working = [asyncio.create_task(work()) for work in (program.report, program.read)]
        await program.obey()
        for task in (*working, program.writing):
            if task is not None:
                task.cancel()


if __name__ == "__main__":
    asyncio.run(main(Settings(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
