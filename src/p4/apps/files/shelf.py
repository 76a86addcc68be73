"""Files that arrive, and those that are whole and wait for their names: made safe many at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import IO

from p4.apps.files.flushing import Flushing
from p4.apps.files.frames import Entry, Failed, FileFrame, FileStart, Named, Stored
from p4.apps.files.hashing import Halt, Hasher, hash_rest, hash_zeros
from p4.apps.files.names import numbered
from p4.apps.files.partials import Partials
from p4.apps.files.places import Folder, FoundKind
from p4.apps.files.refusals import ends_everything, refusal_of
from p4.core import limits

__all__ = ["Arriving", "Shelf"]

_AT_ONCE = 4
"""Threads that synchronise files: the disk joins what they ask for."""


class Arriving:
    """A file that is being received, under its hidden name.

    Args:
        folder: where it lies; closed with it.
        where: path of that folder, for a person.
    """

    def __init__(
        self,
        folder: Folder,
        file: IO[bytes],
        names: tuple[str, ...],
        partial: str,
        start: FileStart,
        hasher: Hasher,
        where: str,
    ) -> None:
        self.folder = folder
        self.file = file
        self.names = names
        self.partial = partial
        self.number = start.number
        self.entry: Entry = start.entry
        self.position = start.position
        self.hasher = hasher
        self.where = where
        self._flushing = Flushing(file)

    @classmethod
    def open(
        cls,
        parent: Folder,
        names: tuple[str, ...],
        partial: str,
        start: FileStart,
        hasher: Hasher,
        place: str,
        halt: Halt,
    ) -> Arriving | None:
        """Begin a file, or go on with it.

        Returns:
            None if less is here than was said: it has to be sent from 0.

        Raises:
            OSError: the system refused.
        """
        if not start.position:
            parent.remove(partial)
        elif parent.look(partial) is None:
            return None
        file = parent.write(partial, anew=not start.position)
        try:
            if hash_rest(file, hasher, start.position, halt) < start.position:
                file.close()
                parent.remove(partial)
                return None
            file.truncate(start.position)
            where = str(os.path.join(place, *names[:-1]))  # noqa: PTH118 - for a person, never opened as such
            return cls(parent.enter(), file, names, partial, start, hasher, where)
        except BaseException:
            file.close()
            raise

    def write(self, data: bytes | memoryview) -> None:
        """The next bytes. Raises OSError."""
        done = 0
        while done < len(data):
            done += self.file.write(data[done:])
        self._flushing.wrote(len(data))
        self.hasher.update(data)
        self.position += len(data)

    def skip(self, length: int) -> None:
        """So many zeros: a hole, where the file system has holes. Raises OSError."""
        hash_zeros(self.hasher, length)
        self.position += length
        self.file.truncate(self.position)
        self.file.seek(self.position)

    def sync(self) -> None:
        """Make what is written safe. Raises OSError."""
        self._flushing.settle()
        os.fsync(self.file.fileno())

    def seal(self) -> None:
        """Permissions, time, and on disk. Raises OSError."""
        self._flushing.settle()
        self.folder.seal(self.file, self.partial, self.entry.mode, self.entry.mtime_ns)

    def close(self) -> None:
        """Keep it for later."""
        self._let_go()
        self.folder.close()

    def discard(self) -> None:
        """Keep nothing of it."""
        self._let_go()
        with suppress(OSError):
            self.folder.remove(self.partial)
        self.folder.close()

    def _let_go(self) -> None:
        with suppress(OSError):  # what counts as safe was made so before
            self._flushing.settle()
        self.file.close()


class Shelf:
    """Whole files on their way to their names.

    Args:
        partials: where a half file is remembered.
        overwrite: whether a file that has the name already is replaced.
    """

    def __init__(self, partials: Partials, *, overwrite: bool) -> None:
        self._partials = partials
        self._overwrite = overwrite
        self._whole: list[Arriving] = []
        self.unsafe_bytes = 0
        """Written since the last `commit` or synchronisation."""

    @property
    def due(self) -> bool:
        """Whether so much waits that it should be made safe."""
        return self.unsafe_bytes >= limits.FILE_SYNC_BYTES or len(self._whole) >= limits.FILE_SYNC_FILES

    def add(self, arriving: Arriving) -> None:
        """Its hash is right."""
        self._whole.append(arriving)

    def close(self) -> None:
        """What waits is left under hidden names."""
        for arriving in self._whole:
            arriving.close()
            self._partials.leave(arriving.partial)
        self._whole.clear()

    def commit(self) -> Iterator[FileFrame]:
        """Make them safe and give them their names. Raises TransferError ``disk-full``."""
        whole, self._whole = self._whole, []
        if not whole:
            return
        stored: list[int] = []
        folders: dict[tuple[str, ...], Folder] = {}
        try:
            for arriving, error in zip(whole, self._make_safe(whole), strict=True):
                self._partials.leave(arriving.partial)
                try:
                    if error is not None:
                        raise error
                    name = self._place(arriving)
                except OSError as refused:
                    refusal = refusal_of(refused, arriving.names)
                    ends_everything(refusal)
                    arriving.folder.remove(arriving.partial)
                    yield Failed(arriving.number, refusal.code, refusal.text)
                    continue
                self._partials.forget(arriving.partial)
                folders.setdefault(arriving.names[:-1], arriving.folder)
                stored.append(arriving.number)
                if name != arriving.names[-1]:
                    yield Named(arriving.number, name)
            for folder in folders.values():
                folder.sync()
        finally:
            for arriving in whole:
                self._partials.leave(arriving.partial)
                arriving.close()
        if stored:
            yield Stored(tuple(stored))

    def _make_safe(self, whole: list[Arriving]) -> list[OSError | None]:
        if len(whole) == 1:
            return [_seal(whole[0])]
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="p4-files-sync") as pool:
            return list(pool.map(_seal, whole))

    def _place(self, arriving: Arriving) -> str:
        """Give a file the first name that is free, or its own; returns the name."""
        folder, wanted = arriving.folder, arriving.names[-1]
        if self._overwrite:
            found = folder.look(wanted)
            replaceable = found is None or found.kind in (FoundKind.FILE, FoundKind.LINK)
            # A name that is there and yet not listed is another name to the sender, but not to this disk.
            if replaceable and (found is None or wanted in folder.names()):
                folder.place(arriving.partial, wanted, replace=True)
                return wanted
        for name in numbered(wanted):
            try:
                folder.place(arriving.partial, name, replace=False)
            except FileExistsError:
                continue
            return name
        raise FileExistsError(wanted)


def _seal(arriving: Arriving) -> OSError | None:
    try:
        arriving.seal()
    except OSError as error:
        return error
    return None
