"""The one place where the node meets its adapters."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from p4.adapters.clock import SystemClock, SystemEntropy
from p4.adapters.lan import MulticastDiscovery
from p4.adapters.lan.meeting import LanMeetingPlaces
from p4.adapters.net.direct import DirectRendezvous
from p4.adapters.net.doorway import TcpDoorway, mapping_secret, usual_port
from p4.adapters.net.mapping import LendingPortMapper, RouterPortMapper
from p4.adapters.net.monitor import select_monitor
from p4.adapters.net.punch import UdpPortGuesser
from p4.adapters.store.gate_seed import load_gate_seed
from p4.adapters.store.keys_file import load_keys, save_keys
from p4.adapters.store.moved import refuse_if_moved
from p4.adapters.store.pairing_files import PairingFiles
from p4.adapters.store.sqlite import SqliteStore
from p4.adapters.store.state_dir import StateDirectory
from p4.adapters.tls_lane import TlsStreamLanes
from p4.adapters.tor.meeting import OnionMeetingPlaces
from p4.adapters.tor.onion_gate import OnionGate
from p4.adapters.tor.rendezvous import TorRendezvous
from p4.adapters.webrtc import select_backend
from p4.core.address import RendezvousAddress, Transport
from p4.core.identity import KEY_BYTES, Identity
from p4.node.events import NodeWarning
from p4.node.node import BaseNode, NodeParts
from p4.node.options import NodeOptions
from p4.node.pairing.parts import PairingParts
from p4.node.presence import Presence
from p4.ports import LinkBackend, Rendezvous, RendezvousStatus, SignalStream
from p4.ports.pairing import MeetingPlaces

__all__ = ["Node", "NodeOptions", "open_state", "prepare_rendezvous_address"]


class Node(BaseNode):
    """A P4 node on a state directory.

        async with p4.Node("~/.p4") as me:
            await me.peer("laptop").send("hi")      # on disk; delivered as soon as there is a link
            async for message in me.messages():     # from all contacts
                print(message.peer.name, message.value)
                message.done()

    What contacts may use is granted one by one (`Peer.grant`); what they send comes by `messages`,
    `streams`, `datagrams` and `serve`.

    Args:
        state_dir: holds the identity, the contacts and everything else that must survive. Created, with
            a new identity, if there is none.
        options: how to be reachable, which servers to use.
    """

    def __init__(self, state_dir: str | Path, options: NodeOptions | None = None) -> None:
        super().__init__(options or NodeOptions())
        self._state_dir = Path(state_dir)
        self._held = ExitStack()

    async def _open(self) -> NodeParts:
        state = open_state(self._state_dir, self._warn)
        state.prepare()
        with ExitStack() as held:
            held.enter_context(state.lock())
            entropy = SystemEntropy()
            refuse_if_moved(state.path)
            identity = state.load_identity() or state.create_identity(entropy.token(KEY_BYTES))
            keys = load_keys(state.path, identity)
            rendezvous = _rendezvous(state, self.options)
            router = self._router(keys.current)
            parts = NodeParts(
                identity=keys.current,
                keys=keys,
                save_keys=partial(save_keys, state.path),
                contacts=state.load_contacts(),
                save_contacts=state.save_contacts,
                store=SqliteStore(state.database_path),
                rendezvous=rendezvous,
                gated=OnionGate(rendezvous[0]) if isinstance(rendezvous[0], TorRendezvous) else None,
                pairing=self._pairing(state, rendezvous[0]),
                load_backend=self._load_backend,
                clock=SystemClock(),
                entropy=entropy,
                presence=self._presence(keys.current, router),
                port_guesser=UdpPortGuesser() if self.options.port_guessing else None,
                stream_lanes=TlsStreamLanes(router) if self.options.stream_lanes else None,
            )
            self._held = held.pop_all()
        return parts

    def _router(self, identity: Identity) -> LendingPortMapper | None:
        if not self.options.direct_signaling:
            return None
        return LendingPortMapper(RouterPortMapper(secret=mapping_secret(identity.seed)))

    def _presence(self, identity: Identity, router: LendingPortMapper | None) -> Presence:
        options = self.options
        told = options.direct_signaling
        return Presence(
            doorway=TcpDoorway(usual_port(identity.seed)) if told or options.lan else None,
            monitor=select_monitor(),
            mapper=router,
            lan=MulticastDiscovery() if options.lan else None,
            told=told,
        )

    def _pairing(self, state: StateDirectory, own: Rendezvous) -> PairingParts:
        """Where devices meet us that do not know us yet."""
        places: list[MeetingPlaces] = [LanMeetingPlaces()] if self.options.lan else []
        if isinstance(own, TorRendezvous):
            places.append(OnionMeetingPlaces(own))
        kept = PairingFiles(state.path)
        return PairingParts(
            places=places,
            load_invites=kept.load_invites,
            save_invites=kept.save_invites,
            load_name=kept.load_name,
            save_name=kept.save_name,
            usual_name=platform.node().partition(".")[0],
        )

    async def _release(self) -> None:
        self._held.close()

    async def _load_backend(self) -> LinkBackend:
        loop = asyncio.get_running_loop()

        def warn(text: str) -> None:
            loop.call_soon_threadsafe(self._warn, text)

        # In a thread: the import takes 0.2 s, in which Tor can already start.
        return await asyncio.to_thread(select_backend, self.options.link_backend, warn=warn)

    def _warn(self, text: str) -> None:
        if self.options.on_warning:
            self.options.on_warning(text)
        self._events.emit(NodeWarning(text))


def open_state(path: str | Path, warn: Callable[[str], None]) -> StateDirectory:
    """The state directory at a path; nothing is touched yet."""
    return StateDirectory(Path(path), warn=warn)


async def prepare_rendezvous_address(state: StateDirectory, options: NodeOptions) -> RendezvousAddress:
    """The address that invites of a node that is not running name, made first if there is none.

    In onion mode Tor is started for a moment: it makes the key.

    Raises:
        AlreadyRunningError, StateError, TorError, InputError.
    """
    with state.lock():
        refuse_if_moved(state.path)
        own = _rendezvous(state, options)[0]
        try:
            return await own.start(_refuse, _ignore)
        finally:
            await own.close()


def _rendezvous(state: StateDirectory, options: NodeOptions) -> list[Rendezvous]:
    """Ours first; then those that only dial."""
    advertise = None
    if options.advertise:
        host, port = options.advertise
        advertise = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    direct = DirectRendezvous(options.signal_host, options.signal_port, advertise)
    if options.transport is Transport.DIRECT:
        return [direct]

    def load_key() -> tuple[str, str] | None:
        key = state.load_onion_key()
        return (key.blob, key.service_id) if key else None

    onion = TorRendezvous(
        state.tor_directory,
        load_key=load_key,
        save_key=state.save_onion_key,
        gate_seed=lambda: load_gate_seed(state.tor_directory, SystemEntropy().token),
        binary=options.onionrelay_bin,
        torrc_lines=options.torrc_lines,
        socks_port=options.onionrelay_socks_port,
        control_port=options.onionrelay_control_port,
    )
    return [onion, direct]


def _refuse(stream: SignalStream) -> Awaitable[None]:
    stream.close()
    return _nothing()


async def _nothing() -> None:
    pass


def _ignore(status: RendezvousStatus) -> None:
    pass
