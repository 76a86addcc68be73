"""Onion rendezvous: our own Tor, our onion service, and dialling the onion addresses of others."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from p4.adapters.net.lines import StreamAcceptor
from p4.adapters.tor.binary import find_tor
from p4.adapters.tor.bursts import Burst
from p4.adapters.tor.control_wire import Reply
from p4.adapters.tor.dialler import OnionDialler, is_broken, tor_down
from p4.adapters.tor.gate import GatedService
from p4.adapters.tor.listening import listen
from p4.adapters.tor.onion import OnionService
from p4.adapters.tor.orphans import end_orphans
from p4.adapters.tor.process import TorProcess, until_ended
from p4.adapters.tor.progress import Progress
from p4.adapters.tor.self_check import SelfCheck
from p4.adapters.tor.side_services import SideServices
from p4.adapters.tor.standing import StandingServices
from p4.adapters.tor.watchdog import Remedies, TorState, Watchdog
from p4.adapters.tor.workspace import Workspace, prepare_workspace, unix_sockets_work
from p4.core.address import RendezvousAddress, Transport
from p4.errors import P4Error
from p4.ports import RendezvousPhase, RendezvousStatus, SignalStream

__all__ = ["TorRendezvous"]

_RESTART_FIRST_SECONDS, _RESTART_MAX_SECONDS = 0.2, 30.0
"""Delay before Tor is started again; doubles with each failure in a row."""

_STEADY_SECONDS = 60.0
"""A Tor that ran this long was well: its end is a new failure, not one more in a row."""

_SELF_DIAL_SECONDS = 60.0
"""The watchdog gives up sooner."""

_STOPPED = RendezvousStatus(RendezvousPhase.STOPPED, 0, "Tor is not running.")


class TorRendezvous:
    """Runs Tor as a child and implements `p4.ports.Rendezvous` over onion services.

    The caller holds the state directory's lock: whatever Tor still runs in ``tor_directory`` is ended.

    Local access: with Unix sockets everything lies in a 0700 directory. Without them (Windows), or with
    ports asked for, Tor's control port admits only who can read its cookie, and the onion's target is a
    TCP port on 127.0.0.1 that every local user can reach without passing through Tor; there the
    envelope's signature is the gate, as it is for strangers from the network.

    Args:
        tor_directory: ``onionrelay/`` in the state directory; created if absent.
        binary: the Tor program (``--onionrelay-bin``); None looks for one (`find_tor`).
        torrc_lines: the user's additions, such as bridges.
        socks_port: TCP port on 127.0.0.1 for Tor's SOCKS, instead of a Unix socket.
        control_port: the same for Tor's control port.
        load_key: gives the onion service's key as (base64 blob, service id or empty), or None.
        save_key: keeps a new key; returns when it is on disk.
        gate_seed: gives the seed of the gated service, and makes this a `p4.ports.gate.GatedRendezvous`;
            None for a rendezvous with an open address only.
        onion_port: virtual port of our onion service.
        unix_sockets: False forces TCP; None uses Unix sockets where there are any.
    """

    def __init__(
        self,
        tor_directory: Path,
        *,
        load_key: Callable[[], tuple[str, str] | None],
        save_key: Callable[[str, str], None],
        gate_seed: Callable[[], bytes] | None = None,
        binary: Path | None = None,
        torrc_lines: Sequence[str] = (),
        socks_port: int | None = None,
        control_port: int | None = None,
        unix_sockets: bool | None = None,
    ) -> None:
        self._directory = tor_directory
        self._binary = binary
        self._torrc_lines = tuple(torrc_lines)
        self._socks_port = socks_port
        self._control_port = control_port
        self._unix_sockets = unix_sockets_work() if unix_sockets is None else unix_sockets
        self._gate_seed = gate_seed
        onion = OnionService(load_key, save_key, tor_directory)
        self.standing = StandingServices(onion, gated=gate_seed is not None)
        self.side_services = SideServices()
        self._workspace: Workspace | None = None
        self._program: Path | None = None
        self._server: asyncio.Server | None = None
        self._acceptor: StreamAcceptor | None = None
        self._tor: TorProcess | None = None
        self._dialler: OnionDialler | None = None
        self._progress: Progress | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._watchdog = Watchdog(
            Remedies(
                self._call_ourselves, self._republish, self._forget_circuits, self._reconnect, self._restart
            ),
            secrets.SystemRandom().uniform,
            self._set_checked,
        )
        self._self_check = SelfCheck(self._watchdog.heard)
        self._reconnecting = Burst(self._follow_network)
        self._connected = True
        self._checked_at: float | None = None
        self._restart_reason = ""
        self._republishing: asyncio.Task[None] | None = None
        self._launched_at = 0.0
        self._status = _STOPPED
        self._observe: Callable[[RendezvousStatus], None] = lambda status: None

    @property
    def transport(self) -> Transport:
        """Always `Transport.ONION`."""
        return Transport.ONION

    @property
    def status(self) -> RendezvousStatus:
        """See `p4.ports.Rendezvous`."""
        return self._status

    @property
    def tor_pid(self) -> int | None:
        """Process id of the running Tor, for diagnosis; None while there is none."""
        return self._tor.pid if self._tor is not None else None

    async def start(
        self,
        accept: Callable[[SignalStream], Awaitable[None]],
        observe: Callable[[RendezvousStatus], None],
    ) -> RendezvousAddress:
        """Start Tor and return as soon as our address is known and dialling can begin.

        Bootstrap and publishing go on in the background and are told to ``observe``. After an error
        nothing is left running.

        Raises:
            TorError: Tor is missing or does not start; Tor's own reason is in the message.
            StateError: the directory, or a key that does not belong to its address.
            InputError: a torrc line or port that cannot be.
        """
        self._observe = observe
        self._program = find_tor(self._binary)
        self._workspace = prepare_workspace(
            self._directory,
            unix_sockets=self._unix_sockets,
            socks_port=self._socks_port,
            control_port=self._control_port,
            extra_lines=self._torrc_lines,
        )
        self._set_status(RendezvousStatus(RendezvousPhase.STARTING, 0, "Starting Tor."))
        try:
            seed = self._gate_seed() if self._gate_seed is not None else b""
            self.standing.prepare(GatedService(seed, self._workspace.gate_directory) if seed else None)
            await self._listen(self._workspace, accept)
            await self._bring_up()
        except BaseException:
            await self.close()
            raise
        self._supervisor = asyncio.get_running_loop().create_task(self._supervise())
        self._watching = asyncio.get_running_loop().create_task(self._watchdog.run())
        return self.standing.onion.address

    async def dial(self, address: RendezvousAddress, *, timeout: float, fresh: bool = False) -> SignalStream:
        """Open a stream to an onion address. May be called as soon as `start` has returned.

        ``fresh`` fetches the address' descriptor anew and uses new circuits; set it after a failure.

        While Tor is being told of a change of network, which breaks all its connections, it waits for that.

        Raises:
            RendezvousError: a code of `socks.SOCKS_ERRORS`, ``timeout``, ``tor-down`` or ``socks-broken``.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        return await self._reconnecting.through(
            lambda: self._dial(address, deadline - loop.time(), fresh=fresh), is_broken
        )

    async def _dial(self, address: RendezvousAddress, timeout: float, *, fresh: bool) -> SignalStream:
        dialler = self._dialler
        if self._tor is None or dialler is None:
            raise tor_down()
        return await dialler.dial(address, timeout=timeout, fresh=fresh)

    async def network_changed(self, *, connected: bool = True) -> None:
        """Tell Tor that this machine's address or route changed, or that it slept.

        Tor does not notice for minutes that its connections are dead. Switching its network off and on
        closes them all, streams included, and it connects anew at once. Our address stays the same, and so
        do our introduction points: Tor builds new circuits to them, which is about a second quicker than to
        publish anew. That is done if our own call, made at once, does not arrive soon.

        Without an address its network stays off: Tor would try its guards in vain, and give them up.
        """
        self._connected = connected
        self._reconnecting.request()

    async def close(self) -> None:
        """End Tor, stop listening and end every inbound stream. Takes at most 1.5 s."""
        self._reconnecting.close()
        tasks = [task for task in (self._supervisor, self._watching) if task is not None]
        self._supervisor = self._watching = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._acceptor is not None:
            await self._acceptor.close()
        await self.side_services.close()
        await self._halt()
        if self._workspace is not None:
            with contextlib.suppress(OSError):
                self._workspace.torrc.unlink(missing_ok=True)  # its absence means: ended cleanly
        self._set_status(_STOPPED)

    # --- inside -----------------------------------------------------------------------------------------

    async def _listen(self, workspace: Workspace, accept: Callable[[SignalStream], Awaitable[None]]) -> None:
        """Open the socket that the onion service connects to. It outlives restarts of Tor."""

        async def admit(stream: SignalStream) -> None:
            await self._self_check.admit(stream, accept)

        self._acceptor = StreamAcceptor(admit, "inbound, onion")
        self._server, target = await listen(workspace.onion_target, self._acceptor.protocol)
        self.standing.set_target(target)
        # A step of its own: cancelled inside create_server, asyncio would lose the listening socket.
        await self._server.start_serving()

    async def _bring_up(self) -> None:
        """One start of Tor, up to the answer to ADD_ONION."""
        assert self._program and self._workspace  # noqa: S101, PT018 - set by start()
        await end_orphans(self._workspace)
        self._launched_at = asyncio.get_running_loop().time()
        early: list[Reply] = []
        self._progress, self._dialler = None, None
        tor = await TorProcess.launch(
            self._program, self._workspace, lambda event: self._handle_event(event, early)
        )
        try:
            await self.standing.up(tor.control)
            await self.side_services.up(tor.control, self._workspace)
            phase = await tor.control.command("GETINFO", "status/bootstrap-phase")
        except BaseException:
            await tor.halt()
            raise
        progress = Progress(self.standing.addresses)
        progress.handle_bootstrap(phase.value("status/bootstrap-phase") or "")
        for event in early:
            progress.handle(event)
        self._dialler = OnionDialler(
            tor.control,
            tor.socks,
            lambda: progress.bootstrapped,
            unlock=self.standing.unlock,
            alive=lambda: tor.alive,
            progress=lambda: self._status.text,
        )
        if progress.bootstrapped:
            self._bootstrapped(tor, self._dialler)
        self._tor, self._progress = tor, progress
        self._show(progress)

    def _handle_event(self, event: Reply, early: list[Reply]) -> None:
        self.side_services.handle(event)
        if self._progress is None or self._dialler is None:
            early.append(event)
            return
        self._dialler.handle(event)
        bootstrapped = self._progress.bootstrapped
        self._progress.handle(event)
        if self._progress.bootstrapped and not bootstrapped and self._tor is not None:
            self._bootstrapped(self._tor, self._dialler)
        self._show(self._progress)

    def _bootstrapped(self, tor: TorProcess, dialler: OnionDialler) -> None:
        """Circuits can be built: have Tor build those of our service now.

        It looks after its services once a second, counted from the moment the first one was added; added
        anew when circuits can be built, ours is published about a second sooner.
        """
        dialler.pace = self._watchdog.pace = asyncio.get_running_loop().time() - self._launched_at
        self._republishing = asyncio.create_task(self._publish_early(tor))

    async def _publish_early(self, tor: TorProcess) -> None:
        with contextlib.suppress(P4Error):  # the supervisor sees to a Tor that does not answer
            await self.standing.again(tor.control)
        await self.side_services.again()

    # --- what the watchdog can do -------------------------------------------------------------------------

    async def _call_ourselves(self) -> None:
        addresses = self.standing.addresses
        calls = [partial(self.dial, each, timeout=_SELF_DIAL_SECONDS, fresh=True) for each in addresses]
        await self._self_check.run(*calls)

    async def _republish(self) -> None:
        tor = self._running()
        self.standing_changed(None)
        await self.standing.again(tor.control)
        await self.side_services.again()

    async def _forget_circuits(self) -> None:
        tor = self._running()
        await tor.control.command("SIGNAL", "NEWNYM")

    async def _reconnect(self) -> None:
        tor = self._running()
        await tor.control.command("SETCONF", "DisableNetwork=1")
        if self._connected:
            await tor.control.command("SETCONF", "DisableNetwork=0")

    async def _restart(self, reason: str) -> None:
        tor = self._running()
        self._restart_reason = reason
        await tor.halt()

    async def _follow_network(self) -> None:
        with contextlib.suppress(P4Error):  # the supervisor sees to a Tor that does not answer
            await self._reconnect()
        if self._connected:
            self._watchdog.poke()

    def _running(self) -> TorProcess:
        if self._tor is None or not self._tor.alive:
            raise tor_down()
        return self._tor

    def standing_changed(self, renewed: Iterable[str] | None) -> None:
        """Other addresses are published now; these hosts with new entrances, None: all of them."""
        if self._progress is not None:
            self._progress.follow(self.standing.addresses)
            self._progress.begin_publishing(renewed)
            self._show(self._progress)

    def _set_checked(self, moment: float | None) -> None:
        self._checked_at = moment or self._checked_at
        if self._progress is not None:
            self._progress.doubtful = moment is None
            self._show(self._progress)

    # --- one run of Tor after the other -------------------------------------------------------------------

    async def _supervise(self) -> None:
        """Start Tor again whenever it ends, for as long as we are not closed."""
        loop = asyncio.get_running_loop()
        delay, since, reason = _RESTART_FIRST_SECONDS, loop.time(), ""
        while True:
            if self._tor is not None:
                reason = await until_ended(self._tor)
                reason, self._restart_reason = self._restart_reason or reason, ""
            await self._halt()
            if loop.time() - since >= _STEADY_SECONDS:
                delay = _RESTART_FIRST_SECONDS
            self._set_failed(f"{reason} It is started again in {delay:g} s.")
            await asyncio.sleep(delay)
            delay, since = min(2 * delay, _RESTART_MAX_SECONDS), loop.time()
            try:
                await self._bring_up()
            except P4Error as error:
                reason = error.message

    async def _halt(self) -> None:
        tor, self._tor = self._tor, None
        self.side_services.down()
        self.standing.down()
        if self._republishing is not None:
            self._republishing.cancel()
        if tor is not None:
            await tor.halt()

    def _show(self, progress: Progress) -> None:
        """Tell the watchdog and the observer how far Tor is."""
        if progress.published:
            self._watchdog.tor_is(TorState.PUBLISHED)
        else:
            self._watchdog.tor_is(TorState.PUBLISHING if progress.bootstrapped else TorState.CONNECTING)
        self._set_status(progress.status())

    def _set_failed(self, text: str) -> None:
        self._watchdog.tor_is(TorState.DOWN)
        address = next(reversed(self.standing.addresses), None)
        self._set_status(RendezvousStatus(RendezvousPhase.FAILED, 0, text, address))

    def _set_status(self, status: RendezvousStatus) -> None:
        before, self._status = self._status, replace(status, checked_at=self._checked_at)
        if status != before:
            self._observe(self._status)
