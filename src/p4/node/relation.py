"""What persists between us and one contact: messages, streams and calls, whatever link carries them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from p4.core.session.frames import Frame, encode
from p4.core.session.gate_frames import Gate, GateKept
from p4.core.session.introduction_frames import IntroductionFrame
from p4.core.session.lane_frames import LaneAnswer, LaneAsk, LaneEnd, LaneListen, LaneOffer
from p4.core.session.lanes import LaneKind
from p4.core.session.messages.events import (
    ConsumedByPeer,
    Delivered,
    Dropped,
    DropReason,
    MessageFrame,
    Notice,
    Received,
    Renewed,
    Withdrawn,
)
from p4.core.session.messages.machine import MessageMachine
from p4.core.session.messages.stored import Draft, InboxMessage
from p4.core.session.rotation_frames import Rotate, Rotated
from p4.core.session.session_frames import Call, Cancel, Datagram, Replied, Reply
from p4.core.session.stream_frames import Credit, Data, Done, Gone, Open, Reset, Written
from p4.core.signaling import CALLS, DATAGRAMS, STREAMS
from p4.errors import LinkError, LocalError, StreamError
from p4.node.calls import CallHub
from p4.node.context import PeerContext
from p4.node.datagrams import datagram
from p4.node.events import NodeWarning
from p4.node.introductions import IntroductionCarrier
from p4.node.key_changes import RotationCarrier
from p4.node.lanes import LinkTransport, StreamLink
from p4.node.mailbox import Mailbox, MessageCarrier, Taken, Told
from p4.node.notices import refusal, sentence
from p4.node.receipts import Receipt, ReceiptBook
from p4.node.relation_state import relation_state
from p4.node.streams import Stream, StreamHub
from p4.ports import LinkPath, PeerRecord, StreamRecord

if TYPE_CHECKING:
    from p4.node.peer import Peer

__all__ = ["Relation", "RelationLink"]

_STREAM_FRAMES = (Open, Written, Credit, Data, Reset, Done, Gone)
_LANE_FRAMES = (LaneOffer, LaneAnswer, LaneListen, LaneAsk, LaneEnd)
_CALL_FRAMES = (Call, Reply, Cancel, Replied)


class RelationLink(MessageCarrier, StreamLink, IntroductionCarrier, RotationCarrier, Protocol):
    """The link in service, as the relation uses it."""

    @property
    def boot(self) -> str:
        """Names the run of the contact's node at its other end."""

    @property
    def path(self) -> Callable[[], Awaitable[LinkPath | None]]:
        """See `p4.ports.Link.path`."""

    def send(self, frames: Sequence[Frame]) -> None:
        """Send frames in order. Raises LinkError."""

    def send_whole(self, frame: Frame) -> None:
        """Send a frame that never comes in parts, at once. Raises LinkError."""

    def send_datagram(self, data: bytes) -> bool:
        """Send an encoded DATAGRAM frame now, or not at all; whether it was sent."""


class Relation:
    """The relation with one contact.

    Args:
        peer: the contact, as applications see it.
        record: what the store knows.
    """

    def __init__(self, peer: Peer, record: PeerRecord, context: PeerContext) -> None:
        self.peer = peer
        self._context = context
        self._machine = MessageMachine(
            relation_state(record),
            quota=context.options.quota,
            fresh_epoch=lambda: context.entropy.token(16),
            grants=record.grants,
        )
        self._mailbox = Mailbox(
            peer.peer_id, self._machine, store=context.store, clock=context.clock, observer=self
        )
        self.receipts = ReceiptBook(
            lambda: self._machine.out_epoch, self._machine.out_first, lambda: peer.contact.label
        )
        self._streams: StreamHub | None = None
        self._calls: CallHub | None = None
        self._transport: LinkTransport | None = None
        self._link: RelationLink | None = None
        self._calls_link: RelationLink | None = None
        self._grants_changing: asyncio.Future[None] | None = None
        self.ended = False
        """Removed, or the node has ended."""

    # -- for the peer ----------------------------------------------------------------------------------

    @property
    def queued(self) -> int:
        """Messages accepted and not confirmed by the contact."""
        return self._mailbox.queued

    @property
    def open_streams(self) -> int:
        """Streams that are not over, and those that the contact offers."""
        return self._streams.count if self._streams else 0

    async def path(self) -> LinkPath | None:
        """Which way the link in service goes; None without one."""
        return await self._link.path() if self._link else None

    @property
    def lanes(self) -> dict[LaneKind, int]:
        """Open lanes of each kind beside the link."""
        transport = self._transport
        return {kind: transport.lanes.open_lanes(kind) if transport else 0 for kind in LaneKind}

    @property
    def grants(self) -> tuple[str, ...]:
        """What the contact may use here."""
        return self._machine.grants

    async def send(self, drafts: tuple[Draft, ...]) -> list[Receipt]:
        """Accept messages, all or none. Raises as `Mailbox.submit`."""
        accepted = await self._mailbox.submit(drafts)
        return [
            Receipt(self.receipts, accepted.epoch, accepted.first + index, draft.service)
            for index, draft in enumerate(drafts)
        ]

    def take(self, message: InboxMessage) -> Taken:
        """See `p4.node.inbox.Recipient`."""
        return self._mailbox.take(message)

    def hand_over(self, message: InboxMessage) -> None:
        """See `p4.node.inbox.Recipient`."""
        if message.key:
            self._mailbox.hand_over(message)

    async def change_grants(self, change: Callable[[tuple[str, ...]], tuple[str, ...]]) -> None:
        """Let the contact use other services than now; wholly, also if the caller gives up.

        Args:
            change: gives the new grants for the present ones; what it raises is raised here.

        Raises:
            StateError: not written, and nothing was changed.
        """
        changing = asyncio.ensure_future(self._change_grants(change, self._grants_changing))
        self._grants_changing = changing
        await asyncio.shield(changing)

    async def _change_grants(
        self,
        change: Callable[[tuple[str, ...]], tuple[str, ...]],
        before: asyncio.Future[None] | None,
    ) -> None:
        if before is not None:  # one after the other: each builds on what the last one left
            await asyncio.wait([before])
        grants = change(self.grants)
        await self._context.store.save_grants(self.peer.peer_id, grants)
        self._mailbox.set_grants(grants)
        self._context.introductions.rights_changed(self.peer.peer_id)
        if self._streams:
            self._streams.rights_changed()

    def allows(self, service: str) -> bool:
        """Whether the contact may use a service here."""
        return self._machine.grants_service(service)

    @property
    def streams(self) -> StreamHub:
        """The contact's streams."""
        if self._streams is None:
            context = self._context
            self._streams = StreamHub(
                self.peer.peer_id,
                store=context.store,
                clock=context.clock,
                entropy=context.entropy,
                services=context.services.streams,
                allowed=self.allows,
                peer=self.peer,
            )
            if self._link is not None and STREAMS in self._link.capabilities:
                self._connect_streams(self._link, self._streams)
                if self._machine.resumed:
                    self._streams.grants_changed()
        return self._streams

    @property
    def calls(self) -> CallHub:
        """The contact's calls and ours to it."""
        if self._calls is None:
            context = self._context
            self._calls = CallHub(
                context.clock,
                context.entropy,
                serve=context.services.handler,
                allowed=self.allows,
                peer=self.peer,
            )
            self._connect_calls()
        return self._calls

    def load_streams(self, records: list[StreamRecord]) -> None:
        """Know the streams of earlier runs."""
        self.streams.load(records)

    async def open_stream(self, service: str, name: str, durable: bool) -> Stream:
        """See `Peer.stream`."""
        self.peer.refuse_if_blocked()
        if self._link is not None and self._machine.resumed and not self._mailbox.granted(service):
            raise StreamError(
                f"The contact does not let this device use its service {service!r}. No stream was opened.",
                code="not-granted",
            )
        return await self.streams.open(service, name, durable=durable)

    def send_datagram(self, service: str, data: bytes) -> bool:
        """See `Peer.send_datagram`."""
        link = self._link
        if link is None or not self._machine.resumed or DATAGRAMS not in link.capabilities:
            datagram(service, data, lambda _: True)  # what is wrong with it is wrong without a link, too
            return False
        return link.send_datagram(encode(datagram(service, data, self._mailbox.granted)))

    async def close(self) -> None:
        """Nothing of it runs afterwards; what is on disk stays there."""
        self.ended = True
        self._context.services.inbox.forget(self)
        self.link_down()
        if self._calls:
            await self._calls.close()
        if self._streams:
            await self._streams.close()
        await self._mailbox.close()
        self.receipts.close(
            LocalError(
                "The node has ended, or the contact was removed: what becomes of the message is not known.",
                code="closed",
            )
        )

    def forget(self) -> None:
        """The contact was removed: its streams end."""
        self._context.introductions.forget(self.peer.peer_id)
        if self._streams:
            self._streams.forget()

    # -- for the link ----------------------------------------------------------------------------------

    def link_up(self, link: RelationLink) -> None:
        """A proven link is in service; nothing was sent on it but the proof."""
        if self._link is not None:
            self.link_down()
        self._link = link
        self.receipts.new_link()
        self._context.introductions.link_up(
            self.peer.peer_id, link, allowed=self.allows, granted=self._mailbox.granted
        )
        self._mailbox.link_up(link)
        if self._link is link:
            self._context.key_changes.link_up(self.peer.peer_id, link)
            self._context.gate.link_up(self.peer.peer_id, link)
        if self._link is link and self._streams and STREAMS in link.capabilities:
            self._connect_streams(link, self._streams)

    def link_down(self) -> None:
        """It is over."""
        if self._link is None:
            return
        self._link = self._calls_link = None
        if self._transport:
            self._transport.close()
            self._transport = None
        self._context.introductions.link_down(self.peer.peer_id)
        self._context.key_changes.link_down(self.peer.peer_id)
        self._context.gate.link_down(self.peer.peer_id)
        self._mailbox.link_down()
        if self._streams:
            self._streams.link_down()
        if self._calls:
            self._calls.link_down()

    def handle(self, frames: Sequence[Frame]) -> None:
        """Frames arrived on the ordered channel of the link in service.

        Raises:
            FrameError: the contact broke the specification.
        """
        messages: list[MessageFrame] = []
        for frame in frames:
            if isinstance(frame, _STREAM_FRAMES):
                self._flush(messages)
                self.streams.handle(frame)
            elif isinstance(frame, _CALL_FRAMES):
                self._flush(messages)
                self.calls.handle(frame)
            elif isinstance(frame, _LANE_FRAMES):
                if self._transport:
                    self._transport.lanes.handle(frame)
            elif isinstance(frame, Datagram):
                self.handle_datagram(frame)
            elif isinstance(frame, Rotate | Rotated):
                self._context.key_changes.handle(self.peer.peer_id, frame)
            elif isinstance(frame, Gate | GateKept):
                self._context.gate.handle(self.peer.peer_id, frame)
            elif isinstance(frame, IntroductionFrame):
                self._context.introductions.handle(self.peer.peer_id, frame)
            else:
                messages.append(frame)  # type: ignore[arg-type]  # the link keeps its own frames
        self._flush(messages)

    def handle_data(self, frame: Data) -> None:
        """Bytes of a stream arrived. Raises FrameError, LinkError."""
        self.streams.handle(frame)

    def handle_datagram(self, frame: Datagram) -> None:
        """A datagram arrived; it is dropped if nobody wants it."""
        if self.allows(frame.service):
            self._context.services.datagrams.received(self.peer, frame)

    def handle_chat_line(self, text: str) -> None:
        """A text of a version 1 peer arrived."""
        self._mailbox.handle_chat_line(text)

    def _flush(self, messages: list[MessageFrame]) -> None:
        if messages and self._link is not None:
            self._mailbox.handle(messages[:])
        messages.clear()

    # -- for the mailbox -------------------------------------------------------------------------------

    def tell(self, effect: Told) -> None:
        """See `p4.node.mailbox.MailboxObserver`."""
        match effect:
            case Received(messages):
                self._context.services.inbox.arrived(self, messages)
            case Withdrawn(positions):
                self._context.services.inbox.withdrawn(self, positions)
            case Delivered() | ConsumedByPeer() | Renewed():
                self.receipts.note(effect)
            case Dropped(reason=reason):
                self.receipts.note(effect)
                if reason in (DropReason.REFUSED, DropReason.NOT_SUPPORTED):
                    self._context.emit(NodeWarning(refusal(effect, self.peer.contact.label)))
            case Notice():
                self._context.emit(NodeWarning(sentence(effect, self.peer.contact.label)))

    def may_send(self) -> None:
        """See `p4.node.mailbox.MailboxObserver`."""
        self._connect_calls()
        self._context.introductions.told_grants(self.peer.peer_id)
        if self._streams:
            self._streams.grants_changed()

    def _connect_streams(self, link: RelationLink, streams: StreamHub) -> None:
        self._transport = LinkTransport(
            link,
            self._context,
            self.peer.peer_id,
            self.peer.policy,
            granted=self._mailbox.granted,
            receive=self.handle_data,
            lost=streams.data_lost,
        )
        streams.link_up(self._transport)

    def _connect_calls(self) -> None:
        link = self._link
        if self._calls and link is not None and link is not self._calls_link and self._machine.resumed:
            self._calls_link = link
            self._calls.link_up(
                partial(_send, link),
                link.boot,
                self._mailbox.granted,
                supported=CALLS in link.capabilities,
            )


def _send(link: RelationLink, frames: Sequence[Frame]) -> None:
    try:
        link.send(frames)
    except LinkError as error:
        link.fail(error.message)
