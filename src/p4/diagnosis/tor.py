"""Tor: found, started, connected, and whether we reach ourselves through it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time

from p4.adapters.store.state_dir import StateDirectory
from p4.adapters.tor.binary import find_tor
from p4.adapters.tor.inspection import TorView, inspect_tor
from p4.adapters.tor.rendezvous import TorRendezvous
from p4.core.address import RendezvousAddress, Transport
from p4.diagnosis.clock import compared_with_tor
from p4.diagnosis.finding import Check, Finding, Level, Patient
from p4.diagnosis.nat import has_network
from p4.diagnosis.words import now_ms, reachability
from p4.errors import AlreadyRunningError, P4Error, RendezvousError, TorError
from p4.ports import RendezvousPhase, RendezvousStatus, SignalStream

__all__ = ["CHECK"]

STALL_SECONDS = 12.0
"""Tor goes from one step to the next in a second or two where its network can be reached."""

READY_SECONDS = 60.0
SELF_SECONDS = 25.0
"""To fetch our own descriptor and build six hops."""

_OFFLINE_ADVICE = (
    "If other programs reach the internet, Tor is blocked here: use bridges (--torrc-line, docs/cli.md)."
)


async def _look(patient: Patient) -> list[Finding]:
    if patient.options.transport is Transport.DIRECT:
        return [Finding("tor", Level.OK, "Not used in direct mode.")]
    program = find_tor(patient.options.onionrelay_bin)
    found = [Finding("tor", Level.OK, f"The program is {program}.")]
    if patient.holder is not None:
        return found + await _of_running_node(patient)
    if not patient.tor:
        return [*found, Finding("tor", Level.OK, "It was not started (--no-tor), so no more is known.")]
    if not has_network():
        text = "It was not started: this machine is offline."
        return [*found, Finding("tor", Level.WARN, text, "Connect it to a network.")]
    if not patient.directory.is_dir():
        text = "It was not started: there is no state directory to start it in."
        return [*found, Finding("tor", Level.WARN, text, f'p4 init --state-dir "{patient.directory}"')]
    state = StateDirectory(patient.directory)
    try:
        state.prepare()
        with state.lock():
            return found + await _Trial(patient, state).run()
    except AlreadyRunningError:  # it started at this moment
        return found + await _of_running_node(patient)


async def _of_running_node(patient: Patient) -> list[Finding]:
    try:
        view = await inspect_tor(StateDirectory(patient.directory).tor_directory)
    except TorError as error:
        text = f"The node runs, and its Tor cannot be asked: {error.message}"
        return [
            Finding("tor", Level.WARN, text, "If the node is in direct mode, give --mode direct here too.")
        ]
    findings = [*_version(view), _bootstrap(view), compared_with_tor(view, time.time())]
    node = patient.running
    if node is None:
        findings.append(Finding("own address", Level.WARN, "The node does not tell whether it is reachable."))
    elif node.reachable:
        said = reachability(node, now_ms())
        findings.append(Finding("own address", Level.OK, f"The node says that others reach it: {said}."))
    else:
        findings.append(Finding("own address", Level.WARN, f"The node says: {node.reachability}"))
    return findings


def _version(view: TorView) -> list[Finding]:
    if view.advice in {"obsolete", "unrecommended"}:
        text = f"Its version is {view.version}, which the Tor network calls {view.advice}."
        return [Finding("tor", Level.WARN, text, "Install a newer Tor.")]
    return [Finding("tor", Level.OK, f"Its version is {view.version}.")]


def _bootstrap(view: TorView) -> Finding:
    if view.percent >= 100:
        return Finding("tor network", Level.OK, "Tor is connected to its network.")
    text = f"Tor is not connected to its network: {view.summary} ({view.percent} %)."
    return Finding("tor network", Level.BAD, text, _OFFLINE_ADVICE)


class _Trial:
    """Tor, started for a moment in the state directory, which is locked."""

    def __init__(self, patient: Patient, state: StateDirectory) -> None:
        options = patient.options
        self._state = state
        self._tor = TorRendezvous(
            state.tor_directory,
            load_key=self._load_key,
            # An address that is made for the trial is forgotten with it: a diagnosis leaves nothing behind.
            save_key=lambda blob, service_id: None,
            binary=options.onionrelay_bin,
            torrc_lines=options.torrc_lines,
            socks_port=options.onionrelay_socks_port,
            control_port=options.onionrelay_control_port,
        )
        self._changed = asyncio.Event()
        self._token = secrets.token_hex(16).encode()
        self._heard = asyncio.Event()

    async def run(self) -> list[Finding]:
        """Start it, look, and end it."""
        try:
            address = await self._tor.start(self._accept, lambda status: self._changed.set())
            status = await self._until_ready()
            view = await inspect_tor(self._state.tor_directory)
            findings = [*_version(view), _bootstrap(view), compared_with_tor(view, time.time())]
            if status.phase is RendezvousPhase.READY:
                findings.append(await self._reach_ourselves(address))
            elif view.percent >= 100:
                text = f"Our onion address was not published within {READY_SECONDS:g} s. {status.text}"
                findings.append(Finding("own address", Level.BAD, text, "Try again in a minute."))
            else:
                findings[-2] = Finding("tor network", Level.BAD, status.text, _OFFLINE_ADVICE)
            return findings
        finally:
            await self._tor.close()

    async def _until_ready(self) -> RendezvousStatus:
        """Wait until others can find us, or nothing happens any more."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_SECONDS):
                while self._tor.status.phase is not RendezvousPhase.READY:
                    self._changed.clear()
                    publishing = self._tor.status.phase is RendezvousPhase.PUBLISHING
                    async with asyncio.timeout(READY_SECONDS if publishing else STALL_SECONDS):
                        await self._changed.wait()
        return self._tor.status

    async def _reach_ourselves(self, address: RendezvousAddress) -> Finding:
        began = time.monotonic()
        try:
            async with asyncio.timeout(SELF_SECONDS):
                stream = await self._tor.dial(address, timeout=SELF_SECONDS, fresh=True)
                try:
                    await stream.send_line(self._token)
                    await self._heard.wait()
                finally:
                    stream.close()
        except (TimeoutError, RendezvousError) as error:
            why = error.message if isinstance(error, P4Error) else "nothing came through in time."
            text = f"We do not reach our own onion address through Tor: {why}"
            return Finding(
                "own address", Level.BAD, text, "Tor is slow at times: try again in a few minutes."
            )
        text = f"We reach our own onion address through Tor, in {time.monotonic() - began:.1f} s."
        return Finding("own address", Level.OK, text)

    async def _accept(self, stream: SignalStream) -> None:
        try:
            if await stream.receive_line() == self._token:
                self._heard.set()
        except P4Error:
            pass  # a stranger that was cut off
        finally:
            stream.close()

    def _load_key(self) -> tuple[str, str] | None:
        key = self._state.load_onion_key()
        return (key.blob, key.service_id) if key else None


CHECK = Check("tor", _look, 110.0)
