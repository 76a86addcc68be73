"""The receiving side on a real directory, with a sender that keeps no rules."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from p4.apps.files.frames import (
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
    Listed,
    Manifest,
    Named,
    Stored,
    Sum,
    Verdict,
    Verdicts,
)
from p4.apps.files.hashing import make_hasher
from p4.apps.files.intake import Intake
from p4.apps.files.names import POSIX, NameRules
from p4.apps.files.partials import Partials
from p4.apps.files.places import Folder, open_folder
from p4.apps.files.plan import IntakePlan

HASH = "sha256"


def digest_of(content: bytes) -> bytes:
    hasher = make_hasher(HASH)
    hasher.update(content)
    return hasher.digest()


def file_entry(*path: str, content: bytes = b"", mode: int = 0o644, mtime_ns: int = 1_000_000_000) -> Entry:
    return Entry(EntryKind.FILE, mode, len(content), mtime_ns, path)


def folder_entry(*path: str) -> Entry:
    return Entry(EntryKind.FOLDER, 0o755, 0, 1_000_000_000, path)


def link_entry(path: tuple[str, ...], target: tuple[str, ...]) -> Entry:
    return Entry(EntryKind.LINK, 0o777, 0, 1_000_000_000, path, target)


def make_intake(
    share: Path | Folder,
    partials: Partials | None = None,
    *,
    base: tuple[str, ...] = ("laptop",),
    rules: NameRules = POSIX,
    **plan: Any,
) -> Intake:
    folder = open_folder(share) if isinstance(share, Path) else share
    values = {"roots": None, "overwrite": False, "sender": "a" * 24, "place": "/share", "hash_name": HASH}
    return Intake(folder, IntakePlan(base=base, rules=rules, **{**values, **plan}), partials or Partials())


def send_all(intake: Intake, sent: list[tuple[Entry, bytes]]) -> list[FileFrame]:
    """What a sender does that follows the protocol, with whatever entries; what it is told."""
    told: list[FileFrame] = []

    def say(frame: FileFrame) -> list[FileFrame]:
        answers = list(intake.take(frame))
        told.extend(answers)
        for answer in answers:
            if isinstance(answer, Verdicts):
                for number, verdict, position in answer.verdicts:
                    if verdict is Verdict.COMPARE:
                        say(Sum(number, digest_of(sent[number][1])))
                    elif verdict is Verdict.SEND:
                        wanted[number] = position
            elif isinstance(answer, Failed):
                wanted.pop(answer.number, None)
        return answers

    wanted: dict[int, int] = {}
    for entry, _ in sent:
        say(Manifest(entry))
    say(Listed(len(sent)))
    assert any(isinstance(frame, Go) for frame in told)
    for number, position in list(wanted.items()):
        entry, content = sent[number]
        say(FileStart(number, position, entry))
        if content[position:]:
            say(Data(content[position:]))
        say(End(digest_of(content)))
    say(Finish())
    assert isinstance(told[-1], Complete)
    return told


def numbers(told: list[FileFrame], kind: type[Stored | Failed]) -> set[int]:
    found: set[int] = set()
    for frame in told:
        if isinstance(frame, Stored) and kind is Stored:
            found.update(frame.numbers)
        elif isinstance(frame, Failed) and kind is Failed:
            found.add(frame.number)
    return found


def names_given(told: list[FileFrame]) -> dict[int, str]:
    return {frame.number: frame.name for frame in told if isinstance(frame, Named)}


def snapshot(folder: Path) -> dict[str, tuple[object, ...]]:
    """Everything that can be seen of a folder from outside: names, kinds, contents, modes, targets."""
    found: dict[str, tuple[object, ...]] = {}
    for root, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(root) / name
            status = path.lstat()
            content: object = None
            if stat.S_ISLNK(status.st_mode):
                content = str(path.readlink())
            elif stat.S_ISREG(status.st_mode):
                content = path.read_bytes()
            found[str(path)] = (stat.S_IFMT(status.st_mode), stat.S_IMODE(status.st_mode), content)
    return found
