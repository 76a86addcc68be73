"""The guest: goes to all places of an invite at once, and is paired at the first where that succeeds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from p4.core import limits
from p4.core.address import RendezvousAddress
from p4.core.pairing.card import Card
from p4.core.pairing.exchange import GuestExchange
from p4.core.pairing.refusals import pairing_error
from p4.core.pairing.secrets import PairingSecret
from p4.errors import P4Error, PairingError, RemoteError, RendezvousError, UnreachableError
from p4.node.pairing.registry import Registry
from p4.node.peer import Peer
from p4.ports import SignalStream
from p4.ports.pairing import MeetingKind, MeetingPlaces

__all__ = ["Meeting", "Visit"]

_log = logging.getLogger(__name__)

_FOR_ALL = frozenset({"impostor", "rotated"})
"""What no other place would change, wherever it was found out."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """Two devices have each other on disk.

    Args:
        stream: where they met; the caller's now.
        addresses: at which the host is dialled from now on.
    """

    peer: Peer
    stream: SignalStream
    addresses: frozenset[RendezvousAddress]


@dataclass(frozen=True, slots=True)
class Visit:
    """One attempt of a person to take an invite.

    Args:
        address: that the link names.
        name: what the host shall be called here; empty for what it calls itself.
        patience: seconds until it is given up.
    """

    registry: Registry
    secret: PairingSecret
    places: Sequence[MeetingPlaces]
    address: RendezvousAddress | None
    name: str
    patience: float

    async def pair(self) -> Meeting:
        """Go to every place, the local network first, until one exchange has succeeded.

        Raises:
            PairingError: refused, or ``not-found``. ContactError, StateError: the host cannot be stored here;
                it may have stored us.
        """
        quick_first = sorted(self.places, key=lambda places: places.kind is MeetingKind.ONION)
        runners = {
            asyncio.ensure_future(self._visit(places, delay)): places
            for places, delay in zip(quick_first, _delays(quick_first), strict=True)
        }
        running, failures = set(runners), []
        winner: Meeting | None = None
        try:
            while running and winner is None:
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for runner in done:
                    error = runner.exception()
                    if error is None:
                        winner = winner or runner.result()
                    elif not isinstance(error, P4Error) or self._is_final(error, runners[runner]):
                        raise error
                    else:
                        failures.append(error)
        finally:
            for runner in runners:
                runner.cancel()
            for outcome in await asyncio.gather(*runners, return_exceptions=True):
                if isinstance(outcome, Meeting) and outcome is not winner:
                    outcome.stream.close()  # two places succeeded in one moment
        if winner is None:
            raise _most_telling(failures)
        return winner

    def _is_final(self, error: P4Error, places: MeetingPlaces) -> bool:
        """Whether the other places are given up, too: on a local network anybody can refuse us."""
        if isinstance(error, RemoteError | UnreachableError):
            return False
        if not isinstance(error, PairingError):
            return True  # our own disk, or a contact that cannot be stored
        return places.kind is not MeetingKind.LAN or error.code in _FOR_ALL

    async def _visit(self, places: MeetingPlaces, delay: float) -> Meeting:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.patience
        await asyncio.sleep(delay)
        seed = self.secret.place_seed(places.kind)
        failure: P4Error = pairing_error("not-found")
        for _ in range(limits.PAIRING_TRIES):
            remaining = deadline - loop.time()
            if remaining <= 0:
                break
            try:
                stream = await places.visit(seed, address=self.address, timeout=remaining)
                return await self._exchange(stream)
            except PairingError as error:
                if places.kind is not MeetingKind.LAN or self.secret.guessable:
                    # Of words, each further try would give somebody who only poses as the host a guess.
                    raise
                failure = error
            except (RemoteError, UnreachableError) as error:
                _log.debug("pairing, %s: %s", places.kind, error.message)
                failure = error if isinstance(failure, UnreachableError) else failure
            await asyncio.sleep(limits.PAIRING_AGAIN_SECONDS)
        raise failure

    async def _exchange(self, stream: SignalStream) -> Meeting:
        """Lines 1 to 5. The contact is on disk before the last one (spec/pairing.md, Order)."""
        registry, ours = self.registry, self.registry.introduction()
        exchange = GuestExchange(self.secret, registry.identity, ours.card, registry.entropy.token)
        try:
            await stream.send_line(exchange.hello())
            exchange.take_pake(await _line(stream))
            card = await self._prove(stream, exchange)
            registry.require_true(ours)
            peer = registry.admit(card, self.name)
            await registry.open_gates(peer, card, ours.gate_key)
            await _say_done(stream, exchange.done())
        except BaseException:  # cancelled by a quicker place, too: nobody else would close it
            stream.close()
            raise
        gate = {card.gate.address} if card.gate else set()
        return Meeting(peer, stream, frozenset({peer.contact.rendezvous} | gate))

    async def _prove(self, stream: SignalStream, exchange: GuestExchange) -> Card:
        """Lines 3 and 4: what the host says of itself. Words are proved once: whoever only poses as the host
        compares a guess of his with what he is shown, and need not answer."""
        try:
            await stream.send_line(exchange.proof())
            return exchange.take_proof(await _line(stream))
        except (RemoteError, UnreachableError) as error:
            if self.secret.guessable:
                raise pairing_error("broken-off") from error
            raise


def _delays(places: Sequence[MeetingPlaces]) -> list[float]:
    """A place that must be dialled through Tor is given its head start only beside a quicker one."""
    waits = len(places) > 1
    return [
        limits.PAIRING_ROUNDABOUT_SECONDS if waits and place.kind is MeetingKind.ONION else 0.0
        for place in places
    ]


def _most_telling(failures: Sequence[P4Error]) -> P4Error:
    """A refusal says more than that nobody was met."""
    told = [error for error in failures if isinstance(error, PairingError) and error.code != "not-found"]
    if told:
        return told[-1]
    unreachable = pairing_error("not-found")
    unreachable.__cause__ = failures[-1] if failures else None
    return unreachable


async def _line(stream: SignalStream) -> bytes:
    """Raises RendezvousError, SignalingError: there is none."""
    try:
        async with asyncio.timeout(limits.PAIRING_LINE_SECONDS):
            line = await stream.receive_line()
    except TimeoutError as error:
        raise RendezvousError("The other device fell silent.", code="timeout") from error
    if line is None:
        raise RendezvousError("The other device ended the stream.", code="stream-broken")
    return line


async def _say_done(stream: SignalStream, line: bytes) -> None:
    """Both have each other on disk; if this does not arrive, the first link says the same."""
    try:
        await stream.send_line(line)
    except UnreachableError as error:
        _log.debug("the last line was not sent: %s", error.message)
