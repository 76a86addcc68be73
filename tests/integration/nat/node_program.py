"""A node as a process of its own on a computer of the laboratory.

    ip netns exec NAMESPACE python -m tests.integration.nat.node_program SETTINGS_FILE

Commands come as JSON lines on stdin: ``{"add": INVITE, "name": NAME}``, ``{"hush": true}``,
``{"talk": NAME, "rate": 4, "first": 1}``, ``{"status": NAME}``, ``{"grant": NAME, "service": SERVICE}``,
``{"usage": true}``. Everything that happens goes as JSON lines to
stdout, each with the time of `time.monotonic` in ``at``. The end of stdin ends it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

import psutil

import p4

__all__ = ["Settings"]


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a node of the laboratory is set up; travels as JSON."""

    state: str
    """The state directory."""
    transport: str = "onion"
    """``onion``, or ``direct`` for TCP to `advertise`."""
    signal_port: int = 0
    advertise: tuple[str, int] | None = None
    """Direct mode: what others dial, for example a forwarded port of the router."""
    stun: tuple[str, ...] = ()
    turn: tuple[dict[str, Any], ...] = ()
    """The fields of each `p4.TurnServer`."""
    relay_only: bool = False
    torrc_lines: tuple[str, ...] = ()
    link_backend: str = "wrtc"
    retry_seconds: float | None = None
    extra: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Further fields of `p4.NodeOptions` that JSON can say."""

    def options(self) -> p4.NodeOptions:
        """The node's options."""
        return p4.NodeOptions(
            transport=p4.Transport(self.transport),
            signal_host="0.0.0.0" if self.transport == "direct" else "127.0.0.1",  # noqa: S104 - it roams
            signal_port=self.signal_port,
            advertise=(self.advertise[0], self.advertise[1]) if self.advertise else None,
            ice=p4.IceSettings(
                stun=tuple(self.stun),
                turn=tuple(p4.TurnServer(**one) for one in self.turn),
                relay_only=self.relay_only,
            ),
            torrc_lines=tuple(self.torrc_lines),
            link_backend=self.link_backend,
            retry_seconds=self.retry_seconds,
            **self.extra,
        )


class Program:
    """The application: it talks, listens and reports."""

    def __init__(self, node: p4.Node) -> None:
        self.node = node
        self.talking: asyncio.Task[None] | None = None

    async def report(self) -> None:
        async for event in self.node.events():
            say(
                type(event).__name__,
                **{field.name: str(getattr(event, field.name)) for field in dataclasses.fields(event)},
            )

    async def listen(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            async for message in self.node.messages("chat"):
                number = message.value["number"]
                say("arrived", number=number)
                tasks.create_task(self.finish(message, number))

    async def finish(self, message: p4.Message, number: int) -> None:
        await message.done()
        say("done", number=number)

    async def talk(self, name: str, rate: float, number: int) -> None:
        """Numbered messages at an even pace, from now on."""
        next_at = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            while True:
                tasks.create_task(self.send(name, number))
                number += 1
                # After a stop it goes on from now and does not make up for what it missed.
                next_at = max(next_at + 1 / rate, time.monotonic())
                await asyncio.sleep(next_at - time.monotonic())

    async def send(self, name: str, number: int) -> None:
        say("trying", number=number)
        await self.node.peer(name).send({"number": number})
        say("accepted", number=number)

    async def obey(self) -> None:
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while line := await reader.readline():
            await self.do(json.loads(line))

    async def do(self, command: dict[str, Any]) -> None:
        if "add" in command:
            self.node.add_contact(p4.Invite.parse(command["add"]), command["name"])
            say("added", name=command["name"])
        if "talk" in command:
            self.talking = asyncio.create_task(
                self.talk(command["talk"], command["rate"], command["first"]), name="talking"
            )
        if "hush" in command:
            if self.talking is not None:
                self.talking.cancel()
                await asyncio.wait([self.talking])
            say("hushed")
        if "grant" in command:
            await self.node.peer(command["grant"]).grant(command["service"])
            say("granted", name=command["grant"])
        if "usage" in command:
            self.say_usage()
        if "status" in command:
            peer = self.node.peer(command["status"])
            path = (await peer.status()).path
            say(
                "status",
                connected=peer.connected,
                state=peer.state,
                last_failure=peer.last_failure,
                queued=peer.queued,
                round_trip=peer.round_trip,
                path=path.kind if path else "",
            )

    def say_usage(self) -> None:
        """What the process holds: bytes of memory, and counts."""
        gc.collect()
        process = psutil.Process()
        say(
            "usage",
            memory=process.memory_info().rss,
            descriptors=process.num_fds(),
            threads=process.num_threads(),
            tasks=len(asyncio.all_tasks()),
        )


def say(event: str, **fields: object) -> None:
    print(json.dumps({"event": event, "at": time.monotonic(), **fields}, default=str), flush=True)


async def main(settings: Settings) -> None:
    """Run until stdin ends."""
    node = p4.Node(Path(settings.state), settings.options())
    async with node:
        program = Program(node)
        say("started", invite=node.invite().to_text(), peer_id=node.peer_id)
        working = [asyncio.create_task(program.report()), asyncio.create_task(program.listen())]
        await program.obey()
        if program.talking is not None:
            program.talking.cancel()
    await asyncio.gather(*working)


if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("asyncio").setLevel(logging.INFO)
    asyncio.run(main(Settings(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
