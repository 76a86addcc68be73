"""Files that a web page hands over to be sent: kept until they have arrived."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import AsyncIterable, Collection
from contextlib import suppress
from pathlib import Path
from typing import IO

from p4.apps.files.conversation import Run
from p4.apps.files.frames import check_path
from p4.apps.files.names import HERE
from p4.core import limits
from p4.errors import InputError, StateError, TransferError

__all__ = ["SendSpool", "delete_spooled"]


def delete_spooled(path: str) -> None:
    """Delete a file of a spool, and the folder that was made for it."""
    with suppress(OSError):
        Path(path).unlink(missing_ok=True)
        Path(path).parent.rmdir()


class SendSpool:
    """A private folder; each file in it has a folder of its own, so that it keeps its name.

    Args:
        directory: made when it is needed.
    """

    def __init__(self, directory: Path, run: Run) -> None:
        self._directory = directory
        self._run = run

    async def clean(self, kept: Collection[str]) -> None:
        """Delete what no transfer needs: uploads that a crash interrupted."""
        await self._run(self._clean, kept)

    async def fill(self, name: str, pieces: AsyncIterable[bytes]) -> Path:
        """Write a file.

        Raises:
            InputError: ``bad-name``, ``too-large``. StateError: the disk. Nothing is left of it.
        """
        try:
            check_path((name,))
        except TransferError:
            raise InputError(f"{name!r} cannot be the name of a file.", code="bad-name") from None
        if why := HERE.refusal(name):
            raise InputError(f"{name!r} cannot be sent: it {why}.", code="bad-name")
        path = self._directory / secrets.token_hex(8) / name
        try:
            await self._write(path, pieces)
        except BaseException:
            await self._run(delete_spooled, str(path))
            raise
        return path

    async def _write(self, path: Path, pieces: AsyncIterable[bytes]) -> None:
        try:
            file: IO[bytes] = await self._run(_create, path)
            with file:
                written = 0
                async for piece in pieces:
                    written += len(piece)
                    if written > limits.FILE_SPOOL_BYTES:
                        raise InputError(
                            f"At most {limits.FILE_SPOOL_BYTES // 2**30} GiB. p4 cp sends any size.",
                            code="too-large",
                        )
                    await self._run(file.write, piece)
                await self._run(_finish, file)
        except OSError as error:
            raise StateError(
                f"The file could not be kept to be sent: {error.strerror}. Nothing was sent.",
                path=str(self._directory),
                code="disk-full",
            ) from error

    def _clean(self, kept: Collection[str]) -> None:
        needed = {Path(path).parent for path in kept if path}
        for folder in self._directory.iterdir() if self._directory.is_dir() else ():
            if folder not in needed:
                shutil.rmtree(folder, ignore_errors=True)


def _create(path: Path) -> IO[bytes]:
    path.parent.mkdir(mode=0o700, parents=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _finish(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
