"""``laptop:notes.txt`` and ``./notes.txt``: which of them is on another device."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

__all__ = ["Copy", "absolute", "parse_copy", "split_contact"]


@dataclass(frozen=True, slots=True)
class Copy:
    """What `p4 cp` was asked for."""

    contact: str
    sources: tuple[str, ...]
    target: str
    sends: bool
    """Whether files go to the contact."""


def split_contact(word: str) -> tuple[str, str] | None:
    """Contact and path of ``CONTACT:PATH``; None for a path here.

    A slash before the colon makes it a path here, as in ``./a:b``; so does a drive letter on Windows.
    """
    contact, colon, path = word.partition(":")
    if not colon or not contact or "/" in contact or (os.altsep and os.sep in contact):
        return None
    if sys.platform == "win32" and len(contact) == 1 and contact.isalpha():
        return None
    return contact, path


def absolute(path: str) -> str:
    """A path of this process for one that stands elsewhere; a slash at the end stays."""
    whole = os.path.abspath(Path(path).expanduser())  # noqa: PTH100 - a link stays one
    ends = path.endswith(("/", os.sep)) or Path(path).name in ("", "..") or path in (".", "~")
    return whole + os.sep if ends and not whole.endswith(os.sep) else whole


def parse_copy(words: Sequence[str]) -> Copy:
    """Sources and target. Raises click.UsageError."""
    if len(words) < 2:
        raise click.UsageError("Say what to copy, and where to: p4 cp film.mkv CONTACT:")
    *sources, target = words
    away = [split_contact(source) for source in sources]
    there = split_contact(target)
    if there is not None:
        if any(away):
            raise click.UsageError("One side of a copy is this device. A file called like that: ./NAME:REST")
        return Copy(there[0], tuple(map(absolute, sources)), there[1], sends=True)
    contacts = {found[0] for found in away if found}
    if len(contacts) != 1 or not all(away):
        raise click.UsageError(
            "Name one contact, for the target or for all sources: p4 cp CONTACT:notes.txt ."
        )
    paths = tuple(found[1] for found in away if found)
    return Copy(contacts.pop(), paths, absolute(target), sends=False)
