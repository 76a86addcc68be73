"""The receiving side of a transfer, without its stream: frames in, replies out, files on disk.

It blocks, so it runs in a thread, one call at a time. Nothing gets its name before its hash is right and it
is on disk; no name leads out of the folder that it was given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

from p4.apps.files.frames import (
    Again,
    Broken,
    Complete,
    Data,
    End,
    Entry,
    EntryKind,
    Failed,
    FileFrame,
    FileStart,
    Finish,
    Go,
    Hole,
    Listed,
    Manifest,
    Omitted,
    Stored,
    Sum,
    Times,
    Verdict,
    Verdicts,
    not_a_frame,
)
from p4.apps.files.hashing import Halt, make_hasher
from p4.apps.files.partials import Partials
from p4.apps.files.places import Folder, FoundKind, open_below
from p4.apps.files.plan import IntakePlan
from p4.apps.files.present import has_content, make_link, present
from p4.apps.files.refusals import Refusal, ends_everything, refusal_of, spelled
from p4.apps.files.shelf import Arriving, Shelf
from p4.core import limits
from p4.errors import TransferError

__all__ = ["Intake"]


class Intake:
    """One attempt of a transfer.

    Args:
        folder: never left; closed with this object.
        partials: of this device.
    """

    def __init__(
        self,
        folder: Folder,
        plan: IntakePlan,
        partials: Partials,
    ) -> None:
        self._folder = folder
        self._plan = plan
        self._partials = partials
        self._shelf = Shelf(partials, overwrite=plan.overwrite)
        self._count = 0
        self._wanted = 0
        self._comparing: dict[int, Entry] = {}
        self._listed = False
        self._gone = False
        self._open: Arriving | None = None
        self._skipping = False
        self._failed: set[int] = set()
        self._again: set[int] = set()
        self._repeated: set[int] = set()
        self.halt = Halt()
        """Called when nobody waits for `take` any more."""
        self.complete = False
        """Whether everything was stored, and COMPLETE was given."""
        self.done_bytes = 0
        """Content that is here: it was already, or has arrived."""
        self.done_files = 0
        """Files that are under their names."""
        self.unsafe = False
        """Whether something would be lost in a power failure."""

    def close(self) -> None:
        """Keep what is there of an open file, and let go of everything."""
        arriving, self._open = self._open, None
        if arriving is not None:
            arriving.close()
            self._partials.leave(arriving.partial)
        self._shelf.close()
        self._folder.close()

    # -- frames ----------------------------------------------------------------------------------------------

    def take(self, frame: FileFrame) -> Iterator[FileFrame]:
        """What has to be answered to a frame. Take all of it.

        Raises:
            TransferError: the transfer is over: ``protocol``, ``disk-full``, ``too-many``.
        """
        match frame:
            case Data(data):
                self._arrived(len(data), lambda arriving: arriving.write(data))
            case Hole(length):
                self._arrived(length, lambda arriving: arriving.skip(length))
            case FileStart():
                yield from self._begin(frame)
            case End(digest):
                yield from self._end(digest)
            case Broken():
                self._drop()
            case Manifest(entry):
                yield from self._listed_entry(entry)
            case Sum(number, digest):
                yield from self._compared(number, digest)
            case Listed(number):
                if self._listed or number != self._count:
                    raise not_a_frame("its list does not end where it ends.")
                self._listed = True
            case Times(entry):
                yield from self._commit()
                self._set_times(entry)
            case Finish():
                yield from self._finish()
            case Omitted():
                pass
            case _:
                raise not_a_frame("a frame that the receiver of files sends.")
        if self._listed and not self._gone and not self._comparing:
            yield self._go()
        if self._shelf.due:
            yield from self.sync()

    def sync(self) -> list[FileFrame]:
        """Make everything that has arrived safe. Raises TransferError ``disk-full``."""
        replies = list(self._commit())
        if self._open is not None:
            try:
                self._sync_open(self._open)
            except OSError as error:
                replies.append(self._fail(self._open.number, refusal_of(error, self._open.names)))
        self._shelf.unsafe_bytes = 0
        self.unsafe = False
        return replies

    def _sync_open(self, arriving: Arriving) -> None:
        arriving.sync()
        self._partials.remember(arriving.partial, arriving.where, arriving.position)

    def _commit(self) -> Iterator[FileFrame]:
        for reply in self._shelf.commit():
            if type(reply) is Stored:
                self.done_files += len(reply.numbers)
            elif type(reply) is Failed:
                self._failed.add(reply.number)
            yield reply

    # -- the list --------------------------------------------------------------------------------------------

    def _listed_entry(self, entry: Entry) -> Iterator[FileFrame]:
        number = self._count
        if self._listed or number >= limits.FILE_ENTRIES:
            raise TransferError(
                f"A transfer has at most {limits.FILE_ENTRIES} files and folders. Send them in parts.",
                code="too-many",
            )
        self._count += 1
        try:
            verdict, position = self._decide(number, entry)
        except Refusal as refusal:
            yield self._fail(number, refusal)
        except OSError as error:
            yield self._fail(number, refusal_of(error, entry.path))
        else:
            yield Verdicts(((number, verdict, position),))

    def _decide(self, number: int, entry: Entry) -> tuple[Verdict, int]:
        names = self._plan.names(entry)
        with open_below(self._folder, names[:-1], create=True) as parent:
            if entry.kind is EntryKind.FOLDER:
                parent.make_folder(names[-1], entry.mode)
                parent.enter(names[-1]).close()
                return Verdict.HAVE, 0
            if entry.kind is EntryKind.LINK:
                make_link(parent, names, entry, replace=self._plan.overwrite)
                return Verdict.HAVE, 0
            there = present(parent, names[-1], numbers=not self._plan.overwrite)
            alike = any(size == entry.size for _, size in there)
            if alike and not entry.size:
                self.done_files += 1
                return Verdict.HAVE, 0
            if alike:
                self._comparing[number] = entry
                return Verdict.COMPARE, 0
            return self._send(parent, names, entry)

    def _send(self, parent: Folder, names: tuple[str, ...], entry: Entry) -> tuple[Verdict, int]:
        partial = self._plan.partial(names, entry)
        found = parent.look(partial)
        usable = found is not None and found.kind is FoundKind.FILE and found.links == 1
        position = min(self._partials.safe(partial), found.size, entry.size) if found and usable else 0
        self._wanted += entry.size - position
        self.done_bytes += position
        return Verdict.SEND, position

    def _compared(self, number: int, digest: bytes) -> Iterator[FileFrame]:
        entry = self._comparing.pop(number, None)
        if entry is None:
            raise not_a_frame("a hash that nobody asked for.")
        names = self._plan.names(entry)
        try:
            with open_below(self._folder, names[:-1]) as parent:
                verdict, position = Verdict.HAVE, 0
                if self._is_there(parent, names[-1], entry.size, digest):
                    parent.remove(self._plan.partial(names, entry))
                    self.done_bytes += entry.size
                    self.done_files += 1
                else:
                    verdict, position = self._send(parent, names, entry)
        except OSError as error:
            yield self._fail(number, refusal_of(error, names))
        else:
            yield Verdicts(((number, verdict, position),))

    def _is_there(self, parent: Folder, name: str, size: int, digest: bytes) -> bool:
        alike = present(parent, name, numbers=not self._plan.overwrite)
        return any(
            has_content(parent, other, size, digest, self._plan.hash_name, self.halt) for other, _ in alike
        )

    def _go(self) -> Go:
        self._gone = True
        room = self._folder.free() - limits.FILE_RESERVE_BYTES
        if self._wanted > room:
            raise TransferError(
                f"There is no room: {self._wanted} bytes are to come, and {max(0, room)} may be used on that "
                "disk. Nothing was begun. Free some space, then start the copy again.",
                code="disk-full",
            )
        return Go()

    # -- content ---------------------------------------------------------------------------------------------

    def _begin(self, frame: FileStart) -> Iterator[FileFrame]:
        if not self._gone or self._open is not None or self._skipping or frame.number >= self._count:
            raise not_a_frame("a file out of turn.")
        self._again.discard(frame.number)
        self._skipping = True
        if frame.number in self._failed:
            return
        try:
            self._open = self._opened(frame)
        except Refusal as refusal:
            yield self._fail(frame.number, refusal)
            return
        except OSError as error:
            yield self._fail(frame.number, refusal_of(error, frame.entry.path))
            return
        if self._open is None:
            yield self._ask_again(frame.number, frame.entry)
        else:
            self._skipping = False

    def _opened(self, frame: FileStart) -> Arriving | None:
        """The file to write to; None if what was here of it is not what it was."""
        entry, names = frame.entry, self._plan.names(frame.entry)
        if entry.size - frame.position > self._folder.free() - limits.FILE_RESERVE_BYTES:
            ends_everything(Refusal("disk-full", f"{spelled(names)}: the disk is full."))
        partial = self._plan.partial(names, entry)
        if not self._partials.claim(partial):
            raise Refusal("busy", f"{spelled(names)}: another transfer writes it at the moment.")
        try:
            with open_below(self._folder, names[:-1], create=True) as parent:
                arriving = Arriving.open(
                    parent,
                    names,
                    partial,
                    frame,
                    make_hasher(self._plan.hash_name),
                    self._plan.place,
                    self.halt,
                )
        except BaseException:
            self._partials.leave(partial)
            raise
        if arriving is None:
            self._partials.leave(partial)
            self._partials.forget(partial)
        return arriving

    def _arrived(self, length: int, write: Callable[[Arriving], None]) -> None:
        self.done_bytes += length
        self.unsafe = True
        if self._open is None:
            if not self._skipping:
                raise not_a_frame("content of no file.")
            return
        if self._open.position + length > self._open.entry.size:
            raise not_a_frame("more content than the file has.")
        try:
            write(self._open)
        except OSError as error:
            refusal = refusal_of(error, self._open.names)
            if refusal.code == "disk-full":
                with suppress(OSError):
                    self._sync_open(self._open)
            # Never tolerated: a hole in the middle would show at the end only.
            ends_everything(refusal)
            raise TransferError(f"{refusal.text} What has arrived is kept.", code=refusal.code) from error
        self._shelf.unsafe_bytes += length

    def _end(self, digest: bytes) -> Iterator[FileFrame]:
        arriving, self._open = self._open, None
        if arriving is None:
            self._end_skipping()
            return
        if arriving.position != arriving.entry.size:
            self._open = arriving
            raise not_a_frame("a file that ends too early.")
        if arriving.hasher.digest() != digest:
            self._discard(arriving)
            yield self._ask_again(arriving.number, arriving.entry)
            return
        self._shelf.add(arriving)

    def _drop(self) -> None:
        arriving, self._open = self._open, None
        if arriving is not None:
            self._discard(arriving)
        else:
            self._end_skipping()

    def _discard(self, arriving: Arriving) -> None:
        arriving.discard()
        self._partials.leave(arriving.partial)
        self._partials.forget(arriving.partial)

    def _end_skipping(self) -> None:
        if not self._skipping:
            raise not_a_frame("the end of no file.")
        self._skipping = False

    def _finish(self) -> Iterator[FileFrame]:
        if not self._gone or self._open is not None or self._skipping:
            raise not_a_frame("an end in the middle.")
        yield from self._commit()
        if not self._again:
            self.complete = True
            yield Complete()

    def _set_times(self, entry: Entry) -> None:
        with suppress(OSError, Refusal), open_below(self._folder, self._plan.names(entry)) as folder:
            folder.set_time(entry.mtime_ns)

    # -- inside ----------------------------------------------------------------------------------------------

    def _ask_again(self, number: int, entry: Entry) -> FileFrame:
        if number in self._repeated:
            return self._fail(
                number,
                Refusal("damaged", f"{spelled(entry.path)}: what arrived is not what was sent, twice."),
            )
        self._repeated.add(number)
        self._again.add(number)
        return Again(number)

    def _fail(self, number: int, refusal: Refusal) -> Failed:
        ends_everything(refusal)
        self._failed.add(number)
        return Failed(number, refusal.code, refusal.text)
