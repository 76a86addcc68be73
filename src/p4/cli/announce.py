"""What `p4 run` prints about its node's life, in the lines that v1's scripts read."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING

from p4.cli.output import complain, log_line, say, visible
from p4.core.address import Transport
from p4.errors import DeliveryError, FrameError, LocalError
from p4.node.events import (
    LinkDown,
    LinkUp,
    NodeEvent,
    NodeWarning,
    RendezvousChanged,
)
from p4.ports import RendezvousPhase, RendezvousStatus

if TYPE_CHECKING:
    from p4.cli.prompt import PromptReceipt
    from p4.core.identity import PeerId
    from p4.core.invite import Invite
    from p4.node.inbox import Message

__all__ = ["Announcer"]

_log = logging.getLogger(__name__)


class Announcer:
    """Turns events into lines. Remembers just enough not to repeat itself."""

    def __init__(self) -> None:
        self._shown_status: RendezvousStatus | None = None
        self._ready = False
        self._waiting: set[asyncio.Task[None]] = set()
        self.closing = False
        """The node is ending: it will hand messages out again after the next start, so none is shown."""

    def queued(self, peer_id: PeerId, receipt: PromptReceipt) -> None:
        """A message waits for an absent peer; its delivery will be worth a line."""
        task = asyncio.create_task(self._await_delivery(peer_id, receipt))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _await_delivery(self, peer_id: PeerId, receipt: PromptReceipt) -> None:
        number = receipt.number
        try:
            await receipt.delivered()
        except DeliveryError as error:
            complain(f"Message {number} to {peer_id}: {error.message}")
        except LocalError:
            return  # the node ends, or the contact was removed
        else:
            log_line(f"Message {number} reached {peer_id}")

    def chat(self, message: Message) -> bool:
        """Print what a contact says; whether it was shown."""
        if self.closing:
            return False
        try:
            value = message.value
        except FrameError as error:
            complain(f"A message from {message.peer.peer_id} cannot be shown: {error.message}")
            return True  # it would be no better after the next start
        if not isinstance(value, str):
            value = repr(value) if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False)
        say(f"{message.peer.peer_id}> {visible(value)}")
        return True

    def close(self) -> None:
        """The node has ended: nothing is waited for any more."""
        for task in self._waiting:
            task.cancel()

    def started(self, invite: Invite, status: RendezvousStatus) -> None:
        """The node has come up and knows its own address."""
        log_line(f"Node peer_id={invite.peer_id}")
        log_line(f"Rendezvous: {invite.rendezvous}")
        log_line("Share this invite with peers:")
        say(invite.to_text())
        self.rendezvous(status)

    def show(self, event: NodeEvent) -> None:
        """Print what the event means for a person, if anything."""
        match event:
            case RendezvousChanged(status):
                self.rendezvous(status)
            case LinkUp(peer_id):
                log_line(f"Data channel OPEN with {peer_id}")
            case LinkDown(peer_id, reason):
                _log.info("The link with %s ended: %s", peer_id, reason)
                log_line(f"Data channel CLOSED with {peer_id}")
            case NodeWarning(text):
                complain(text)

    def rendezvous(self, status: RendezvousStatus) -> None:
        """Print a status that says something new."""
        before, self._shown_status = self._shown_status, status
        if before is not None and (before.phase, before.text) == (status.phase, status.text):
            return
        address = status.address
        if status.phase is RendezvousPhase.READY:
            if not self._ready and address is not None and address.transport is Transport.ONION:
                log_line(f"Onion relay ready: {address.host}")
            self._ready = True
            return
        self._ready = False
        if status.phase is not RendezvousPhase.STOPPED:
            # Tor's own words have a percentage already.
            progress = (
                f" ({status.progress} %)" if 0 < status.progress < 100 and "%" not in status.text else ""
            )
            log_line(f"{visible(status.text)}{progress}")
