"""One contact's texts: accepted ones until they are confirmed, received ones until they are taken."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from p4.core import limits
from p4.core.identity import PeerId
from p4.errors import FrameError, InputError, StateError
from p4.node.turns import Turns
from p4.ports import Clock, Entropy, InboxMessage, OutboxMessage, PeerRecord, Store

__all__ = ["Mailbox"]

_log = logging.getLogger(__name__)
T = TypeVar("T")

_V1_EPOCH = b"version 1 texts\0"
"""Inbox epoch for texts of v1 peers, which have neither epoch nor number."""

_NO_EPOCH = bytes(16)
"""Stands in RESUME for an outbox of which nothing was ever received."""


class Mailbox:
    """The durable queue of texts to and from one contact, whatever link carries them.

    Args:
        record: what the store knows about the contact.
        room: waits while the application has too many received texts to take.
        on_received: new texts, already on disk.
        on_delivered: everything up to this number is confirmed.
        warn: told in sentences for a person what a restored backup, here or there, did to the texts.
        label: what the contact is called in them.
    """

    def __init__(
        self,
        peer_id: PeerId,
        record: PeerRecord,
        store: Store,
        clock: Clock,
        entropy: Entropy,
        *,
        room: Callable[[], Awaitable[None]],
        on_received: Callable[[Sequence[InboxMessage]], None],
        on_delivered: Callable[[int], None],
        warn: Callable[[str], None],
        label: Callable[[], str],
    ) -> None:
        self._peer_id = peer_id
        self._store = store
        self._clock = clock
        self._room = room
        self._on_received = on_received
        self._on_delivered = on_delivered
        self._warn = warn
        self._label = label
        self._entropy = entropy
        self.out_epoch = record.out_epoch or entropy.token(16)
        self._out_next = record.out_next
        self._out_offered = record.out_offered
        self._out_retired = record.out_retired
        self._had_outbox = bool(record.out_epoch)
        self._offering = False
        self._confirmed: int | None = None
        self.in_epoch = record.in_epoch
        self.in_next = record.in_next
        self._in_retired = dict(record.in_retired)
        self._loss_told = 0
        self._outbox = Turns()  # its numbers are relied on together and changed alone
        self._changed = asyncio.Condition()
        self._unfinished: set[asyncio.Task[Any]] = set()
        self._v1_received: list[str] = []
        self._v1_writer: asyncio.Task[None] | None = None

    @property
    def queued(self) -> int:
        """Accepted texts that are not confirmed, as far as is known without reading the disk."""
        return 0 if self._confirmed is None else self._out_next - 1 - self._confirmed

    @property
    def confirmed(self) -> int:
        """The highest number that the contact has confirmed."""
        return self._confirmed or 0

    async def load(self) -> None:
        """Find out what is still unconfirmed from earlier runs. Call once, before anything else."""
        first = await self._store.read_outbox(self._peer_id, after=0, limit=1)
        self._confirmed = first[0].number - 1 if first else self._out_next - 1

    async def send(self, text: str) -> int:
        """Accept a text for the contact.

        Returns:
            Its number, when it is on disk.

        Raises:
            InputError: ``text-too-long`` or ``bad-text``. StateError: the disk or the quota.
        """
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            raise InputError(
                "The text contains half a character (a lone surrogate); nothing was sent.", code="bad-text"
            ) from None
        if size > limits.TEXT_BYTES:
            raise InputError(
                f"The text has {size} bytes; at most {limits.TEXT_BYTES} fit into one message. "
                "Nothing was sent.",
                code="text-too-long",
            )
        return await self._whole(self._append(text))

    @property
    def out_first(self) -> int:
        """The oldest number that can still be sent; the next number if everything is confirmed."""
        return self.confirmed + 1

    async def read(self, *, after: int, limit: int) -> list[OutboxMessage]:
        """Unconfirmed texts above a number, in order; waits until there is one."""
        while True:
            async with self._changed:
                while self._out_next - 1 <= after:
                    await self._changed.wait()
                newest = self._out_next - 1
            async with self._outbox.together():
                batch = await self._store.read_outbox(self._peer_id, after=after, limit=limit)
            if batch:
                return batch
            # All above `after` were confirmed meanwhile: wait for a later one.
            after = max(after, newest)

    async def wait_window(self, number: int) -> None:
        """Wait until so few texts are under way that this one may be sent."""
        async with self._changed:
            await self._changed.wait_for(lambda: number - self.confirmed <= limits.SEND_WINDOW_MESSAGES)

    async def confirm(self, through: int, *, epoch: bytes) -> None:
        """The contact has everything up to this number of our outbox of that name."""
        await self._whole(self._acknowledge(through, epoch))

    # -- a disk that is older than what the contact knows (spec/link.md, Restored backups) -------------------

    def is_outdated(self, in_epoch: bytes, in_next: int) -> bool:
        """Whether the contact has texts of ours, or a name of our outbox, that this disk never saw.

        Args:
            in_epoch, in_next: what the contact's RESUME says of our outbox.
        """
        if in_epoch == self.out_epoch:
            return in_next > self._out_offered
        return in_epoch != _NO_EPOCH and in_epoch not in self._out_retired

    async def renew(self, *, epoch: bytes, known_as: bytes) -> None:
        """Give the outbox a new name, so that no number is used twice. The present link cannot carry it.

        Args:
            epoch: the name that is to end; if it has ended meanwhile nothing happens.
            known_as: what the contact calls our outbox.
        """
        await self._whole(self._renew(epoch, known_as))

    async def offer(self, *, epoch: bytes) -> None:
        """Texts of this outbox may be sent once this returned; it is on disk that they may have been."""
        await self._whole(self._offer(epoch))

    def notice_loss(self, in_epoch: bytes, in_next: int) -> None:
        """Tell the person if the contact expects texts that it had confirmed. ``renew`` comes first."""
        lost = self.out_first - in_next
        told, self._loss_told = self._loss_told, in_next if lost > 0 else 0
        if in_epoch == self.out_epoch and lost > 0 and told != in_next:
            self._warn(
                f"{self._label()} has lost {_messages(lost)} that it had confirmed, as if it was restored "
                "from a backup. They are not sent again by themselves; later ones arrive."
            )

    async def skip_lost(self, epoch: bytes, first: int) -> None:
        """The contact's outbox begins at ``first``: go on there, and tell the person what is missing."""
        await self._whole(self._skip(epoch, first))

    @property
    def expected(self) -> tuple[bytes, int]:
        """The contact's outbox as we know it, and the number that we expect from it (for RESUME)."""
        known = [*self._in_retired.items(), (self.in_epoch, self.in_next)]
        numbered = [(epoch, number) for epoch, number in known if epoch not in (b"", _V1_EPOCH)]
        return numbered[-1] if numbered else (_NO_EPOCH, 1)

    # -- received texts -----------------------------------------------------------------------------------

    async def accept(self, epoch: bytes, messages: Sequence[tuple[int, str]]) -> None:
        """Keep received texts; returns when they are on disk, and only then they may be acknowledged."""
        await self._room()
        await self._whole(self._keep(epoch, messages))

    def receive_v1(self, text: str) -> None:
        """Take a text of a v1 peer. Nobody will send it again, so it is written although the link ends.

        Raises:
            FrameError: ``window``: more than the disk can keep up with.
        """
        if len(self._v1_received) >= limits.SEND_WINDOW_MESSAGES:
            raise FrameError("The contact sends faster than the disk can keep.", code="window")
        self._v1_received.append(text)
        if self._v1_writer is None or self._v1_writer.done():
            self._v1_writer = self._track(self._write_v1())

    async def _write_v1(self) -> None:
        while self._v1_received:
            await self._room()
            batch, self._v1_received = self._v1_received, []
            first = self._expected_of(_V1_EPOCH) or 1
            numbered = [(first + index, text) for index, text in enumerate(batch)]
            while True:
                try:
                    await self._keep(_V1_EPOCH, numbered)
                    break
                except StateError as error:
                    _log.warning("texts of a v1 peer cannot be kept yet: %s", error.message)
                    await asyncio.sleep(limits.DISK_RETRY_SECONDS)

    async def close(self) -> None:
        """Let every write end, if it can; afterwards the store may be closed."""
        if self._unfinished:
            _, stuck = await asyncio.wait(self._unfinished, timeout=limits.CLOSE_SECONDS)
            for task in stuck:
                task.cancel()

    # -- inside ---------------------------------------------------------------------------------------

    async def _whole(self, work: Coroutine[Any, Any, T]) -> T:
        """Do all of it although the caller may be cancelled: what the disk has must become known here.

        (A link that breaks cancels its transfer at any await, also between a commit and its consequences.)
        """
        return await asyncio.shield(self._track(work))

    def _track(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._unfinished.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._unfinished.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.debug("a write for %s failed: %s", self._peer_id, error)

    async def _append(self, text: str) -> int:
        async with self._outbox.together():
            offered = self._offering
            number = await self._store.append_outbox(
                self._peer_id,
                text,
                now_ms=self._clock.wall_ms(),
                new_epoch=self.out_epoch,
                offered=offered,
            )
            self._out_next = max(self._out_next, number + 1)
            if offered:
                self._out_offered = self._out_next
        await self._notify()
        return number

    async def _acknowledge(self, through: int, epoch: bytes) -> None:
        async with self._outbox.together():
            through = min(through, self._out_next - 1)
            if epoch != self.out_epoch or through <= self.confirmed:
                return
            await self._store.acknowledge_outbox(self._peer_id, through=through)
            if through <= self.confirmed:
                return
            self._confirmed = through
        await self._notify()
        self._on_delivered(through)

    async def _offer(self, epoch: bytes) -> None:
        async with self._outbox.alone():
            if epoch != self.out_epoch:
                return
            if self._out_offered < self._out_next:
                await self._store.offer_outbox(self._peer_id)
            self._out_offered = self._out_next
            self._offering = True

    async def _renew(self, epoch: bytes, known_as: bytes) -> None:
        async with self._outbox.alone():
            if epoch != self.out_epoch:
                return
            record = await self._store.renew_outbox(
                self._peer_id, new_epoch=self._entropy.token(16), known_as=known_as
            )
            self.out_epoch, self._out_next = record.out_epoch, record.out_next
            self._out_offered, self._out_retired = record.out_offered, record.out_retired
            self._offering = False
            self._confirmed = 0
        await self._notify()
        if self._had_outbox:
            self._warn(
                f"Your queue towards {self._label()} was older than what {self._label()} has, as if this "
                f"device was restored from a backup. What waits in it ({_messages(self.queued)}) is sent "
                "anew; messages already delivered may arrive again."
            )
        self._had_outbox = True

    async def _skip(self, epoch: bytes, first: int) -> None:
        expected = self._expected_of(epoch)
        if expected is None or first <= expected:
            return
        await self._store.skip_inbox(self._peer_id, epoch=epoch, to=first)
        if epoch == self.in_epoch:
            self.in_next = max(self.in_next, first)
        else:
            self._in_retired[epoch] = first
        self._warn(
            f"Missing here: {_messages(first - expected)} from {self._label()}, delivered to this device "
            "once, as if it was restored from a backup since. Ask for them again if you need them; later "
            "ones arrive."
        )

    async def _keep(self, epoch: bytes, messages: Sequence[tuple[int, str]]) -> None:
        new = await self._store.accept_inbox(
            self._peer_id, epoch=epoch, messages=messages, now_ms=self._clock.wall_ms()
        )
        if new:
            if epoch != self.in_epoch:
                self._turn_to(epoch)
            self.in_next = new[-1].number + 1
            self._on_received(new)

    def _turn_to(self, epoch: bytes) -> None:
        """The contact sends from an outbox of another name now."""
        before, self.in_epoch = self.in_epoch, epoch
        self._in_retired.pop(epoch, None)
        if before:
            self._in_retired[before] = self.in_next
            for oldest in list(self._in_retired)[: -limits.RETIRED_EPOCHS]:
                del self._in_retired[oldest]
        if before and _V1_EPOCH not in (before, epoch):
            self._warn(
                f"{self._label()} sends from a new queue: it was restored from a backup or set up anew, or "
                "had removed you for a while. Some of its messages may arrive a second time."
            )

    def _expected_of(self, epoch: bytes) -> int | None:
        """The number expected in an epoch; None if it is unknown."""
        return self.in_next if epoch == self.in_epoch else self._in_retired.get(epoch)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def _messages(count: int) -> str:
    return "one message" if count == 1 else f"{count} messages"
