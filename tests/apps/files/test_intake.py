"""The receiving side, operation by operation: it dies at each of them, and is given what is not right."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

import pytest
from tests.apps.files.dying_folder import DyingFolder, Life, PowerFailure
from tests.apps.files.hostile_sender import (
    digest_of,
    file_entry,
    folder_entry,
    link_entry,
    make_intake,
    names_given,
    numbers,
    send_all,
)

from p4.apps.files import shelf
from p4.apps.files.frames import (
    Again,
    Complete,
    Data,
    End,
    Entry,
    Failed,
    FileFrame,
    FileStart,
    Finish,
    Go,
    Hole,
    Listed,
    Manifest,
    Stored,
    Verdict,
    Verdicts,
)
from p4.apps.files.intake import Intake
from p4.apps.files.partials import Partials
from p4.apps.files.places import Folder, Found, open_folder
from p4.apps.files.places.portable import PortableFolder
from p4.apps.files.places.posix import PosixFolder
from p4.core import limits
from p4.errors import TransferError

LARGE = os.urandom(700_000)
TREE: list[tuple[Entry, bytes]] = [
    (folder_entry("P"), b""),
    (file_entry("P", "a", content=b"aaa"), b"aaa"),
    (file_entry("P", "empty"), b""),
    (folder_entry("P", "sub"), b""),
    (file_entry("P", "sub", "large", content=LARGE), LARGE),
    (link_entry(("P", "link"), ("sub", "large")), b""),
]
WHOLE = {"a": b"aaa", "empty": b"", "large": LARGE}


def files_of(share: Path) -> dict[str, bytes]:
    """Files that have a name of their own; whoever looks at any moment must see nothing half."""
    found = share.rglob("*")
    return {p.name: p.read_bytes() for p in found if p.is_file() and not p.is_symlink() and p.name[0] != "."}


def play(intake: Intake, sent: list[tuple[Entry, bytes]], look: Callable[[], None]) -> list[FileFrame]:
    """As `send_all`, in small pieces, and looking at the disk between them."""
    told: list[FileFrame] = []
    for entry, _ in sent:
        told += intake.take(Manifest(entry))
    told += intake.take(Listed(len(sent)))
    wanted = [v for frame in told if isinstance(frame, Verdicts) for v in frame.verdicts if v[1] == 0]
    for number, _, position in wanted:
        entry, content = sent[number]
        told += intake.take(FileStart(number, position, entry))
        for begin in range(position, len(content), 100_000):
            told += intake.take(Data(content[begin : min(begin + 100_000, len(content))]))
            told += intake.sync()
            look()
        told += intake.take(End(digest_of(content)))
        look()
    told += intake.take(Finish())
    return told


def test_it_dies_at_every_operation_on_the_disk(tmp_path: Path) -> None:
    operations, resumed = 0, 0
    while True:
        share = tmp_path / str(operations)
        share.mkdir()
        partials, life = Partials(), Life(operations)

        def look(share: Path = share) -> None:
            for name, content in files_of(share).items():
                assert content == WHOLE[name], f"{name} has its name and is not whole"

        intake = make_intake(DyingFolder(open_folder(share), life), partials)
        with suppress(PowerFailure):
            play(intake, TREE, look)
        died = not intake.complete
        look()
        remembered = Partials()
        remembered.load({name: part for name, part in partials.changes().items() if part is not None})
        with suppress(PowerFailure):
            intake.close()
        second = make_intake(share, remembered)
        told = send_all(second, TREE)
        second.close()
        resumed += any(
            position > 0 for frame in told if isinstance(frame, Verdicts) for _, _, position in frame.verdicts
        )
        assert files_of(share) == WHOLE, f"after operation {operations}"
        assert not list(share.rglob(".p4-*")), f"after operation {operations}"
        operations += 1
        if not died:
            break
    assert operations > 30
    assert resumed > 5


@pytest.mark.parametrize("portable", [False, True])
def test_a_wrong_hash_leaves_nothing(portable: bool, tmp_path: Path) -> None:
    entry = file_entry("a", content=b"good")
    folder = PortableFolder.open(tmp_path) if portable else open_folder(tmp_path)
    intake = make_intake(folder)
    list(intake.take(Manifest(entry)))
    list(intake.take(Listed(1)))
    told: list[FileFrame] = []
    for _ in range(2):
        for frame in (FileStart(0, 0, entry), Data(b"evil"), End(digest_of(b"good")), Finish()):
            told += intake.take(frame)
        assert files_of(tmp_path) == {}
    intake.close()
    assert [type(frame) for frame in told] == [Again, Failed, Complete]
    assert list((tmp_path / "laptop").iterdir()) == []


def test_a_half_file_that_was_damaged_is_sent_again(tmp_path: Path) -> None:
    entry, partials = file_entry("a", content=LARGE), Partials()
    first = make_intake(tmp_path, partials)
    begun: list[FileFrame] = [Manifest(entry), Listed(1), FileStart(0, 0, entry), Data(LARGE[:200_000])]
    for frame in begun:
        list(first.take(frame))
    first.sync()
    first.close()
    (half,) = (tmp_path / "laptop").iterdir()
    half.write_bytes(b"\0" * 200_000)
    second = make_intake(tmp_path, partials)
    told = [*second.take(Manifest(entry)), *second.take(Listed(1))]
    assert told == [Verdicts(((0, Verdict.SEND, 200_000),)), Go()]
    list(second.take(FileStart(0, 200_000, entry)))
    list(second.take(Data(LARGE[200_000:])))
    assert [type(frame) for frame in second.take(End(digest_of(LARGE)))] == [Again]
    assert list(second.take(Finish())) == []
    again: list[FileFrame] = [FileStart(0, 0, entry), Data(LARGE), End(digest_of(LARGE))]
    for frame in again:
        list(second.take(frame))
    assert [type(frame) for frame in second.take(Finish())] == [Stored, Complete]
    second.close()
    assert files_of(tmp_path) == {"a": LARGE}


def test_a_hole_stays_one(tmp_path: Path) -> None:
    size = limits.FILE_HOLE_BYTES
    content = bytes(size) + b"end"
    entry = file_entry("sparse", content=content)
    intake = make_intake(tmp_path)
    told: list[FileFrame] = []
    frames = (
        Manifest(entry),
        Listed(1),
        FileStart(0, 0, entry),
        Hole(size),
        Data(b"end"),
        End(digest_of(content)),
    )
    for frame in (*frames, Finish()):
        told += intake.take(frame)
    intake.close()
    path = tmp_path / "laptop" / "sparse"
    assert path.read_bytes() == content
    assert path.stat().st_blocks * 512 < size


class FoldingFolder(PosixFolder):
    """As on macOS and Windows: names that differ in case only are one file's, which keeps the first."""

    def _spelled(self, name: str) -> str:
        return next((other for other in self.names() if other.casefold() == name.casefold()), name)

    def enter(self, name: str = "") -> PosixFolder:
        with super().enter(self._spelled(name) if name else "") as real:
            return FoldingFolder(os.dup(real._descriptor))

    def look(self, name: str) -> Found | None:
        return super().look(self._spelled(name))

    def place(self, name: str, final: str, *, replace: bool) -> None:
        super().place(name, self._spelled(final), replace=replace)

    def read(self, name: str) -> IO[bytes]:
        return super().read(self._spelled(name))


@pytest.mark.parametrize("overwrite", [False, True])
def test_two_names_that_the_disk_takes_for_one_are_both_kept(overwrite: bool, tmp_path: Path) -> None:
    sent = [
        (file_entry("READ.me", content=b"one"), b"one"),
        (file_entry("read.ME", content=b"two2"), b"two2"),
    ]
    for _ in range(2):
        intake = make_intake(FoldingFolder(os.open(tmp_path, os.O_RDONLY)), overwrite=overwrite)
        told = send_all(intake, sent)
        intake.close()
    assert sorted(files_of(tmp_path).values())[:2] == [b"one", b"two2"]
    assert "READ.me" in files_of(tmp_path)
    assert files_of(tmp_path)["READ.me"] == b"one"
    assert set(names_given(told).values()) <= {"read (2).ME", "read (3).ME"}


def test_a_full_disk_is_told_and_nothing_half_has_a_name(tmp_path: Path) -> None:
    class NoRoom(PosixFolder):
        def free(self) -> int:
            return limits.FILE_RESERVE_BYTES + 3

    entry = file_entry("a", content=b"four")
    intake = make_intake(NoRoom(os.open(tmp_path, os.O_RDONLY)))
    list(intake.take(Manifest(entry)))
    with pytest.raises(TransferError) as full:
        list(intake.take(Listed(1)))
    assert full.value.code == "disk-full"
    intake.close()
    assert files_of(tmp_path) == {}


def test_a_folder_that_may_not_be_written_to(tmp_path: Path) -> None:
    class Forbidding(PosixFolder):
        def write(self, name: str, *, anew: bool) -> IO[bytes]:
            raise PermissionError(errno.EACCES, "no")

        def enter(self, name: str = "") -> PosixFolder:
            return Forbidding(os.dup(PosixFolder.enter(self, name)._descriptor))

    intake = make_intake(Forbidding(os.open(tmp_path, os.O_RDONLY)))
    told = send_all(intake, [(file_entry("a", content=b"a"), b"a")])
    intake.close()
    (failed,) = (frame for frame in told if isinstance(frame, Failed))
    assert failed.code == "permission"
    assert numbers(told, Stored) == set()


@pytest.mark.parametrize(
    "frames",
    [
        [Data(b"x")],
        [End(bytes(32))],
        [Finish()],
        [Go()],
        [Manifest(TREE[1][0]), Listed(2)],
        [Listed(0), Listed(0)],
        [Manifest(TREE[1][0]), FileStart(0, 0, TREE[1][0])],
        [Listed(0), FileStart(0, 0, TREE[1][0])],
        [Manifest(TREE[1][0]), Listed(1), FileStart(0, 0, TREE[1][0]), Data(b"aaaa")],
        [Manifest(TREE[1][0]), Listed(1), FileStart(0, 0, TREE[1][0]), End(bytes(32))],
        [Manifest(TREE[1][0]), Listed(1), FileStart(0, 0, TREE[1][0]), Finish()],
    ],
)
def test_frames_out_of_turn_end_the_transfer(frames: list[FileFrame], tmp_path: Path) -> None:
    intake = make_intake(tmp_path)
    with pytest.raises(TransferError) as broken:  # noqa: PT012 - whichever of them it is
        for frame in frames:
            list(intake.take(frame))
    intake.close()
    assert broken.value.code == "protocol"
    assert files_of(tmp_path) == {}


def test_what_was_not_asked_for_is_refused(tmp_path: Path) -> None:
    intake = make_intake(tmp_path, base=(), roots={"notes.txt": "notes.txt"})
    with pytest.raises(TransferError) as refused:
        list(intake.take(Manifest(file_entry(".bashrc", content=b"evil"))))
    intake.close()
    assert refused.value.code == "protocol"


# --- mutants: each of these bugs must be found by a test above ----------------------------------------------


def _no_hash_check(monkeypatch: pytest.MonkeyPatch) -> None:
    def end(self: Intake, digest: bytes) -> list[FileFrame]:
        arriving, self._open = self._open, None
        assert arriving is not None
        self._shelf.add(arriving)
        return []

    monkeypatch.setattr(Intake, "_end", end)


def _name_at_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    real = shelf.Arriving.write

    def write(self: shelf.Arriving, data: bytes) -> None:
        real(self, data)
        with suppress(FileExistsError):
            os.link(self.partial, self.names[-1], src_dir_fd=_fd(self.folder), dst_dir_fd=_fd(self.folder))

    monkeypatch.setattr(shelf.Arriving, "write", write)


def _fd(folder: Folder) -> int:
    real = folder.real if isinstance(folder, DyingFolder) else folder
    assert isinstance(real, PosixFolder)
    return real._descriptor


def _forgets_half_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Partials, "remember", lambda *_ignored: None)


@pytest.mark.parametrize(
    ("plant", "test"),
    [
        (_no_hash_check, lambda path: test_a_wrong_hash_leaves_nothing(False, path)),
        (_name_at_the_beginning, test_it_dies_at_every_operation_on_the_disk),
        (_forgets_half_files, test_it_dies_at_every_operation_on_the_disk),
    ],
)
def test_mutants_are_found(
    plant: Callable[[pytest.MonkeyPatch], None],
    test: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        test(tmp_path)
