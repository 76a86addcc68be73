"""The folder that contacts with a grant may write to and read from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from p4.apps.files.places import Folder, open_folder
from p4.apps.files.refusals import refusal_of
from p4.errors import InputError, TransferError

__all__ = ["Share", "default_share"]


def default_share() -> Path:
    """``~/P4``."""
    return Path.home() / "P4"


@dataclass(frozen=True, slots=True)
class Share:
    """Which folder, and whether contacts may only read it."""

    path: Path
    read_only: bool = False

    @classmethod
    def chosen(cls, path: str | Path, *, read_only: bool, private: Path | None = None) -> Share:
        """A folder that a person names. Raises InputError ``bad-folder``.

        Args:
            private: where this device's keys are: neither that, nor what is in it or above it, is shared.
        """
        folder = Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 - a link may stand for it
        if Path.home().is_relative_to(folder):  # also what is above it: the keys of this device are below
            raise InputError(
                f"{folder} holds more than should be shared. Choose a folder below it. Nothing was changed.",
                code="bad-folder",
            )
        real, secret = folder.resolve(), private.resolve() if private is not None else None
        if secret is not None and (secret.is_relative_to(real) or real.is_relative_to(secret)):
            raise InputError(
                f"The keys of this device are in {private}: {folder} cannot be shared. "
                "Choose another folder. Nothing was changed.",
                code="bad-folder",
            )
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is no folder. Nothing was changed.", code="bad-folder")
        return cls(folder, read_only)

    def open(self, *, create: bool) -> Folder:
        """The folder itself. Raises TransferError.

        Args:
            create: make it, if it is not there yet.
        """
        try:
            if create:
                self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            return open_folder(self.path)
        except FileNotFoundError:
            raise TransferError("Nothing is shared on that device yet.", code="not-found") from None
        except OSError as error:
            refusal = refusal_of(error, (self.path.name,))
            raise TransferError(refusal.text, code=refusal.code) from error
