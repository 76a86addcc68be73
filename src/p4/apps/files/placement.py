"""Where the sources of a transfer go: into a folder, or under a name of their own. What `cp` does, nearly.

A target that ends with a slash, or several sources: into the folder. A folder that is there: into it, unless
the source is a folder of the same name, which is then brought up to date. Else the source gets that name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from p4.apps.files.frames import check_path, not_a_frame
from p4.apps.files.places import Folder, FoundKind, open_below
from p4.apps.files.refusals import refusal_of, spelled
from p4.errors import TransferError

__all__ = ["OnlySource", "Placement", "place_here", "place_in_share"]


@dataclass(frozen=True, slots=True)
class OnlySource:
    """The source, if there is only one."""

    name: str
    folder: bool

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> OnlySource | None:
        """As OFFER says. Raises TransferError ``protocol``."""
        source = content.get("source")
        if source is None:
            return None
        if not isinstance(source, dict) or not isinstance(source.get("name"), str):
            raise not_a_frame("its source is none.")
        return cls(check_path((source["name"],))[0], source.get("folder") is True)


@dataclass(frozen=True, slots=True)
class Placement:
    """The decision."""

    base: tuple[str, ...]
    """Names below the folder that is never left."""
    renamed: str
    """What the only source is called; empty: its own name."""
    into: bool


def _into(found: FoundKind | None, name: str, source: OnlySource | None) -> bool:
    if source is None:
        return True
    return found is FoundKind.FOLDER and not (source.folder and source.name == name)


def place_in_share(
    share: Folder, target: str, into: bool | None, source: OnlySource | None, *, contact_folder: str
) -> Placement:
    """For what a contact sends.

    Args:
        target: below the shared folder; empty for the folder that is kept for the contact.
        into: what was decided in an earlier attempt.

    Raises:
        TransferError: ``bad-path``, ``exists``, ``permission``.
    """
    names = tuple(part for part in target.split("/") if part not in ("", "."))
    if not names:
        base = () if target.startswith(("/", ".")) and not target.startswith("..") else (contact_folder,)
        return Placement(base, "", into=True)
    try:
        check_path(names)
    except TransferError:
        raise TransferError(f"{spelled(names)} is no path in the shared folder.", code="bad-path") from None
    if into is None:
        into = target.endswith(("/", "/.")) or _into(_kind_in(share, names), names[-1], source)
    return (
        Placement(names, "", into=True)
        if into or source is None
        else Placement(names[:-1], names[-1], into=False)
    )


def _kind_in(share: Folder, names: tuple[str, ...]) -> FoundKind | None:
    try:
        with open_below(share, names[:-1]) as parent:
            found = parent.look(names[-1])
    except FileNotFoundError:
        return None
    except OSError as error:
        refusal = refusal_of(error, names)
        raise TransferError(refusal.text, code=refusal.code) from error
    return found.kind if found else None


def place_here(target: str, into: bool | None, source: OnlySource | None) -> tuple[Path, Placement]:
    """For what our own user fetches: the folder that is never left, and where in it.

    Args:
        target: an absolute path; what our own user writes may lead anywhere.

    Raises:
        TransferError: ``permission``, ``exists``, ``not-found``.
    """
    path = Path(target)
    if into is None:
        ends = target.endswith(("/", os.sep)) or path.name in ("", "..")
        found = FoundKind.FOLDER if path.is_dir() else None
        into = ends or _into(found, path.name, source)
    folder = path if into else path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        refusal = refusal_of(error, (str(folder),))
        raise TransferError(refusal.text, code=refusal.code) from error
    return folder, Placement((), "" if into else path.name, into)
