"""What is to be sent: the files, folders and links below some sources, and what was left out of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from p4.apps.files.frames import Entry, EntryKind, check_path, check_target
from p4.apps.files.names import is_partial, stays_inside
from p4.apps.files.places import Folder, Found, FoundKind, open_below, open_folder
from p4.apps.files.refusals import Refusal, refusal_of, spelled
from p4.core import limits
from p4.errors import TransferError

__all__ = ["Sourced", "Tree", "tree_of_paths", "tree_of_share"]


@dataclass(frozen=True, slots=True)
class Sourced:
    """An entry, and where it lies here."""

    entry: Entry
    base: int
    """Which of ``Tree.bases`` it is below."""
    names: tuple[str, ...]
    """Names below that."""


@dataclass
class Tree:
    """Everything that is to be sent, a folder before what is in it."""

    bases: list[Path] = field(default_factory=list)
    found: list[Sourced] = field(default_factory=list)
    notes: list[tuple[str, str, str]] = field(default_factory=list)
    """What was left out: path, code, sentence."""
    bytes: int = 0
    """Content of all files."""

    @property
    def files(self) -> int:
        """How many of them are files."""
        return sum(sourced.entry.kind is EntryKind.FILE for sourced in self.found)

    def add(self, sourced: Sourced) -> None:
        """One more. Raises TransferError ``too-many``."""
        if len(self.found) >= limits.FILE_ENTRIES:
            raise TransferError(
                f"At most {limits.FILE_ENTRIES} files and folders are sent at a time. Send them in parts.",
                code="too-many",
            )
        self.found.append(sourced)
        self.bytes += sourced.entry.size

    def leave_out(self, refusal: Refusal, path: Sequence[str]) -> None:
        """Say why something is not sent."""
        self.notes.append((spelled(path), refusal.code, refusal.text))


def tree_of_paths(paths: Sequence[Path], *, recursive: bool, follow: bool) -> Tree:
    """What our own user sends. A source that is a link itself is followed.

    Args:
        recursive: whether folders are sent.
        follow: whether links below are followed, wherever they lead; else those are sent that stay inside.

    Raises:
        TransferError: ``not-found``, ``is-folder``, ``exists`` (two of one name), ``permission``,
            ``too-many``.
    """
    tree, seen = Tree(), set[str]()
    for path in paths:
        real = Path(os.path.realpath(path.expanduser()))
        named = Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 - the link's own name
        name = named.name or real.name
        if name in seen or not name:
            raise TransferError(f"Two sources would both be called {name!r}. Send them apart.", code="exists")
        seen.add(name)
        _add_source(tree, real.parent, (real.name,), name, recursive=recursive, follow=follow)
    return tree


def tree_of_share(share: Path, sources: Sequence[tuple[str, str]], *, recursive: bool) -> Tree:
    """What a contact asks for: paths below the shared folder, and what their first name shall be.

    No link is followed, so that none leads out of the folder.

    Raises:
        TransferError: ``bad-path``, ``not-found``, ``is-folder``, ``permission``, ``too-many``.
    """
    tree = Tree()
    for path, name in sources:
        names = tuple(part for part in path.split("/") if part not in ("", "."))
        try:
            check_path((name, *names))
        except TransferError:
            raise TransferError(
                f"{spelled(names)} is no path in the shared folder.", code="bad-path"
            ) from None
        if any(is_partial(part) for part in names):
            raise TransferError(f"There is no {spelled(names)}.", code="not-found")
        _add_source(tree, share, names, name, recursive=recursive, follow=False)
    return tree


def _add_source(
    tree: Tree, base: Path, names: tuple[str, ...], name: str, *, recursive: bool, follow: bool
) -> None:
    if not names[-1:] or not names[-1]:
        base, names = base, ()
    tree.bases.append(base)
    at = len(tree.bases) - 1
    try:
        with open_folder(base) as root, open_below(root, names[:-1]) as parent:
            if names:
                found = parent.look(names[-1])
            else:
                found = Found(FoundKind.FOLDER, 0o777, 0, base.stat().st_mtime_ns, (0, 0), 1)
            if found is None:
                raise TransferError(f"There is no {spelled(names)}.", code="not-found")
            if found.kind is FoundKind.FOLDER and not recursive:
                raise TransferError(
                    f"{spelled(names) or 'That'} is a folder. To copy folders, add -r.", code="is-folder"
                )
            if found.kind not in (FoundKind.FOLDER, FoundKind.FILE):
                raise TransferError(f"{spelled(names)} is neither a file nor a folder.", code="not-found")
            _add(tree, parent, found, Sourced(_entry(found, (name,)), at, names), _Walk(follow, ()))
    except OSError as error:
        refusal = refusal_of(error, (str(base), *names))
        raise TransferError(refusal.text, code=refusal.code) from error


@dataclass(frozen=True, slots=True)
class _Walk:
    follow: bool
    inside: tuple[tuple[int, int], ...]
    """The folders that we are in: a followed link may lead back to one."""


def _entry(found: Found, path: tuple[str, ...]) -> Entry:
    kind = EntryKind.FOLDER if found.kind is FoundKind.FOLDER else EntryKind.FILE
    return Entry(kind, found.mode, found.size if kind is EntryKind.FILE else 0, found.mtime_ns, path)


def _add(tree: Tree, parent: Folder, found: Found, sourced: Sourced, walk: _Walk) -> None:
    tree.add(sourced)
    if found.kind is not FoundKind.FOLDER:
        return
    name = sourced.names[-1] if sourced.names else ""
    inside = _Walk(walk.follow, (*walk.inside, found.identity))
    try:
        with parent.enter(name) as folder:
            for below in sorted(folder.names()):
                if not is_partial(below):
                    _add_below(tree, folder, sourced, below, inside)
    except OSError as error:
        tree.leave_out(refusal_of(error, sourced.entry.path), sourced.entry.path)


def _add_below(tree: Tree, folder: Folder, above: Sourced, name: str, walk: _Walk) -> None:
    path = (*above.entry.path, name)
    try:
        try:
            check_path(path)
        except TransferError:
            raise Refusal("bad-name", f"{spelled(path)}: a name that cannot be sent.") from None
        if sum(len(part.encode()) + 1 for part in path) > limits.FILE_PATH_BYTES:
            raise Refusal("bad-name", f"{spelled(path)}: the path is too long.")  # noqa: TRY301 - noted below
        found = folder.look(name)
        if found is None:
            return  # it was deleted a moment ago
        at = Sourced(_entry(found, path), above.base, (*above.names, name))
        if found.kind is FoundKind.LINK:
            if walk.follow:
                _follow(tree, at, walk)
            else:
                tree.add(Sourced(_link(folder, name, found, path), at.base, at.names))
        elif found.kind is FoundKind.OTHER:
            raise Refusal("bad-name", f"{spelled(path)}: a device, pipe or socket.")  # noqa: TRY301 - as above
        else:
            _add(tree, folder, found, at, walk)
    except Refusal as refusal:
        tree.leave_out(refusal, path)
    except OSError as error:
        tree.leave_out(refusal_of(error, path), path)


def _link(folder: Folder, name: str, found: Found, path: tuple[str, ...]) -> Entry:
    spelling = folder.read_link(name).replace(os.sep, "/")
    target = tuple(part for part in spelling.split("/") if part not in ("", "."))
    if spelling.startswith("/") or not target or not stays_inside(path, target):
        raise Refusal(
            "bad-link",
            f"{spelled(path)}: a link that leads out of what is sent.",
        )
    try:
        check_target(target)
    except TransferError:
        raise Refusal("bad-link", f"{spelled(path)}: a link whose target cannot be sent.") from None
    return Entry(EntryKind.LINK, 0o777, 0, found.mtime_ns, path, target)


def _follow(tree: Tree, at: Sourced, walk: _Walk) -> None:
    real = Path(os.path.realpath(tree.bases[at.base].joinpath(*at.names)))
    with open_folder(real.parent) as parent:
        found = parent.look(real.name)
        if found is None:
            raise Refusal("not-found", f"{spelled(at.entry.path)}: a link that leads nowhere.")
        if found.kind not in (FoundKind.FILE, FoundKind.FOLDER) or found.identity in walk.inside:
            raise Refusal("bad-link", f"{spelled(at.entry.path)}: a link that leads back, or to a device.")
        tree.bases.append(real.parent)
        sourced = Sourced(_entry(found, at.entry.path), len(tree.bases) - 1, (real.name,))
        _add(tree, parent, found, sourced, walk)
