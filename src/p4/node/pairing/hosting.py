"""One visitor of a meeting place: what the host says and stores, in which order (spec/pairing.md, Order)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from p4.core import limits
from p4.core.pairing.card import Card
from p4.core.pairing.exchange import HostExchange, read_hello
from p4.core.pairing.refusals import pairing_error, refusal_line
from p4.errors import P4Error, PairingError, RemoteError, RendezvousError, UnreachableError
from p4.node.pairing.invite import PairingInvite
from p4.node.pairing.registry import Registry
from p4.node.peer import Peer
from p4.ports import SignalStream

__all__ = ["HostDesk", "receive_guest"]

_log = logging.getLogger(__name__)


class HostDesk(Protocol):
    """What the host side asks of the book of invites. Whatever changes one is on disk when it returns."""

    def find(self, tag: bytes) -> PairingInvite:
        """The invite that a guest comes with. Raises PairingError if it cannot be used (any more)."""

    def note_guess(self, invite: PairingInvite) -> None:
        """Somebody is about to show that it knows the secret. Raises PairingError, StateError."""

    def guessed_wrong(self, invite: PairingInvite) -> None:
        """It did not: an invite whose secret is short ends."""

    def claim(self, invite: PairingInvite, guest_key: bytes) -> None:
        """Nobody but this guest can use it from now on. Raises PairingError (``used``), StateError."""

    def confirmed(self, invite: PairingInvite, peer: Peer) -> None:
        """Both sides have each other on disk."""

    def in_doubt(self, invite: PairingInvite, peer: Peer) -> None:
        """The guest fell silent before it confirmed."""


async def receive_guest(
    stream: SignalStream,
    desk: HostDesk,
    registry: Registry,
    go_on: Callable[[SignalStream], Awaitable[None]],
) -> None:
    """Serve one visitor of a place, whatever it says; owns the stream.

    Args:
        go_on: given the stream of a new contact, to go on with as signaling; owns it then.
    """
    try:
        await _exchange(stream, desk, registry)
        await go_on(stream)
    except PairingError as error:
        _log.info("%s: %s", stream.description, error.message)
        await _refuse(stream, error.code)
    except (RemoteError, UnreachableError, TimeoutError) as error:
        _log.debug("%s: no guest, or gone (%s)", stream.description, type(error).__name__)
    except P4Error as error:
        # Our disk, or what the guest says of itself: the person here is told why, the guest only that.
        registry.warn(f"Pairing did not come about: {error.message}")
        await _refuse(stream, "not-possible")
    finally:
        stream.close()


async def _exchange(stream: SignalStream, desk: HostDesk, registry: Registry) -> None:
    hello = read_hello(await _line(stream, limits.FIRST_BYTE_SECONDS))
    invite = desk.find(hello.tag)
    ours, random = registry.introduction(), registry.entropy.token
    exchange = HostExchange(invite.secret, registry.identity, ours.card, hello, random)
    await stream.send_line(exchange.answer())
    line = await _line(stream, limits.PAIRING_LINE_SECONDS)
    registry.require_true(ours)
    peer, card = _admit(line, exchange, hello.tag, desk, registry)
    await registry.open_gates(peer, card, ours.gate_key)
    try:
        await stream.send_line(exchange.proof())
        exchange.take_done(await _line(stream, limits.PAIRING_LINE_SECONDS))
    except (P4Error, TimeoutError):
        desk.in_doubt(invite, peer)
        raise
    desk.confirmed(invite, peer)


def _admit(
    line: bytes, exchange: HostExchange, tag: bytes, desk: HostDesk, registry: Registry
) -> tuple[Peer, Card]:
    """From the proof to the contact on disk, without a pause in which another visitor could come between."""
    invite = desk.find(tag)  # it may have ended since the first line
    desk.note_guess(invite)
    try:
        card = exchange.take_proof(line)
    except P4Error:
        desk.guessed_wrong(invite)
        raise
    if card.invite.public_key == registry.identity.public_key:
        desk.guessed_wrong(invite)
        raise pairing_error("not-possible")
    desk.claim(invite, card.invite.public_key)
    return registry.admit(card, invite.name), card


async def _line(stream: SignalStream, seconds: float) -> bytes:
    """Raises TimeoutError, SignalingError, RendezvousError: there is none."""
    async with asyncio.timeout(seconds):
        line = await stream.receive_line()
    if line is None:
        raise RendezvousError("The other side ended the stream.", code="stream-broken")
    return line


async def _refuse(stream: SignalStream, code: str) -> None:
    with suppress(P4Error, TimeoutError):  # it is a courtesy
        async with asyncio.timeout(limits.FIRST_BYTE_SECONDS):
            await stream.send_line(refusal_line(code))
