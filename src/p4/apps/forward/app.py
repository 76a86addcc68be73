"""The forwards and served ports of a node: begun, listed, ended, and taken up again after a restart."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from p4.apps.background import Background
from p4.apps.forward.carrying import Sockets
from p4.apps.forward.grants import give, may_use, take_back
from p4.apps.forward.names import Endpoint, require_name
from p4.apps.forward.records import TunnelRecords
from p4.apps.forward.running import Running, make
from p4.apps.forward.tcp_end import SystemSockets
from p4.apps.forward.tunnel import Figures, Kind, Protocol, Tunnel, TunnelState
from p4.apps.store import AppStore
from p4.core import limits
from p4.errors import InputError, LocalError, P4Error
from p4.node.calls import IncomingCall
from p4.node.node import BaseNode
from p4.node.peer import Peer

__all__ = ["ForwardApp", "TunnelEvent"]

_log = logging.getLogger(__name__)

_SWEEP_SECONDS = 10.0
_RETRY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class TunnelEvent:
    """Something happened to a tunnel: ``added``, ``changed`` (its figures), ``problem`` or ``removed``."""

    kind: str
    state: TunnelState


class ForwardApp:
    """See docs/tunnels.md.

    A tunnel that is kept is there again after a restart; any other one lives until `remove`, or the end of
    the app. Either way the rights that were given with it end when it is removed.

    Args:
        store: open when `start` is called.
        announce: told of every event.
        sockets: the system's TCP; a simulated one in tests.
    """

    def __init__(
        self,
        store: AppStore,
        announce: Callable[[TunnelEvent], None] = lambda _event: None,
        sockets: Sockets | None = None,
    ) -> None:
        self._records = TunnelRecords(store)
        self._announce = announce
        self._sockets = sockets or SystemSockets()
        self._boot = secrets.token_hex(4)
        self._node: BaseNode | None = None
        self._tunnels: dict[str, Running] = {}
        self._told: dict[str, Figures] = {}
        self._background = Background()
        self._changing = asyncio.Lock()

    # -- life --------------------------------------------------------------------------------------------

    async def start(self, node: BaseNode) -> None:
        """Reset connections that an earlier version left on disk, and begin the tunnels that were kept.

        Raises:
            StateError: the store cannot be used. LocalError: ``already-served``.
        """
        self._node = node
        for peer in node.peers():
            for stream in peer.unfinished(Protocol.TCP.value):
                await stream.reset("P4 was restarted on the other device, which ended the connection.")
        for protocol in Protocol:
            node.serve(protocol.value, self._say_whether_served)
        for tunnel in await self._records.open():
            if tunnel.kept:
                self._tunnels[tunnel.id] = running = self._make(tunnel)
                await running.open()
            else:
                await self._forget(tunnel)
        self._background.begin(self._sweep(), "looking after tunnels")
        self._background.begin(self._tell_figures(), "telling the figures of tunnels")

    async def close(self) -> None:
        """End all tunnels. Kept ones begin again with the next start, the others are over."""
        await self._background.close()
        if self._node is None:
            return
        for protocol in Protocol:
            self._node.stop_serving(protocol.value)
        await asyncio.gather(*(running.close() for running in self._tunnels.values()))
        for running in self._tunnels.values():
            if not running.tunnel.kept:
                with suppress(P4Error):  # else it is done with the next start
                    await self._forget(running.tunnel)
        self._tunnels.clear()

    # -- what there is -----------------------------------------------------------------------------------

    def list(self) -> list[TunnelState]:
        """All tunnels, in the order in which they were begun."""
        return [self._state(running) for running in self._tunnels.values()]

    def find(self, reference: str) -> TunnelState:
        """The tunnel with this id, served name, or port where it listens.

        Raises:
            InputError: ``unknown``, ``ambiguous``.
        """
        return self._state(self._find(reference))

    # -- what people do ----------------------------------------------------------------------------------

    async def forward(
        self, peer: Peer, name: str, listen: Endpoint, *, udp: bool = False, keep: bool = False
    ) -> TunnelState:
        """Listen here; what connects goes to the port that a contact serves under a name.

        Args:
            listen: port 0 lets the system choose one.
            keep: begin again after each restart.

        Raises:
            InputError: ``bad-name``, ``too-many``. LocalError: ``port-in-use``, ``bad-address``. StateError.
                Nothing was begun.
        """
        protocol = Protocol.UDP if udp else Protocol.TCP
        tunnel = self._new(Kind.FORWARD, protocol, name, listen, contact=peer.peer_id, kept=keep)
        to = (peer,) if udp else ()  # whoever is sent packets may answer them
        return await self._add(tunnel, to, must_open=True)

    async def serve(
        self,
        name: str,
        target: Endpoint,
        *,
        to: tuple[Peer, ...] = (),
        udp: bool = False,
        keep: bool = False,
    ) -> TunnelState:
        """Offer a port to contacts that have, or are now given, the right to use it.

        Args:
            target: what they reach, and nothing else.
            to: contacts that get the right; it ends with the tunnel.
            keep: begin again after each restart.

        Raises:
            InputError: ``bad-name``, ``too-many``, ``name-taken``. StateError. Nothing was begun.
        """
        protocol = Protocol.UDP if udp else Protocol.TCP
        tunnel = self._new(Kind.SERVE, protocol, name, target, contact="", kept=keep)
        return await self._add(tunnel, to, must_open=False)

    async def remove(self, reference: str) -> TunnelState:
        """End a tunnel with all its connections, and take back the rights that were given with it.

        Goes on if the caller gives up.

        Args:
            reference: as for `find`.

        Raises:
            InputError: ``unknown``, ``ambiguous``. StateError: it ended, and begins again at the next start.
        """
        removing = asyncio.create_task(self._remove(reference), name="a tunnel is removed")
        return await asyncio.shield(removing)

    async def _remove(self, reference: str) -> TunnelState:
        async with self._changing:
            running = self._find(reference)
            try:
                await running.close()
                state = self._state(running)
                await self._forget(running.tunnel)
            finally:
                del self._tunnels[running.tunnel.id]
                self._told.pop(running.tunnel.id, None)
        self._announce(TunnelEvent("removed", state))
        return state

    # -- inside ------------------------------------------------------------------------------------------

    @property
    def _running(self) -> BaseNode:
        if self._node is None:
            raise LocalError("The daemon has not started yet. Nothing was done.", code="not-running")
        return self._node

    def _new(
        self, kind: Kind, protocol: Protocol, name: str, endpoint: Endpoint, *, contact: str, kept: bool
    ) -> Tunnel:
        require_name(name)
        if len(self._tunnels) >= limits.TUNNELS:
            raise InputError(
                f"There are {limits.TUNNELS} forwards and served ports already. Remove one first: p4 forward "
                "lists them. Nothing was begun.",
                code="too-many",
            )
        return Tunnel(secrets.token_hex(4), kind, protocol, name, endpoint, contact, kept)

    async def _add(self, tunnel: Tunnel, to: tuple[Peer, ...], *, must_open: bool) -> TunnelState:
        async with self._changing:
            self._refuse_taken(tunnel)
            running = self._make(tunnel)
            await running.open()
            if must_open and running.trouble is not None:
                await running.close()
                raise running.trouble
            tunnel = replace(tunnel, granted=self._to_be_given(tunnel, to))
            running.tunnel = tunnel
            try:
                await self._records.add(tunnel)  # first: after a crash the record tells what to take back
                await give(to, tunnel.grant)
            except BaseException:
                await running.close()
                with suppress(P4Error):
                    await self._forget(tunnel)
                raise
            self._tunnels[tunnel.id] = running
        state = self._state(running)
        self._announce(TunnelEvent("added", state))
        return state

    def _refuse_taken(self, tunnel: Tunnel) -> None:
        for running in self._tunnels.values():
            other = running.tunnel
            if tunnel.kind is other.kind is Kind.SERVE and tunnel.service == other.service:
                raise InputError(
                    f"{other.endpoint} is served as {tunnel.name!r} already. Choose another --name, or "
                    f"remove that one first: p4 serve --remove {tunnel.name}. Nothing was begun.",
                    code="name-taken",
                )

    def _to_be_given(self, tunnel: Tunnel, to: tuple[Peer, ...]) -> tuple[str, ...]:
        """Ids of those whose right to use a tunnel ends with it; who has it for another reason keeps it."""
        with_others = {
            contact
            for running in self._tunnels.values()
            if running.tunnel.grant == tunnel.grant
            for contact in running.tunnel.granted
        }
        return tuple(
            str(peer.peer_id) for peer in to if peer.peer_id in with_others or not may_use(peer, tunnel.grant)
        )

    def _make(self, tunnel: Tunnel) -> Running:
        return make(self._running, tunnel, self._sockets, self._boot, self._problem)

    async def _forget(self, tunnel: Tunnel) -> None:
        """Take back what was given with a tunnel, and remove its record. Raises StateError."""
        needed = {
            (contact, running.tunnel.grant)
            for running in self._tunnels.values()
            if running.tunnel.id != tunnel.id
            for contact in running.tunnel.granted
        }
        # What another tunnel gave, too, is that one's to take back.
        going = tuple(contact for contact in tunnel.granted if (contact, tunnel.grant) not in needed)
        await take_back(self._running, going, tunnel.grant)
        await self._records.remove(tunnel)

    def _find(self, reference: str) -> Running:
        if reference in self._tunnels:
            return self._tunnels[reference]
        found = [running for running in self._tunnels.values() if running.goes_by(reference)]
        if len(found) == 1:
            return found[0]
        if found:
            raise InputError(
                f"{reference!r} means {len(found)} forwards or served ports: "
                f"{', '.join(running.tunnel.id for running in found)}. Name one by its id. Nothing was done.",
                code="ambiguous",
            )
        raise InputError(
            f"There is no forward and no served port {reference!r}. p4 forward lists them. Nothing was done.",
            code="unknown",
        )

    def _state(self, running: Running) -> TunnelState:
        tunnel = running.tunnel
        peers = self._running.peers()
        names = {str(peer.peer_id): peer.contact.label for peer in peers}
        allowed: tuple[str, ...] = ()
        if tunnel.kind is Kind.SERVE:
            allowed = tuple(peer.contact.label for peer in peers if may_use(peer, tunnel.service))
        return TunnelState(
            tunnel,
            replace(running.figures),
            running.listening,
            running.problem,
            names.get(tunnel.contact, ""),
            allowed,
        )

    def _problem(self, running: Running, text: str) -> None:
        _log.warning("%s %s: %s", running.tunnel.kind.value, running.tunnel.service, text)
        if self._tunnels.get(running.tunnel.id) is running:
            self._announce(TunnelEvent("problem", self._state(running)))

    async def _say_whether_served(self, call: IncomingCall) -> object:
        return {
            "served": any(
                running.tunnel.kind is Kind.SERVE and running.tunnel.service == call.service
                for running in self._tunnels.values()
            )
        }

    async def _tell_figures(self) -> None:
        while True:
            await asyncio.sleep(limits.TUNNEL_FIGURES_SECONDS)
            for tunnel_id, running in self._tunnels.items():
                if self._told.get(tunnel_id, Figures()) != running.figures:
                    self._told[tunnel_id] = replace(running.figures)
                    self._announce(TunnelEvent("changed", self._state(running)))

    async def _sweep(self) -> None:
        """Forget what was silent or away for too long; listen again where that was not possible before."""
        loop = asyncio.get_running_loop()
        away_since: dict[str, float] = {}
        retry_at = 0.0
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = loop.time()
            away = {peer.peer_id for peer in self._running.peers() if not peer.connected}
            away_since = {contact: away_since.get(contact, now) for contact in away}
            gone = {
                contact for contact, since in away_since.items() if now - since >= limits.TUNNEL_AWAY_SECONDS
            }
            for running in list(self._tunnels.values()):
                await running.sweep(gone)
                if running.trouble is not None and now >= retry_at:
                    async with self._changing:
                        # It may have been removed meanwhile: nobody would close it again.
                        if self._tunnels.get(running.tunnel.id) is running:
                            await running.open()
            if now >= retry_at:
                retry_at = now + _RETRY_SECONDS
