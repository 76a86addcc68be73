"""Two browsers' worth of WebRTC and nothing else: `aiortc` with ideal signaling, started anew when it failed.

    ip netns exec NAMESPACE python -m tests.integration.nat.peers.aiortc_program SETTINGS_FILE

Settings: ``signaling`` (path of a unix socket), ``calls`` (whether this one makes offers), ``stun``.
Signaling is better than any that exists: a unix socket, which no event in the network touches and which takes
no time. When the connection's state is ``failed``, the library's own verdict, whoever sees it asks for a new
connection at once.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiortc import RTCConfiguration, RTCDataChannel, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from tests.integration.nat.peers.talking import Talker, say, settings

_AGAIN_SECONDS = 0.05


class Signaling:
    """Lines of JSON over a unix socket that is there for ever."""

    def __init__(self, path: str, *, calls: bool) -> None:
        self._path = path
        self._calls = calls
        self._writer: asyncio.StreamWriter | None = None

    async def run(self, take: Callable[[dict[str, str]], Awaitable[None]]) -> None:
        """Give what arrives to ``take``, in order, until cancelled."""
        reader, self._writer = await (self._connect() if self._calls else self._accept())
        await take({"type": "joined"})
        while line := await reader.readline():
            await take(json.loads(line))

    def send(self, message: dict[str, str]) -> None:
        """To the other one."""
        assert self._writer is not None
        self._writer.write(json.dumps(message).encode() + b"\n")

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while True:
            try:
                return await asyncio.open_unix_connection(self._path, limit=2**20)
            except OSError:
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _accept(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        came: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        await asyncio.start_unix_server(
            lambda reader, writer: came.set_result((reader, writer)), self._path, limit=2**20
        )
        reader, writer = await came
        return reader, writer


class Program:
    """One side."""

    def __init__(self, chosen: dict[str, Any]) -> None:
        self._calls = bool(chosen["calls"])
        self._configuration = RTCConfiguration([RTCIceServer(url) for url in chosen["stun"]])
        self._signaling = Signaling(chosen["signaling"], calls=self._calls)
        self._talker = Talker()
        self._connection: RTCPeerConnection | None = None
        self._tasks: list[asyncio.Task[Any]] = []

    async def main(self) -> None:
        say("started", invite="the other one")
        await self._talker.obey(self._add)
        for task in self._tasks:
            task.cancel()
        if self._connection is not None:
            await self._connection.close()

    def _add(self, invite: str, name: str) -> None:
        self._background(self._signaling.run(self._take))

    async def _take(self, message: dict[str, str]) -> None:
        kind = message["type"]
        if self._calls and kind in {"joined", "again"}:
            connection = self._new()
            self._watch(connection, connection.createDataChannel("chat"))
            await connection.setLocalDescription(await connection.createOffer())
            self._describe(connection)
        elif kind == "offer":
            connection = self._new()
            connection.on("datachannel", lambda channel: self._watch(connection, channel))
            await connection.setRemoteDescription(RTCSessionDescription(message["sdp"], "offer"))
            await connection.setLocalDescription(await connection.createAnswer())
            self._describe(connection)
        elif kind == "answer" and self._connection is not None:
            await self._connection.setRemoteDescription(RTCSessionDescription(message["sdp"], "answer"))

    def _describe(self, connection: RTCPeerConnection) -> None:
        description = connection.localDescription
        self._signaling.send({"type": description.type, "sdp": description.sdp})

    def _new(self) -> RTCPeerConnection:
        """In place of the one before."""
        old, made = self._connection, RTCPeerConnection(self._configuration)
        self._connection = made
        self._talker.down()
        if old is not None:
            self._background(old.close())
        made.on("connectionstatechange", lambda: self._changed(made))
        return made

    def _changed(self, connection: RTCPeerConnection) -> None:
        if connection is not self._connection or connection.connectionState not in {"failed", "closed"}:
            return
        self._talker.down()
        if self._calls:
            self._background(self._take({"type": "again"}))
        else:
            self._signaling.send({"type": "again"})

    def _watch(self, connection: RTCPeerConnection, channel: RTCDataChannel) -> None:
        def up() -> None:
            if connection is self._connection:
                self._talker.up(channel.send)

        channel.on("message", self._talker.arrived)
        channel.on("open", up)
        if channel.readyState == "open":
            up()

    def _background(self, work: Any) -> None:
        self._tasks = [task for task in self._tasks if not task.done()]
        self._tasks.append(asyncio.ensure_future(work))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(Program(settings()).main())
