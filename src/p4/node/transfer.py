"""Texts over one link: version 2 with acknowledgement, version 1 as well as it can (spec/link.md)."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Protocol, TypeVar

from p4.core import limits
from p4.core.identity import PeerId
from p4.core.session.frames import Frame
from p4.core.session.session_frames import Ack, Kind, Message, Resume
from p4.errors import FrameError, LinkError, StateError
from p4.node.mailbox import Mailbox
from p4.ports import Clock, Link

__all__ = ["Transfer", "TransferV1", "TransferV2"]

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_BATCH = 256


class Transfer(Protocol):
    """Moves texts over one link until it is closed."""

    def close(self) -> None:
        """Stop; what is not confirmed stays in the mailbox."""


class _Tasks:
    """Background tasks of a transfer; a broken link ends them quietly, anything else is the link's end.

    Args:
        failed: told once why the transfer cannot go on.
    """

    def __init__(self, failed: Callable[[str], None]) -> None:
        self._failed = failed
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        if error := task.exception():
            if not isinstance(error, LinkError | StateError | FrameError):
                _log.error("a transfer failed", exc_info=error)
            self._failed(str(error))


class TransferV2:
    """Numbered, acknowledged texts on the ``p4`` channel.

    Args:
        link, label: the open channel.
        send: sends a frame on it.
        failed: told once if the transfer cannot go on.
    """

    def __init__(
        self,
        link: Link,
        label: str,
        mailbox: Mailbox,
        *,
        send: Callable[[Frame], None],
        failed: Callable[[str], None],
    ) -> None:
        self._link = link
        self._label = label
        self._mailbox = mailbox
        self._send = send
        self._tasks = _Tasks(failed)
        self._epoch = mailbox.out_epoch
        self._peer: Resume | None = None
        self._sent = 0
        self._received: list[tuple[int, str]] = []
        self._arrived = asyncio.Event()
        self._acknowledged = 0
        self._ack_arrived = asyncio.Event()
        send(Resume(self._epoch, mailbox.out_first, *mailbox.expected))

    def handle(self, frame: Resume | Message | Ack) -> None:
        """Take a frame of the far end.

        Raises:
            FrameError: ``out-of-turn``, ``bad-number``, ``window`` or ``never-sent``.
        """
        match frame:
            case Resume():
                if self._peer is not None:
                    raise FrameError("A second RESUME arrived on one link.", code="out-of-turn")
                if not all(
                    1 <= number <= limits.SAFE_INTEGER + 1 for number in (frame.out_first, frame.in_next)
                ):
                    raise FrameError("A RESUME names an impossible number.", code="bad-number")
                self._peer = frame
                self._resume(frame)
            case _ if self._peer is None:
                raise FrameError("A frame arrived before RESUME.", code="out-of-turn")
            case Message(number, body=body):
                if len(self._received) >= 2 * limits.SEND_WINDOW_MESSAGES:
                    raise FrameError("The contact sends beyond its window.", code="window")
                self._received.append((number, body.decode()))
                self._arrived.set()
            case Ack(through) if through > self._sent:
                raise FrameError("The contact confirms texts that it was not sent.", code="never-sent")
            case Ack(through):
                self._acknowledge(through)

    def close(self) -> None:
        """Stop; what is not confirmed stays in the mailbox."""
        self._tasks.close()

    def _resume(self, peer: Resume) -> None:
        self._tasks.start(self._keep_texts(peer))
        if self._mailbox.is_outdated(peer.in_epoch, peer.in_next):
            self._tasks.start(self._renew(peer.in_epoch))
            return
        if peer.in_epoch == self._epoch:
            self._mailbox.notice_loss(peer.in_epoch, peer.in_next)
            self._sent = peer.in_next - 1
            self._acknowledge(self._sent)
        self._tasks.start(self._send_texts())
        self._tasks.start(self._confirm())

    async def _renew(self, known_as: bytes) -> None:
        """Our RESUME on this link named the old outbox: the next link's will name the new one."""
        await _until_disk_works(partial(self._mailbox.renew, epoch=self._epoch, known_as=known_as))
        raise LinkError("Our queue is older than what the contact has and was renewed.", code="renewed")

    def _acknowledge(self, through: int) -> None:
        self._acknowledged = max(self._acknowledged, through)
        self._ack_arrived.set()

    async def _confirm(self) -> None:
        """One write to disk may cover many acknowledgements."""
        while True:
            await self._ack_arrived.wait()
            self._ack_arrived.clear()
            await _until_disk_works(lambda: self._mailbox.confirm(self._acknowledged, epoch=self._epoch))

    async def _send_texts(self) -> None:
        await _until_disk_works(partial(self._mailbox.offer, epoch=self._epoch))
        while True:
            for message in await _until_disk_works(
                partial(self._mailbox.read, after=self._sent, limit=_BATCH)
            ):
                await self._mailbox.wait_window(message.number)
                while self._link.buffered(self._label) >= limits.LINK_HIGH_WATER_BYTES:
                    await self._link.drained(self._label)
                if self._epoch != self._mailbox.out_epoch:
                    # Renewed for an earlier link while this one began: its numbers mean other texts now.
                    raise LinkError("Our queue was renewed.", code="renewed")
                self._sent = message.number
                self._send(
                    Message(
                        message.number, Kind.BYTES, message.accepted_ms, 0, "chat", "", message.text.encode()
                    )
                )

    async def _keep_texts(self, peer: Resume) -> None:
        await _until_disk_works(partial(self._mailbox.skip_lost, peer.out_epoch, peer.out_first))
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            batch, self._received = self._received, []
            await _until_disk_works(partial(self._mailbox.accept, peer.out_epoch, batch))
            self._send(Ack(batch[-1][0]))


class TransferV1:
    """Chat lines on the ``chat`` channel of a v1 peer, confirmed by the channel's silence."""

    def __init__(
        self,
        link: Link,
        label: str,
        mailbox: Mailbox,
        *,
        me: PeerId,
        clock: Clock,
        failed: Callable[[str], None],
    ) -> None:
        self._link = link
        self._label = label
        self._mailbox = mailbox
        self._me = me
        self._clock = clock
        self._tasks = _Tasks(failed)
        self._sent = 0
        self._sent_some = asyncio.Event()
        self._tasks.start(self._send_texts())
        self._tasks.start(self._confirm())

    def close(self) -> None:
        """Stop; what is not confirmed stays in the mailbox."""
        self._tasks.close()

    async def _send_texts(self) -> None:
        sent = 0
        while True:
            for message in await _until_disk_works(partial(self._mailbox.read, after=sent, limit=_BATCH)):
                while self._link.buffered(self._label) >= limits.LINK_LOW_WATER_BYTES:
                    await self._link.drained(self._label)
                for line in self._lines(message.text):
                    self._link.send(self._label, line)
                sent = self._sent = message.number
                self._sent_some.set()

    def _lines(self, text: str) -> list[str]:
        """The chat line of a text; several if JSON's escapes make it longer than a message may be."""
        line = {
            "from_peer_id": self._me,
            "text": text,
            "timestamp": self._clock.wall_ms() // 1000,
            "type": "chat",
        }
        encoded = json.dumps(line, ensure_ascii=False)
        if len(encoded.encode()) <= limits.LINK_MESSAGE_BYTES:
            return [encoded]
        half = len(text) // 2
        return [*self._lines(text[:half]), *self._lines(text[half:])]

    async def _confirm(self) -> None:
        while True:
            await self._sent_some.wait()
            self._sent_some.clear()
            through, epoch = self._sent, self._mailbox.out_epoch
            await asyncio.sleep(limits.V1_CONFIRM_SECONDS)
            if self._link.buffered(self._label):
                self._sent_some.set()  # still queued here: look again after the same time
            else:
                await _until_disk_works(partial(self._mailbox.confirm, through, epoch=epoch))


async def _until_disk_works(operation: Callable[[], Coroutine[None, None, _T]]) -> _T:
    """A full disk must not end the link: senders keep what is not acknowledged, so waiting is safe."""
    while True:
        try:
            return await operation()
        except StateError as error:
            _log.warning("the disk does not work, trying again: %s", error.message)
            await asyncio.sleep(limits.DISK_RETRY_SECONDS)
