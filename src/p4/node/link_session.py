"""One link of one contact: negotiation, proof, heartbeat, and the channels of the session (spec/link.md)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from p4.core import limits
from p4.core.candidates import any_candidate
from p4.core.contacts import Contact
from p4.core.ice import IceSettings
from p4.core.identity import PeerId
from p4.core.session.binding import LinkProof
from p4.core.session.frames import (
    Assembly,
    Bind,
    Bundle,
    Bye,
    ByeReason,
    Frame,
    Last,
    Part,
    Ping,
    Pong,
    Signal,
    decode,
    encode,
)
from p4.core.session.session_frames import Datagram
from p4.core.session.stream_frames import Data
from p4.core.signaling import DATAGRAMS, IN_BAND, STREAMS, Announcement
from p4.errors import FrameError, LinkError
from p4.node.chat_lines import ChatText, Hello, chat_lines, hello_line, read_chat_line
from p4.node.description import Description
from p4.node.frame_writer import packed
from p4.node.in_band import InBandStream
from p4.node.link_roles import LinkObserver, SessionReceiver
from p4.node.liveness import Liveness
from p4.ports import ChannelOpened, Clock, LinkBackend, LinkClosed, LinkEvent, LinkMessage

__all__ = ["LinkSession"]

CHAT = "chat"
CONTROL = "p4"
BULK = "p4.bulk"
DATAGRAM = "p4.datagram"

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class LinkSession:
    """A link from its negotiation to its end.

    Args:
        generation: of the attempt that makes it.
        receiver: takes what arrives once the link is adopted.
        observer: told what becomes of it.
        wanted: which candidates may be used, of both sides.
    """

    def __init__(
        self,
        generation: int,
        contact: Contact,
        me: PeerId,
        *,
        backend: LinkBackend,
        ice: IceSettings,
        clock: Clock,
        receiver: SessionReceiver,
        observer: LinkObserver,
        wanted: Callable[[str], bool] = any_candidate,
    ) -> None:
        self.generation = generation
        self.session_id = ""
        """Of its negotiation, to be set as soon as that is known."""
        self.awaited: frozenset[str] = frozenset()
        """See `p4.ports.Link.offer`."""
        self.proof: LinkProof | None = None
        """To be set before the link can open, if both sides announced version 2."""
        self.announcement: Announcement | None = None
        """The contact's, to be set with ``proof``."""
        self.signaling: InBandStream | None = None
        """Signaling on this link, from its adoption on, if the contact can do that."""
        self._contact = contact
        self._me = me
        self._clock = clock
        self._receiver = receiver
        self._observer = observer
        self._link = backend.create(ice, self._on_event)
        self.description = Description(self._link, wanted)
        """How it is negotiated; an offer is made by `offer`."""
        self.path = self._link.path
        self._offerer = False
        self._bound = False
        self._proven = False
        self._adopted = False
        self._closed = False
        self._open: set[str] = set()
        self._early: list[bytes] = []
        self._assembly = Assembly()
        self._liveness: Liveness | None = None

    # -- negotiation ----------------------------------------------------------------------------------

    async def offer(self, found: Callable[[str], None] | None) -> str:
        """Our offer (SDP); see `p4.ports.Link.offer`. Raises LinkError."""
        self._offerer = True
        return await self.description.offer(CHAT, found, self.awaited)

    # -- life -----------------------------------------------------------------------------------------

    @property
    def protocol(self) -> int:
        """1 until both sides announced 2."""
        return 1 if self.proof is None else 2

    @property
    def closed(self) -> bool:
        """Whether it is over."""
        return self._closed

    @property
    def capabilities(self) -> frozenset[str]:
        """What the contact announced for this link."""
        return self.announcement.capabilities if self.announcement else frozenset()

    @property
    def boot(self) -> str:
        """Names the run of the contact's node at the other end; empty for version 1."""
        return self.announcement.boot if self.announcement else ""

    @property
    def round_trip(self) -> float | None:
        """Smoothed round trip in seconds, where it is known (version 2)."""
        return self._liveness.round_trip if self._liveness else None

    def adopt(self) -> None:
        """This is the contact's link from now on. If it breaks here the observer is told."""
        self._adopted = True
        if IN_BAND in self.capabilities:
            self.signaling = InBandStream(lambda line: self.send_whole(Signal(line)), self._contact.label)
        self._receiver.link_up(self)
        early, self._early = self._early, []
        self._guarded(self._take_early, early)

    def stranded(self, addresses: frozenset[str]) -> bool:
        """See `p4.ports.Link.stranded`."""
        return self._link.stranded(addresses)

    def suspect(self, patience: float = limits.PROBE_SECONDS) -> None:
        """Another sign says that the contact may be gone: find out within so many seconds."""
        if self._liveness and not self._closed:
            self._liveness.suspect(patience)

    def close(self, goodbye: ByeReason | None = None) -> None:
        """End it now, telling a version 2 contact why (it then lingers for ``limits.GOODBYE_SECONDS``)."""
        if self._closed:
            return
        self._closed = True
        self.description.close()
        if self._liveness:
            self._liveness.close()
        if self.signaling:
            self.signaling.close()
        if goodbye is not None and CONTROL in self._open:
            try:
                self._link.send(CONTROL, encode(Bye(goodbye)))
            except LinkError as error:
                _log.debug("no goodbye to %s: %s", self._contact.label, error.message)
            else:
                # Closing drops what is still queued.
                asyncio.get_running_loop().call_later(limits.GOODBYE_SECONDS, self._link.close)
                return
        self._link.close()

    def fail(self, reason: str) -> None:
        """It cannot be used any more: end it and tell the observer."""
        self._lose(reason)

    def _lose(self, reason: str, *, by_peer: bool = False) -> None:
        if not self._closed:
            self.close()
            self._observer.link_lost(self.generation, reason, by_peer=by_peer)

    # -- sending ---------------------------------------------------------------------------------------

    def send(self, frames: Sequence[Frame]) -> None:
        """Send frames in order on the channel ``p4``. Raises LinkError."""
        self._use()
        for message in packed(frames):
            self._link.send(CONTROL, message)

    def send_whole(self, frame: Frame) -> None:
        """Send a frame that never comes in parts, at once. Raises LinkError, ValueError."""
        self._link.send(CONTROL, encode(frame))

    def send_chat_line(self, text: str) -> None:
        """Send a text to a version 1 peer. Raises LinkError."""
        for line in chat_lines(self._me, text, self._clock.wall_ms()):
            self._link.send(CHAT, line)

    def room(self) -> int:
        """Bytes that may be queued now on the channel of messages."""
        label = CONTROL if self.protocol >= 2 else CHAT
        return limits.LINK_HIGH_WATER_BYTES - self._link.buffered(label)

    async def drained(self) -> None:
        """Wait until there is room again, or the link is over."""
        await self._link.drained(CONTROL if self.protocol >= 2 else CHAT)

    def send_data(self, data: bytes) -> None:
        """Send an encoded DATA frame, in no order. Raises LinkError."""
        self._use()
        self._link.send(BULK if BULK in self._open else CONTROL, data)

    def data_room(self) -> int:
        """Bytes of DATA that may be queued now."""
        return limits.LINK_HIGH_WATER_BYTES - self._link.buffered(BULK if BULK in self._open else CONTROL)

    async def data_drained(self) -> None:
        """Wait until there is room for DATA, or the link is over."""
        await self._link.drained(BULK if BULK in self._open else CONTROL)

    def send_datagram(self, data: bytes) -> bool:
        """Send an encoded DATAGRAM frame if that can be done at once."""
        if DATAGRAM not in self._open or self._link.buffered(DATAGRAM) > limits.LINK_LOW_WATER_BYTES:
            return False
        try:
            self._link.send(DATAGRAM, data)
        except LinkError:
            return False
        return True

    # -- events of the link -----------------------------------------------------------------------------

    def _on_event(self, event: LinkEvent) -> None:
        if not self._closed:
            self._guarded(self._dispatch, event)

    def _guarded(self, work: Callable[[_T], None], argument: _T) -> None:
        try:
            work(argument)
        except FrameError as error:
            self._lose(f"the contact broke the protocol: {error.message}")
        except LinkError as error:
            self._lose(error.message)

    def _dispatch(self, event: LinkEvent) -> None:
        if isinstance(event, LinkMessage):
            label, data = event.label, event.data
            if isinstance(data, bytes):
                if label == BULK:
                    self._further_message(data, Data, self._receiver.handle_data)
                elif label == CONTROL:
                    self._control_message(data)
                elif label == DATAGRAM:
                    self._further_message(data, Datagram, self._receiver.handle_datagram)
            elif label == CHAT:
                self._chat_message(data)
        elif isinstance(event, ChannelOpened):
            self._opened(event.label)
        elif isinstance(event, LinkClosed):
            self._lose(event.reason)

    def _opened(self, label: str) -> None:
        self._open.add(label)
        if label == CHAT:
            self._link.send(CHAT, hello_line(self._me, self._clock.wall_ms()))
            if self.proof is not None and self._offerer:
                # Never before both announced version 2: v1 takes any further channel for its chat.
                self._link.open_channel(CONTROL)
                if STREAMS in self.capabilities:
                    self._link.open_channel(BULK, ordered=False)
                if DATAGRAMS in self.capabilities:
                    self._link.open_channel(DATAGRAM, ordered=False, reliable=False)
        elif label == CONTROL and self.proof is not None:
            self._link.send(CONTROL, encode(Bind(self.proof.signature)))
            if self._bound:
                self._prove()

    def _chat_message(self, line: str) -> None:
        match read_chat_line(line):
            case Hello(sender):
                self._hello(sender)
            case ChatText(text) if self._adopted and self.proof is None:
                self._receiver.handle_chat_line(text)

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
                self._liveness = Liveness(
                    self._clock,
                    send=lambda token: self._link.send(CONTROL, encode(Ping(token))),
                    lost=self._lose,
                    queued=self._queued,
                    leads=self._offerer,
                )
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

    def _control_message(self, data: bytes) -> None:
        if self.proof is None:
            return  # version 1 has no such channel
        if not self._bound:
            self._bind(self.proof, decode(data))
            return
        if not self._adopted:
            if len(self._early) >= limits.EARLY_FRAMES:
                raise FrameError("Too much arrived before the link was in service.", code="early")
            self._early.append(data)
            return
        if self._liveness:
            self._liveness.heard()
        frame = decode(data)
        if isinstance(frame, Bundle):
            decoded = (decode(inner) for inner in frame.frames)
            self._take_frames([inner for inner in decoded if inner is not None])
        elif frame is not None:
            self._take_frames([frame])

    def _take_early(self, early: list[bytes]) -> None:
        for data in early:
            if not self._closed:
                self._control_message(data)

    def _take_frames(self, frames: list[Frame]) -> None:
        session: list[Frame] = []
        for frame in frames:
            match frame:
                case Ping(token):
                    self._link.send(CONTROL, encode(Pong(token)))
                case Pong(token):
                    if self._liveness:
                        self._liveness.pong(token)
                case Part() | Last():
                    if whole := self._assembly.add(frame):
                        session.append(whole)
                case Bye(reason):
                    if session:
                        self._receiver.handle(session)  # what was said before the goodbye counts
                    dropped = reason is ByeReason.DROPPED
                    self._lose(f"the contact ended it ({reason.name.lower()})", by_peer=dropped)
                    return
                case Signal(line):
                    if self.signaling:
                        self.signaling.arrived(line)
                case Bind():
                    raise FrameError("A second proof arrived on one link.", code="out-of-turn")
                case _:
                    session.append(frame)
        if session:
            self._use()
            self._receiver.handle(session)

    def _further_message(self, data: bytes, kind: type[_T], take: Callable[[_T], None]) -> None:
        """Something arrived on a channel beside ``p4``, which carries one kind of frame."""
        if not self._adopted or self.proof is None:
            return
        if self._liveness:
            self._liveness.heard()
            self._liveness.used()
        frame = decode(data)
        if not isinstance(frame, kind):
            raise FrameError("A channel carries what belongs to another one.", code="out-of-turn")
        take(frame)

    def _use(self) -> None:
        if self._liveness:
            self._liveness.used()

    def _queued(self) -> int:
        """Bytes that wait to leave; see `Liveness`."""
        return self._link.buffered(CONTROL) + self._link.buffered(BULK)
