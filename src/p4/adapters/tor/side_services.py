"""Onion services that live for a while beside our own address, in the same Tor."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from p4.adapters.net.lines import StreamAcceptor
from p4.adapters.tor.control import ControlConnection
from p4.adapters.tor.control_wire import Reply, parse_arguments
from p4.adapters.tor.listening import listen
from p4.adapters.tor.onion_seed import onion_address, onion_key_blob
from p4.adapters.tor.uploads import Uploads
from p4.adapters.tor.workspace import Workspace
from p4.core import limits
from p4.errors import LocalError, TorError
from p4.ports import SignalStream

__all__ = ["SideService", "SideServices"]

_log = logging.getLogger(__name__)


class SideService:
    """One onion service whose key is a seed. Made by `SideServices.add`.

    Args:
        accept: see `p4.ports.pairing.MeetingPlaces.host`.
    """

    def __init__(self, seed: bytes, accept: Callable[[SignalStream], Awaitable[None]]) -> None:
        self.address = onion_address(seed)
        self.service_id = self.address.host.removesuffix(".onion")
        self.published = asyncio.Event()
        """Set while visitors can find it, as far as is known."""
        self._key = onion_key_blob(seed)
        self._uploads = Uploads(self.service_id)
        self._acceptor = StreamAcceptor(accept, "inbound, meeting", most=limits.MEETING_VISITORS)
        self._server: asyncio.Server | None = None
        self._path: Path | None = None
        self._target = ""

    async def publish(self, control: ControlConnection, workspace: Workspace) -> None:
        """Have a Tor that does not have it publish it. Raises TorError."""
        if self._server is None:
            self._path = workspace.side_target(self.service_id)
            self._server, self._target = await listen(self._path, self._acceptor.protocol)
            await self._server.start_serving()
        self.unpublished()
        port = f"Port={limits.ONION_PORT},{self._target}"
        reply = await control.command("ADD_ONION", f"ED25519-V3:{self._key}", port)
        if reply.value("ServiceID") != self.service_id:
            raise TorError(
                "Tor computes another onion address from a key than P4 does.", code="bad-control-reply"
            )

    async def withdraw(self, control: ControlConnection) -> None:
        """Have Tor forget it; streams go on. Raises TorError."""
        self.unpublished()
        try:
            await control.command("DEL_ONION", self.service_id)
        except TorError as error:
            if error.code != "command-failed":  # this Tor has it no more: so much the better
                raise

    @property
    def busy(self) -> bool:
        """Whether somebody who was accepted is still here."""
        return self._acceptor.busy

    def unpublished(self) -> None:
        """Nobody finds it now."""
        self._uploads.begin()
        self.published.clear()

    def handle(self, event: Reply) -> None:
        """Take one HS_DESC event of Tor."""
        _, _, rest = event.lines[0].text.partition(" ")
        self._uploads.handle(parse_arguments(rest))
        if self._uploads.published:
            self.published.set()

    def stop(self) -> None:
        """Accept nobody any more; who was accepted stays."""
        self._acceptor.stop()
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    async def close(self) -> None:
        """`stop`, and end the streams of who was accepted. Takes at most 1 s."""
        self.stop()
        await self._acceptor.close()


class SideServices:
    """All of them: each run of Tor is given those that there are."""

    def __init__(self) -> None:
        self._services: dict[str, SideService] = {}
        self._stopped: list[SideService] = []
        self._control: ControlConnection | None = None
        self._workspace: Workspace | None = None
        self._one_at_a_time = asyncio.Lock()

    async def add(self, seed: bytes, accept: Callable[[SignalStream], Awaitable[None]]) -> SideService:
        """Publish one more, now or as soon as there is a Tor, until it is removed.

        Raises:
            LocalError: ``already-hosted``: there is one of this seed.
        """
        service = SideService(seed, accept)
        if service.service_id in self._services:
            raise LocalError("This meeting place is open here already.", code="already-hosted")
        self._services[service.service_id] = service
        self._stopped = [each for each in self._stopped if each.busy]
        async with self._one_at_a_time:
            if self._control is not None and self._workspace is not None:
                await self._publish(service, self._control, self._workspace)
        return service

    async def remove(self, service: SideService) -> None:
        """Take one away; who was accepted stays."""
        service.stop()
        if self._services.pop(service.service_id, None) is None:
            return
        self._stopped.append(service)
        async with self._one_at_a_time:
            if self._control is not None:
                with contextlib.suppress(TorError):  # with its end, Tor forgets all of them
                    await service.withdraw(self._control)

    async def up(self, control: ControlConnection, workspace: Workspace) -> None:
        """A new Tor runs: it gets all of them."""
        async with self._one_at_a_time:
            self._control, self._workspace = control, workspace
            for service in list(self._services.values()):
                await self._publish(service, control, workspace)

    async def again(self) -> None:
        """Publish all of them anew, with new introduction points."""
        async with self._one_at_a_time:
            for service in list(self._services.values()):
                if self._control is None or self._workspace is None:
                    return
                with contextlib.suppress(TorError):  # the supervisor sees to a Tor that does not answer
                    await service.withdraw(self._control)
                await self._publish(service, self._control, self._workspace)

    def down(self) -> None:
        """Tor has ended."""
        self._control = None
        for service in self._services.values():
            service.unpublished()

    def handle(self, event: Reply) -> None:
        """Take one asynchronous reply of the control port; others than HS_DESC are ignored."""
        if self._services and event.lines[0].text.startswith("HS_DESC "):
            for service in list(self._services.values()):
                service.handle(event)

    async def close(self) -> None:
        """End everything, streams included. Takes at most 1 s."""
        services = [*self._services.values(), *self._stopped]
        await asyncio.gather(*(self.remove(service) for service in list(self._services.values())))
        await asyncio.gather(*(service.close() for service in services))

    async def _publish(self, service: SideService, control: ControlConnection, workspace: Workspace) -> None:
        if service.service_id not in self._services:
            return  # removed meanwhile
        try:
            await service.publish(control, workspace)
        except (TorError, OSError) as error:  # the next Tor gets it again
            _log.warning("a meeting place could not be published: %s", error)
