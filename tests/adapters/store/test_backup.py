"""Backups: what is in them, who can open them, and that restoring is all or nothing (docs/identity.md)."""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
import stat
import subprocess
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyrage  # type: ignore[import-untyped]
import pytest

from p4.adapters.store import backup, files, filesystem, moved, restore
from p4.adapters.store.backup_contents import belongs, snapshot
from p4.adapters.store.backup_manifest import MANIFEST, BackedUpFile, Manifest, is_plain_path
from p4.adapters.store.database import open_database
from p4.adapters.store.keys_file import load_keys, save_keys
from p4.adapters.store.state_dir import StateDirectory
from p4.core.identity import Identity
from p4.core.own_keys import OwnKeys
from p4.errors import InputError, StateError

PASSPHRASE = "correct horse battery"
ME, NEXT = Identity(bytes(range(32))), Identity(bytes(range(32, 64)))


class Quick:
    """Age files without scrypt, which takes a second each time on purpose: a key for each passphrase."""

    def __init__(self) -> None:
        self._keys: dict[str, Any] = {}

    def encrypt(self, data: bytes, passphrase: str) -> bytes:
        key = self._keys.setdefault(passphrase, pyrage.x25519.Identity.generate())
        return bytes(pyrage.encrypt(data, [key.to_public()]))

    def decrypt(self, data: bytes, passphrase: str) -> bytes:
        key = self._keys.get(passphrase) or pyrage.x25519.Identity.generate()
        return bytes(pyrage.decrypt(data, [key]))


@pytest.fixture(autouse=True)
def quick(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    if request.node.get_closest_marker("slow"):
        return pyrage.passphrase
    quick = Quick()
    monkeypatch.setattr(pyrage, "passphrase", quick)
    return quick


@pytest.fixture
def device(tmp_path: Path) -> Path:
    directory = tmp_path / "device"
    state = StateDirectory(directory)
    state.prepare()
    state.create_identity(ME.seed)
    open_database(state.database_path).close()
    with sqlite3.connect(state.database_path) as connection:
        connection.execute("INSERT INTO relation (peer_id, out_next) VALUES ('a', 7)")
    connection.close()
    (directory / "streams" / "aa-01").mkdir(parents=True)
    (directory / "streams" / "aa-01" / "00000000").write_bytes(b"bytes that wait")
    (directory / "daemon").mkdir()
    (directory / "daemon" / "endpoint.json").write_text("a run's")
    (directory / "onionrelay" / "tor").mkdir(parents=True)
    (directory / "onionrelay" / "tor" / "cached-certs").write_text("Tor's")
    (directory / "onionrelay" / "onion_v3_key_blob.txt").write_text("the address's key")
    return directory


def content(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def sealed(path: Path, members: dict[str, bytes], *, kind: bytes = tarfile.REGTYPE) -> Path:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.type = len(data), kind if name != MANIFEST else tarfile.REGTYPE
            member.linkname = "/etc/passwd"
            archive.addfile(member, io.BytesIO(data))
    path.write_bytes(pyrage.passphrase.encrypt(buffer.getvalue(), PASSPHRASE))
    return path


@pytest.mark.slow
def test_a_passphrase_of_age_opens_it_and_another_does_not(device: Path, tmp_path: Path) -> None:
    target = tmp_path / "backup.age"
    backup.back_up(device, target, PASSPHRASE)
    assert pyrage.passphrase.decrypt(target.read_bytes(), PASSPHRASE).startswith(MANIFEST.encode())
    with pytest.raises(InputError) as caught:
        restore.restore(target, tmp_path / "back", "another passphrase")
    assert caught.value.code == "wrong-passphrase"
    restore.restore(target, tmp_path / "back", PASSPHRASE)


def test_a_device_comes_back_as_it_was(device: Path, tmp_path: Path) -> None:
    target, back = tmp_path / "backup.age", tmp_path / "back"
    manifest = backup.back_up(device, target, PASSPHRASE)
    assert manifest.peer_id == ME.peer_id
    assert not manifest.moved
    if os.name == "posix":
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert restore.restore(target, back, PASSPHRASE) == manifest
    found = content(back)
    assert set(found) == {
        "identity_ed25519.json",
        "p4.sqlite3",
        "streams/aa-01/00000000",
        "onionrelay/onion_v3_key_blob.txt",
    }
    state = StateDirectory(back)
    state.prepare()  # as private as it must be
    assert state.load_identity() == ME
    connection = open_database(state.database_path)
    assert connection.execute("SELECT out_next FROM relation").fetchone() == (7,)
    connection.close()
    assert not list(tmp_path.glob(".*")), "nothing is left over"


def test_other_programs_can_open_it(device: Path, tmp_path: Path) -> None:
    backup.back_up(device, tmp_path / "b", PASSPHRASE)
    plain = pyrage.passphrase.decrypt((tmp_path / "b").read_bytes(), PASSPHRASE)
    if shutil.which("tar"):
        subprocess.run(["tar", "-x", "-C", str(tmp_path)], input=plain, check=True)
        assert (tmp_path / "identity_ed25519.json").read_bytes() == (
            device / "identity_ed25519.json"
        ).read_bytes()


def test_it_is_of_one_moment_while_others_write(device: Path, tmp_path: Path) -> None:
    """A writer keeps two rows equal; every backup finds them equal."""
    path, ended = device / "p4.sqlite3", threading.Event()
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO relation (peer_id, out_next) VALUES ('b', 7)")
    connection.close()

    def write() -> None:
        writer = sqlite3.connect(path, isolation_level=None, timeout=10)
        while not ended.is_set():
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("UPDATE relation SET out_next = out_next + 1 WHERE peer_id = 'a'")
            writer.execute("UPDATE relation SET out_next = out_next + 1 WHERE peer_id = 'b'")
            writer.execute("COMMIT")
        writer.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        seen = set()
        for _ in range(20):
            (tmp_path / "copy.db").write_bytes(snapshot(device).files["p4.sqlite3"])
            copy = sqlite3.connect(tmp_path / "copy.db")
            one, other = (row[0] for row in copy.execute("SELECT out_next FROM relation ORDER BY peer_id"))
            copy.close()
            assert one == other
            seen.add(one)
    finally:
        ended.set()
        thread.join()
    assert seen


def test_nothing_is_replaced_and_short_passphrases_are_refused(device: Path, tmp_path: Path) -> None:
    target = tmp_path / "b"
    with pytest.raises(InputError, match="too short"):
        backup.back_up(device, target, "1234567")
    target.write_text("somebody's")
    with pytest.raises(StateError) as caught:
        backup.back_up(device, target, PASSPHRASE)
    assert caught.value.code == "exists"
    assert target.read_text() == "somebody's"
    with pytest.raises(StateError) as caught:
        backup.back_up(tmp_path / "nothing", tmp_path / "c", PASSPHRASE)
    assert caught.value.code == "no-identity"
    assert not (tmp_path / "c").exists()


def test_a_wrong_passphrase_or_a_damaged_file_changes_nothing(device: Path, tmp_path: Path) -> None:
    target, back = tmp_path / "b", tmp_path / "back"
    backup.back_up(device, target, PASSPHRASE)
    with pytest.raises(InputError) as caught:
        restore.restore(target, back, "another passphrase")
    assert caught.value.code == "wrong-passphrase"
    whole = target.read_bytes()
    for damaged in (whole[:-100], whole[: len(whole) // 2] + b"x" + whole[len(whole) // 2 + 1 :], whole[:30]):
        target.write_bytes(damaged)
        with pytest.raises(InputError):
            restore.restore(target, back, PASSPHRASE)
    target.write_bytes(b"hello")
    with pytest.raises(InputError) as caught:
        restore.restore(target, back, PASSPHRASE)
    assert caught.value.code == "no-backup"
    with pytest.raises(InputError):
        restore.restore(tmp_path / "absent", back, PASSPHRASE)
    assert not back.exists()


def test_only_into_an_empty_directory(device: Path, tmp_path: Path) -> None:
    target = tmp_path / "b"
    backup.back_up(device, target, PASSPHRASE)
    before = content(device)
    with pytest.raises(StateError) as caught:
        restore.restore(target, device, PASSPHRASE)
    assert caught.value.code == "not-empty"
    assert content(device) == before
    (tmp_path / "empty").mkdir()
    restore.restore(target, tmp_path / "empty", PASSPHRASE)
    assert (tmp_path / "empty" / "identity_ed25519.json").exists()


def manifest_of(members: dict[str, bytes], **changes: object) -> bytes:
    entries = tuple(BackedUpFile.of(path, data) for path, data in members.items())
    return Manifest(1, ME.peer_id, False, entries).to_bytes()


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/evil",
        "a/../../evil",
        "C:/evil",
        "a\\evil",
        ".ssh/evil",
        "nul\x00",
        "p4.lock",
        "moved.json",
        "a./b",
    ],
)
def test_files_that_lead_elsewhere_are_refused(name: str, device: Path, tmp_path: Path) -> None:
    assert not belongs(name)
    members = {"identity_ed25519.json": (device / "identity_ed25519.json").read_bytes(), name: b"x"}
    source = sealed(tmp_path / "b", {MANIFEST: manifest_of(members), **members})
    with pytest.raises(InputError) as caught:
        restore.restore(source, tmp_path / "x" / "back", PASSPHRASE)
    assert caught.value.code == "no-backup"
    assert not (tmp_path / "x" / "back").exists()
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda members: members.pop("identity_ed25519.json"),
        lambda members: members.update({"identity_ed25519.json": b"{}"}),
        lambda members: members.update({"extra": b"x"}),
        lambda members: members.update({"contacts.json": b"no list"}),
        lambda members: members.update({"keys.json": b"{}"}),
        lambda members: members.update({"p4.sqlite3": b"no database at all, but long enough to be one"}),
        lambda members: members.pop(MANIFEST),
        lambda members: members.update({MANIFEST: b"{}"}),
    ],
)
@pytest.mark.parametrize("listed", [True, False])
def test_what_does_not_fit_together_is_refused(
    change: Callable[[dict[str, bytes]], object], listed: bool, device: Path, tmp_path: Path
) -> None:
    members = {"identity_ed25519.json": (device / "identity_ed25519.json").read_bytes()}
    whole = {MANIFEST: manifest_of(members), **members}
    change(whole)
    if listed and MANIFEST in whole and whole[MANIFEST] != b"{}":
        whole[MANIFEST] = manifest_of({name: data for name, data in whole.items() if name != MANIFEST})
        if set(whole) == {MANIFEST, "identity_ed25519.json", "extra"}:
            return  # an unknown file that is listed is a newer version's
    with pytest.raises(InputError):
        restore.restore(sealed(tmp_path / "b", whole), tmp_path / "back", PASSPHRASE)
    assert not (tmp_path / "back").exists()
    assert not list(tmp_path.glob(".*"))


def test_links_are_refused(device: Path, tmp_path: Path) -> None:
    members = {"identity_ed25519.json": b""}
    source = sealed(tmp_path / "b", {MANIFEST: manifest_of(members), **members}, kind=tarfile.SYMTYPE)
    with pytest.raises(InputError):
        restore.restore(source, tmp_path / "back", PASSPHRASE)


class CutOff(BaseException):
    """The process was killed."""


def test_killed_at_any_step_there_is_all_or_nothing(
    device: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "b"
    backup.back_up(device, target, PASSPHRASE)
    opened = backup.open_backup(target, PASSPHRASE)
    monkeypatch.setattr(restore, "open_backup", lambda *_: opened)
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)  # no clean-up after kill -9
    steps, limit = [0], [0]

    def counted(function: Callable[..., object]) -> Callable[..., object]:
        def step(*arguments: object, **options: object) -> object:
            steps[0] += 1
            if steps[0] > limit[0]:
                raise CutOff
            return function(*arguments, **options)

        return step

    monkeypatch.setattr(files, "write_atomically", counted(files.write_atomically))
    monkeypatch.setattr(filesystem, "sync_directory", counted(filesystem.sync_directory))
    monkeypatch.setattr(os, "rename", counted(os.rename))
    for limit[0] in range(100):
        steps[0], back = 0, tmp_path / f"back-{limit[0]}"
        try:
            restore.restore(target, back, PASSPHRASE)
        except CutOff:
            if back.exists():
                assert set(content(back)) == set(opened[1])
        else:
            break
    assert limit[0] > 5


def test_a_device_that_moved_does_not_start_until_that_is_taken_back(device: Path, tmp_path: Path) -> None:
    manifest = backup.move_out(device, tmp_path / "b", PASSPHRASE)
    assert manifest.moved
    with pytest.raises(StateError) as caught:
        moved.refuse_if_moved(device)
    assert caught.value.code == "moved"
    assert "--undo-move" in caught.value.message
    restore.restore(tmp_path / "b", tmp_path / "back", PASSPHRASE)
    moved.refuse_if_moved(tmp_path / "back")
    assert moved.unseal(device)
    assert not moved.unseal(device)
    moved.refuse_if_moved(device)
    (device / moved.MOVED_FILE).write_text("damaged")
    with pytest.raises(StateError):
        moved.refuse_if_moved(device)


def test_a_move_that_fails_leaves_the_device_as_it_was(device: Path, tmp_path: Path) -> None:
    (tmp_path / "b").write_text("in the way")
    with pytest.raises(StateError):
        backup.move_out(device, tmp_path / "b", PASSPHRASE)
    moved.refuse_if_moved(device)


def test_the_seal_comes_before_the_backup(
    device: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise CutOff

    monkeypatch.setattr(backup, "back_up", killed)
    with pytest.raises(CutOff):
        backup.move_out(device, tmp_path / "b", PASSPHRASE)
    with pytest.raises(StateError):
        moved.refuse_if_moved(device)


def test_open_invites_stay_behind(device: Path, tmp_path: Path) -> None:
    """They are used once: of words, one guess is made, and a backup from before must not give another."""
    (device / "invites.json").write_bytes(b'{"version": 1, "invites": []}')
    (device / "device_name.txt").write_bytes(b"laptop")
    found = snapshot(device).files
    assert "invites.json" not in found
    assert "device_name.txt" in found


@pytest.mark.parametrize("path", ["a", "streams/0123-04/00000001", "p4.sqlite3", "daemon/apps.db"])
def test_paths_of_ours_are_plain(path: str) -> None:
    assert is_plain_path(path)
    assert belongs(path)


def test_a_rotation_that_was_cut_short_is_finished_at_the_next_start(device: Path) -> None:
    keys = OwnKeys(ME).rotated(NEXT, [], now_ms=1)
    before = (device / "identity_ed25519.json").read_bytes()
    save_keys(device, keys)
    (device / "identity_ed25519.json").write_bytes(before)  # killed between the two files
    state = StateDirectory(device)
    assert load_keys(device, state.load_identity() or ME) == keys
    assert state.load_identity() == NEXT
    with pytest.raises(StateError) as caught:
        load_keys(device, Identity(bytes(32)))
    assert caught.value.code == "foreign-keys"
    (device / "keys.json").write_text("{")
    with pytest.raises(StateError):
        load_keys(device, NEXT)
