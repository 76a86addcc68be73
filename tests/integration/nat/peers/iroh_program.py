"""`iroh` (QUIC with roaming) and nothing else, by direct addresses: no relay, no directory, no internet.

    ip netns exec NAMESPACE PYTHON_WITH_IROH -m tests.integration.nat.peers.iroh_program SETTINGS_FILE

Settings: ``calls`` (whether this one connects), ``listen`` and ``address`` (as ``host:port``): where it
listens, and where the other one's router lets that one be reached. Who calls opens one stream for both
directions, and another connection whenever the one before is closed.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import iroh  # type: ignore[import-not-found]
from tests.integration.nat.peers.talking import Talker, say, settings

_log = logging.getLogger(__name__)

_ALPN = b"p4-recovery-report/1"
_AGAIN_SECONDS = 0.05
_SIZE = 8


class Program:
    """One side."""

    def __init__(self, chosen: dict[str, Any]) -> None:
        self._chosen = chosen
        self._talker = Talker()
        self._endpoint: Any = None
        self._work: asyncio.Task[None] | None = None
        self._connection: Any = None

    async def main(self) -> None:
        iroh.iroh_ffi.uniffi_set_event_loop(asyncio.get_running_loop())
        self._endpoint = await iroh.Endpoint.bind(
            iroh.EndpointOptions(
                preset=iroh.preset_minimal(),
                bind_addr=self._chosen["listen"],
                relay_mode=iroh.RelayMode.disabled(),
                alpns=[_ALPN],
            )
        )
        say("started", invite=self._endpoint.id().to_bytes().hex())
        await self._talker.obey(self._add)
        if self._work is not None:
            self._work.cancel()
        await self._endpoint.close()

    def _add(self, invite: str, name: str) -> None:
        self._work = asyncio.create_task(self._call(invite) if self._chosen["calls"] else self._serve())

    async def _call(self, invite: str) -> None:
        endpoint_id = iroh.EndpointId.from_bytes(bytes.fromhex(invite))
        address = iroh.EndpointAddr(endpoint_id, None, [self._chosen["address"]])
        while True:
            try:
                connection = await self._endpoint.connect(address, _ALPN)
                await self._use(connection, await connection.open_bi())
            except iroh.IrohError as error:
                _log.info("%s", error)
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _serve(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            while (incoming := await self._endpoint.accept_next()) is not None:
                tasks.create_task(self._accept(incoming))

    async def _accept(self, incoming: Any) -> None:
        try:
            connection = await (await incoming.accept()).connect()
            await self._use(connection, await connection.accept_bi())
        except iroh.IrohError as error:
            _log.info("%s", error)

    async def _use(self, connection: Any, stream: Any) -> None:
        """Both directions of a connection until it is gone."""
        self._connection = connection
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._talker.up(queue.put_nowait)
        writing = asyncio.create_task(self._write(stream.send(), queue))
        try:
            receiving = stream.recv()
            while True:
                message = await receiving.read_exact(_SIZE)
                if message.strip():
                    self._talker.arrived(message)
        finally:
            writing.cancel()
            if self._connection is connection:
                self._talker.down()

    async def _write(self, sending: Any, queue: asyncio.Queue[bytes]) -> None:
        # A stream exists for the other side from its first byte on.
        await sending.write_all(b" " * _SIZE)
        while True:
            await sending.write_all((await queue.get()).rjust(_SIZE))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(Program(settings()).main())
