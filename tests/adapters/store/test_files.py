"""Files are written whole or not at all, and never lost."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from p4.adapters.store import files, filesystem
from p4.errors import CorruptFileError, PermissionsError, StateError

posix_only = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no mode bits (see filesystem.py)"
)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@posix_only
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_new_file_is_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        files.write_atomically(tmp_path / "key", b"secret")
    finally:
        os.umask(before)
    assert (tmp_path / "key").read_bytes() == b"secret"
    assert mode_of(tmp_path / "key") == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]


def test_a_reader_sees_the_old_or_the_new_contents_never_a_mixture(tmp_path: Path) -> None:
    path = tmp_path / "contacts"
    contents = {bytes([letter]) * 200_000 for letter in range(65, 70)}
    files.write_atomically(path, min(contents))
    done = threading.Event()
    seen: set[bytes] = set()

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(10):
            for data in contents:
                files.write_atomically(path, data)
    finally:
        done.set()
        reader.join()
    assert seen <= contents
    assert len(seen) > 1


@pytest.mark.parametrize("failing", ["sync_file", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_failure_half_way_leaves_the_old_contents_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, number: int
) -> None:
    path = tmp_path / "key"
    files.write_atomically(path, b"old")

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(filesystem, failing, fail)
    with pytest.raises(StateError) as caught:
        files.write_atomically(path, b"new")
    assert caught.value.code == ("disk-full" if number == errno.ENOSPC else "io-error")
    assert caught.value.path == str(path)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]


def test_a_full_disk_leaves_the_old_contents(small_disk: Path) -> None:
    path = small_disk / "contacts.json"
    files.write_atomically(path, b"old")
    with pytest.raises(StateError, match=r"the disk is full.*unchanged.*Free some space"):
        files.write_atomically(path, bytes(1024 * 1024))
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in small_disk.iterdir()] == ["contacts.json"]
    files.write_atomically(path, b"new")
    assert path.read_bytes() == b"new"


def test_the_bytes_are_synced_before_the_name_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order that makes it durable; the calls themselves go through."""
    order: list[str] = []
    for name in ("sync_file", "replace", "sync_directory"):
        real = getattr(filesystem, name)

        def note(*arguments: object, name: str = name, real: object = real) -> None:
            order.append(name)
            real(*arguments)  # type: ignore[operator]

        monkeypatch.setattr(filesystem, name, note)
    files.write_atomically(tmp_path / "key", b"secret")
    # The last one is the directory's.
    assert order == ["sync_file", "replace", "sync_directory", "sync_file"]


@pytest.mark.parametrize("links", [True, False])
def test_exclusive_never_replaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    if not links:

        def refuse(*_: object) -> None:
            raise OSError(errno.EPERM, "no hard links here")

        monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "identity"
    files.write_atomically(path, b"first", exclusive=True)
    with pytest.raises(StateError) as caught:
        files.write_atomically(path, b"second", exclusive=True)
    assert caught.value.code == "exists"
    assert path.read_bytes() == b"first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["identity"]


def test_reading_gives_none_for_a_missing_file_and_refuses_a_huge_one(tmp_path: Path) -> None:
    assert files.read_bytes(tmp_path / "none", at_most=10) is None
    (tmp_path / "ten").write_bytes(b"0123456789")
    assert files.read_bytes(tmp_path / "ten", at_most=10) == b"0123456789"
    with pytest.raises(StateError) as caught:
        files.read_bytes(tmp_path / "ten", at_most=9)
    assert caught.value.code == "too-large"


@posix_only
def test_wide_permissions_are_refused_with_one_command_that_mends_all_of_them(tmp_path: Path) -> None:
    directory = tmp_path / "it's a state; dir"
    directory.mkdir(mode=0o755)
    directory.chmod(0o755)
    key, list_, narrow = directory / "key", directory / "con tacts", directory / "narrow"
    for path, mode in ((key, 0o644), (list_, 0o660), (narrow, 0o600)):
        path.write_bytes(b"x")
        path.chmod(mode)
    with pytest.raises(PermissionsError) as caught:
        files.check_private([directory, key, list_, narrow, directory / "missing"])
    command = next(line for line in str(caught.value).splitlines() if "chmod" in line)
    assert "narrow" not in command
    subprocess.run(["sh", "-c", command.strip()], check=True)
    files.check_private([directory, key, list_, narrow])
    assert [mode_of(path) for path in (directory, key, list_)] == [0o700, 0o600, 0o600]


@posix_only
@pytest.mark.parametrize("mode", [0o601, 0o602, 0o604, 0o610, 0o620, 0o640])
def test_any_right_of_others_is_too_much(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"x")
    path.chmod(mode)
    with pytest.raises(PermissionsError):
        files.check_private([path])


@posix_only
def test_owner_rights_are_the_owners_business(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"x")
    path.chmod(0o400)
    files.check_private([path])


@posix_only
@pytest.mark.parametrize(
    ("owner", "user", "refused"),
    [(1000, 1000, False), (0, 1000, False), (1001, 1000, True), (1001, 0, False)],
)
def test_files_of_another_user_are_refused_except_by_and_from_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: int, user: int, refused: bool
) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"x")
    fields = list(path.stat())
    fields[stat.ST_UID], fields[stat.ST_MODE] = owner, stat.S_IFREG | 0o600
    monkeypatch.setattr(Path, "stat", lambda _self, **_: os.stat_result(fields))
    monkeypatch.setattr(os, "geteuid", lambda: user)
    if not refused:
        files.check_private([path])
        return
    with pytest.raises(PermissionsError, match=r"belongs to another user \(id 1001\)") as caught:
        files.check_private([path])
    assert caught.value.code == "foreign-owner"


def test_setting_aside_keeps_every_byte_and_every_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "identity.json"
    kept = []
    for number in range(3):
        path.write_bytes(f"broken {number}".encode())
        error = files.set_aside(path, "is broken", consequence="Nothing else happened.")
        assert isinstance(error, CorruptFileError)
        assert Path(error.kept_as).name in str(error)
        kept.append(Path(error.kept_as))
    assert not path.exists()
    assert [copy.read_bytes() for copy in kept] == [b"broken 0", b"broken 1", b"broken 2"]


def test_companions_go_along_under_names_that_still_fit(tmp_path: Path) -> None:
    path = tmp_path / "p4.sqlite3"
    for name in ("p4.sqlite3", "p4.sqlite3-wal"):
        (tmp_path / name).write_bytes(name.encode())
    error = files.set_aside(
        path,
        "is broken",
        consequence="",
        companions=[tmp_path / "p4.sqlite3-wal", tmp_path / "p4.sqlite3-shm"],
    )
    kept = Path(error.kept_as)
    assert {entry.name for entry in tmp_path.iterdir()} == {kept.name, f"{kept.name}-wal"}
    assert kept.with_name(f"{kept.name}-wal").read_bytes() == b"p4.sqlite3-wal"


def test_what_cannot_be_set_aside_stays_where_it_is(tmp_path: Path, read_only: object) -> None:
    path = tmp_path / "disk" / "identity.json"
    path.parent.mkdir()
    path.write_bytes(b"broken")
    read_only(path.parent)  # type: ignore[operator]
    with pytest.raises(StateError) as caught:
        files.set_aside(path, "is broken", consequence="")
    assert caught.value.code in {"read-only", "access-denied"}
    assert path.read_bytes() == b"broken"
