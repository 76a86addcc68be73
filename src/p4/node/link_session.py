"""One link of one contact: negotiation, proof, heartbeat, and the texts it carries (spec/link.md)."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Protocol

from p4.core import limits
from p4.core.contacts import Contact
from p4.core.ice import IceSettings
from p4.core.identity import PeerId
from p4.core.session.binding import LinkProof
from p4.core.session.frames import (
    Bind,
    Bye,
    ByeReason,
    Frame,
    Ping,
    Pong,
    decode,
    encode,
)
from p4.core.session.heartbeat import Heartbeat, Verdict
from p4.core.session.session_frames import Ack, Message, Resume
from p4.errors import FrameError, LinkError
from p4.node.mailbox import Mailbox
from p4.node.transfer import TransferV1, TransferV2
from p4.ports import ChannelOpened, Clock, LinkBackend, LinkClosed, LinkEvent, LinkMessage

__all__ = ["LinkObserver", "LinkSession"]

CHAT = "chat"
CONTROL = "p4"
_EARLY_FRAMES = 16
"""Frames kept until the link is adopted: the far end may be first, but sends little before our RESUME."""

_log = logging.getLogger(__name__)


class LinkObserver(Protocol):
    """Who is told what becomes of a link."""

    def link_proven(self, generation: int) -> None:
        """The far end proved to be the contact. Answer with `LinkSession.adopt` or `LinkSession.close`."""

    def link_lost(self, generation: int, reason: str, *, by_peer: bool) -> None:
        """It is over and closed. Not called after `LinkSession.close`."""


class LinkSession:
    """A link from its negotiation to its end.

    Args:
        generation: of the attempt that makes it.
        observer: told what becomes of it.
    """

    def __init__(
        self,
        generation: int,
        contact: Contact,
        me: PeerId,
        *,
        backend: LinkBackend,
        ice: IceSettings,
        mailbox: Mailbox,
        clock: Clock,
        observer: LinkObserver,
    ) -> None:
        self.generation = generation
        self.proof: LinkProof | None = None
        """To be set before the link can open, if both sides announced version 2."""
        self._contact = contact
        self._me = me
        self._mailbox = mailbox
        self._clock = clock
        self._observer = observer
        self._link = backend.create(ice, self._on_event)
        self._offerer = False
        self._bound = False
        self._proven = False
        self._adopted = False
        self._closed = False
        self._open: set[str] = set()
        self._early: list[bytes] = []
        self._heartbeat: Heartbeat | None = None
        self._transfer: TransferV1 | TransferV2 | None = None
        self._timer: asyncio.TimerHandle | None = None

    # -- negotiation ----------------------------------------------------------------------------------

    async def offer(self) -> str:
        """Our offer (SDP). Raises LinkError."""
        self._offerer = True
        return await self._link.offer(CHAT)

    async def answer(self, sdp: str) -> str:
        """Our answer (SDP) to the contact's offer. Raises LinkError."""
        return await self._link.answer(sdp)

    async def accept_answer(self, sdp: str) -> None:
        """Take the contact's answer (SDP). Raises LinkError."""
        await self._link.accept_answer(sdp)

    # -- life -----------------------------------------------------------------------------------------

    @property
    def protocol(self) -> int:
        """1 until both sides announced 2."""
        return 1 if self.proof is None else 2

    @property
    def round_trip(self) -> float | None:
        """Smoothed round trip in seconds, where it is known (version 2)."""
        return self._heartbeat.round_trip if self._heartbeat else None

    def adopt(self) -> None:
        """This is the contact's link from now on: carry texts. If it breaks here the observer is told."""
        self._adopted = True
        try:
            self._carry()
        except (FrameError, LinkError) as error:
            self._lose(error.message)

    def _carry(self) -> None:
        if self.protocol < 2:
            self._transfer = TransferV1(
                self._link, CHAT, self._mailbox, me=self._me, clock=self._clock, failed=self._lose
            )
        else:
            self._begin()

    def suspect(self) -> None:
        """Another sign says that the contact may be gone: find out quickly."""
        if self._heartbeat and not self._closed:
            now = self._clock.monotonic()
            self._heartbeat.suspect(now)
            if self._ping(self._heartbeat, now):
                self._watch()

    def close(self, goodbye: ByeReason | None = None) -> None:
        """End it now, telling a version 2 contact why (it then lingers for ``limits.GOODBYE_SECONDS``)."""
        if self._closed:
            return
        self._closed = True
        if self._timer:
            self._timer.cancel()
        if self._transfer:
            self._transfer.close()
        if goodbye is not None and CONTROL in self._open:
            try:
                self._send(Bye(goodbye))
            except LinkError as error:
                _log.debug("no goodbye to %s: %s", self._contact.label, error.message)
            else:
                # Closing drops what is still queued.
                asyncio.get_running_loop().call_later(limits.GOODBYE_SECONDS, self._link.close)
                return
        self._link.close()

    def _lose(self, reason: str, *, by_peer: bool = False) -> None:
        if not self._closed:
            self.close()
            self._observer.link_lost(self.generation, reason, by_peer=by_peer)

    # -- events of the link -----------------------------------------------------------------------------

    def _on_event(self, event: LinkEvent) -> None:
        if self._closed:
            return
        try:
            match event:
                case ChannelOpened(label):
                    self._opened(label)
                case LinkMessage(label, str() as text) if label == CHAT:
                    self._chat_message(text)
                case LinkMessage(label, bytes() as data) if label == CONTROL:
                    self._control_message(data)
                case LinkMessage():
                    _log.debug("%s: a message on an unknown channel", self._contact.label)
                case LinkClosed(reason):
                    self._lose(reason)
        except FrameError as error:
            self._lose(f"the contact broke the protocol: {error.message}")
        except LinkError as error:
            self._lose(error.message)

    def _opened(self, label: str) -> None:
        self._open.add(label)
        if label == CHAT:
            hello = {
                "from_peer_id": self._me,
                "timestamp": self._clock.wall_ms() // 1000,
                "type": "hello",
            }
            self._link.send(CHAT, json.dumps(hello))
            if self.proof is not None and self._offerer:
                # Never before both announced version 2: v1 takes any further channel for its chat.
                self._link.open_channel(CONTROL)
        elif label == CONTROL and self.proof is not None:
            self._send(Bind(self.proof.signature))
            if self._bound:
                self._prove()

    def _chat_message(self, text: str) -> None:
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            return
        if not isinstance(message, dict):
            return
        if message.get("type") == "hello":
            self._hello(message.get("from_peer_id"))
        elif message.get("type") == "chat" and isinstance(self._transfer, TransferV1):
            line = message.get("text")
            if isinstance(line, str):
                # JSON can name half a character (a lone surrogate), which nothing can store or show.
                self._mailbox.receive_v1(line.encode(errors="replace").decode())

    def _hello(self, sender: object) -> None:
        if self.proof is not None:
            return  # anybody can say so; between version 2 peers a signature is asked for
        if sender != self._contact.peer_id:
            # Someone forwarded a contact's offer as their own (RFC 8844 calls it unknown key-share).
            raise FrameError("The far end says it is someone else.", code="wrong-peer")
        self._prove()

    def _prove(self) -> None:
        if not self._proven:
            self._proven = True
            if self.proof is not None:
                self._begin()
            self._observer.link_proven(self.generation)

    # -- version 2 ----------------------------------------------------------------------------------------

    def _bind(self, proof: LinkProof, frame: Frame | None) -> None:
        """The first frame must be the contact's signature for this very link."""
        if not isinstance(frame, Bind):
            raise FrameError("Something arrived before the proof of who sends it.", code="unbound")
        if not proof.accepts(frame.signature):
            raise FrameError(
                "The far end is someone else, or was told something else about this link.", code="wrong-peer"
            )
        self._bound = True
        if CONTROL in self._open:
            self._prove()

    def _begin(self) -> None:
        if self._heartbeat is None:
            self._heartbeat = Heartbeat(self._clock.monotonic())
            self._watch()
        if self._adopted and self._transfer is None and not self._closed:
            self._transfer = TransferV2(
                self._link, CONTROL, self._mailbox, send=self._send, failed=self._lose
            )
            early, self._early = self._early, []
            for data in early:
                if not self._closed:
                    self._control_message(data)

    def _control_message(self, data: bytes) -> None:
        if self.proof is None:
            return  # version 1 has no such channel
        if not self._bound:
            self._bind(self.proof, decode(data))
            return
        if self._transfer is None:
            if len(self._early) >= _EARLY_FRAMES:
                raise FrameError("Too much arrived before the link was in service.", code="early")
            self._early.append(data)
            return
        frame = decode(data)
        now = self._clock.monotonic()
        if self._heartbeat:
            self._heartbeat.heard(now)
        match frame:
            case None:
                pass
            case Ping(token):
                self._send(Pong(token))
            case Pong(token):
                if self._heartbeat:
                    self._heartbeat.pong(token, now)
            case Bye(reason):
                dropped = reason is ByeReason.DROPPED
                self._lose(f"the contact ended it ({reason.name.lower()})", by_peer=dropped)
            case Bind():
                raise FrameError("A second proof arrived on one link.", code="out-of-turn")
            case Resume() | Message() | Ack():
                if isinstance(self._transfer, TransferV2):
                    self._transfer.handle(frame)

    def _send(self, frame: Frame) -> None:
        self._link.send(CONTROL, encode(frame))

    def _watch(self) -> None:
        if self._closed or self._heartbeat is None:
            return
        now = self._clock.monotonic()
        match self._heartbeat.tick(now):
            case Verdict.DEAD:
                self._lose("the contact's node does not answer any more")
                return
            case Verdict.PING:
                if not self._ping(self._heartbeat, now):
                    return
            case Verdict.QUIET:
                pass
        if self._timer:
            self._timer.cancel()
        delay = max(self._heartbeat.deadline - self._clock.monotonic(), 0.0)
        self._timer = asyncio.get_running_loop().call_later(delay, self._watch)

    def _ping(self, heartbeat: Heartbeat, now: float) -> bool:
        try:
            self._send(Ping(heartbeat.next_ping(now)))
        except LinkError as error:
            self._lose(error.message)
            return False
        return True
