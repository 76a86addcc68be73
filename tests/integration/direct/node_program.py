"""A real node as a process of its own, for tests that kill it, stop it or weigh it.

    python -m tests.integration.direct.node_program STATE_DIRECTORY

Commands come as JSON lines on stdin (``{"add": INVITE}``, ``{"send": [ID, TEXT]}``); events, and messages for
``chat``, go as JSON lines to stdout. The end of stdin ends it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import signal
import sys
from pathlib import Path
from typing import Any

import p4

ROOT = Path(__file__).parents[3]
SECONDS = 90.0

__all__ = ["NodeProcess", "direct"]


def direct(link_backend: str = "wrtc", port: int = 0) -> p4.NodeOptions:
    """Options of direct mode on this machine; port 0 chooses a free one."""
    return p4.NodeOptions(
        transport=p4.Transport.DIRECT,
        signal_port=port,
        ice=p4.IceSettings(stun=()),
        link_backend=link_backend,
        retry_seconds=2.0,
    )


class NodeProcess:
    """The program, and what it has said."""

    def __init__(self, state: Path, port: int = 0) -> None:
        self.state = state
        self.port = port
        self.said: list[dict[str, Any]] = []
        self._process: asyncio.subprocess.Process | None = None
        self._changed = asyncio.Condition()
        self._reader: asyncio.Task[None] | None = None

    async def start(self) -> p4.Invite:
        """Start it; gives its invite."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.integration.direct.node_program",
            str(self.state),
            str(self.port),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
        )
        self._reader = asyncio.create_task(self._read())
        started = await self.says("started")
        invite = p4.Invite.parse(started["invite"])
        self.port = invite.rendezvous.port
        return invite

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            async with self._changed:
                self.said.append(json.loads(line))
                self._changed.notify_all()

    async def says(self, kind: str, *, after: int = 0, seconds: float = SECONDS) -> dict[str, Any]:
        """Wait for something that it says."""

        def found() -> dict[str, Any] | None:
            return next((one for one in self.said[after:] if one["event"] == kind), None)

        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: found() is not None)
        one = found()
        assert one is not None
        return one

    def tell(self, **command: object) -> None:
        """Give it a command."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")

    def texts(self) -> list[str]:
        """The texts it received, in order; one that was not done when it was killed comes again."""
        return [one["value"] for one in self.messages()]

    def messages(self) -> list[dict[str, Any]]:
        """The messages it received, in order."""
        return [one for one in self.said if one["event"] == "message"]

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def kill(self) -> None:
        """End it as a crash would; also at the end of a test."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if self._reader is not None:
            await self._reader
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()


def say(event: str, **fields: object) -> None:
    print(json.dumps({"event": event, **fields}, default=str), flush=True)


async def report(node: p4.Node) -> None:
    async for event in node.events():
        say(type(event).__name__, **{f.name: getattr(event, f.name) for f in dataclasses.fields(event)})


async def chat(node: p4.Node) -> None:
    async for message in node.messages("chat"):
        say("message", id=message.id, value=message.value)
        message.done()


async def obey(node: p4.Node) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        command = json.loads(line)
        if "add" in command:
            node.add_contact(p4.Invite.parse(command["add"]))
            say("added")
        if "send" in command:
            peer, text = command["send"]
            say("accepted", number=(await node.peer(peer).send(text)).number)


async def main() -> None:
    node = p4.Node(Path(sys.argv[1]), direct(port=int(sys.argv[2])))
    async with node:
        say("started", invite=node.invite().to_text())
        working = [asyncio.create_task(work) for work in (report(node), chat(node))]
        await obey(node)
    await asyncio.gather(*working)


if __name__ == "__main__":
    asyncio.run(main())
