"""The state directory: made private, opened from v1, never losing what it holds."""

from __future__ import annotations

import base64
import json
import os
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from tests.adapters.store.sample_state import FRIEND, ME, SEED, Warnings, onion_pair, write

from p4.adapters.store.state_dir import StateDirectory
from p4.core.address import RendezvousAddress, Transport
from p4.core.contacts import ContactBook
from p4.core.invite import Invite
from p4.errors import CorruptFileError, P4Error, PermissionsError, StateError

posix_only = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no mode bits (see filesystem.py)"
)


def names(directory: StateDirectory) -> set[str]:
    return {entry.name for entry in directory.path.iterdir()}


def pem(key: Ed25519PrivateKey | None = None, encryption: KeySerializationEncryption | None = None) -> bytes:
    key = key or Ed25519PrivateKey.from_private_bytes(SEED)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


def contacts() -> ContactBook:
    address = RendezvousAddress(Transport.DIRECT, "192.0.2.7", 4000)
    return ContactBook().add(Invite(FRIEND.public_key, address), "friend", me=ME.peer_id)


# --- the directory ----------------------------------------------------------------------------------


@posix_only
@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_it_is_made_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    state = StateDirectory(tmp_path / "deep" / "state")
    before = os.umask(umask)
    try:
        state.prepare()
        state.create_identity(SEED)
        state.save_contacts(contacts())
        state.save_onion_key(*onion_pair(SEED))
        with state.lock():
            modes = {
                entry: stat.S_IMODE(entry.stat().st_mode) for entry in [state.path, *state.path.rglob("*")]
            }
    finally:
        os.umask(before)
    assert len(modes) == 8
    for entry, mode in modes.items():
        assert mode == (0o700 if entry.is_dir() else 0o600), entry
    state.prepare()


def test_a_file_in_its_place_is_explained(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("mine")
    for path in (tmp_path / "state", tmp_path / "state" / "deeper"):
        with pytest.raises(StateError, match="a file where a directory is needed") as caught:
            StateDirectory(path).prepare()
        assert caught.value.code == "not-a-directory"
    assert (tmp_path / "state").read_text() == "mine"


def test_a_link_to_a_directory_is_followed_and_a_dangling_one_explained(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir(mode=0o700)
    (tmp_path / "state").symlink_to(tmp_path / "disk")
    state = StateDirectory(tmp_path / "state")
    state.prepare()
    state.create_identity(SEED)
    assert (tmp_path / "disk" / "identity_ed25519.json").is_file()
    (tmp_path / "gone").symlink_to(tmp_path / "not mounted")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for name in ("gone", "circle"):
        with pytest.raises(StateError, match="symbolic link that leads to no directory") as caught:
            StateDirectory(tmp_path / name).prepare()
        assert caught.value.code == "dangling-link"


def test_a_read_only_place_is_explained(tmp_path: Path, read_only: Callable[[Path], None]) -> None:
    disk = tmp_path / "disk"
    disk.mkdir(mode=0o700)
    read_only(disk)
    with pytest.raises(StateError) as caught:
        StateDirectory(disk / "state").prepare()
    assert caught.value.code in {"read-only", "access-denied"}
    for attempt in (
        lambda: StateDirectory(disk).create_identity(SEED),
        lambda: StateDirectory(disk).save_contacts(contacts()),
        lambda: StateDirectory(disk).save_onion_key(*onion_pair(SEED)),
    ):
        with pytest.raises(StateError) as caught:
            attempt()
        assert caught.value.code in {"read-only", "access-denied"}


def test_a_full_disk_is_explained_and_keeps_what_there_was(small_disk: Path) -> None:
    state = StateDirectory(small_disk)
    state.prepare()
    state.create_identity(SEED)
    state.save_contacts(contacts())
    with pytest.raises(OSError, match="space"):
        (small_disk / "filler").write_bytes(bytes(1024 * 1024))
    with pytest.raises(StateError, match="the disk is full"):
        state.save_contacts(ContactBook())
    assert state.load_contacts().contacts == contacts().contacts
    assert state.load_identity() == ME


def test_a_home_that_does_not_exist_is_explained() -> None:
    with pytest.raises(StateError) as caught:
        StateDirectory(Path("~no-such-user-here/p4"))
    assert caught.value.code == "no-home"


@posix_only
def test_a_mistyped_option_never_advises_to_close_a_strange_directory(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(StateError) as caught:
        StateDirectory(tmp_path).prepare()
    assert caught.value.code == "not-a-state-directory"
    assert "chmod" not in str(caught.value)


def test_old_half_written_files_are_swept_up_and_nothing_else(state: StateDirectory) -> None:
    old, new, strange = ".contacts.json.0a1b.new", ".contacts.json.2c3d.new", ".strange.new"
    for name in (old, new, strange):
        write(state.path / name, b"half")
    hours_ago = time.time() - 7200
    for name in (old, strange):
        os.utime(state.path / name, (hours_ago, hours_ago))
    with state.lock():
        assert names(state) == {new, strange, "p4.lock", "p4.pid"}


# --- identity ---------------------------------------------------------------------------------------


def test_a_new_identity_is_there_again_after_a_restart(state: StateDirectory) -> None:
    assert state.load_identity() is None
    assert state.create_identity(SEED) == ME
    assert StateDirectory(state.path).load_identity() == ME
    with pytest.raises(StateError) as caught:
        state.create_identity(b"x" * 32)
    assert caught.value.code == "identity-exists"
    assert state.load_identity() == ME


def identity_with(**changes: object) -> str:
    members: dict[str, object] = {
        "private_key_b64": base64.b64encode(SEED).decode(),
        "public_key_b64": base64.b64encode(ME.public_key).decode(),
        "peer_id": ME.peer_id,
    }
    return json.dumps({**members, **changes})


GOOD = identity_with()
OTHER_KEY = base64.b64encode(FRIEND.public_key).decode()


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("", "holds nothing"),
        (bytes(181), "nothing but zeros"),
        (GOOD[:100], "not JSON"),
        (GOOD[:-1], "not JSON"),
        (GOOD.encode()[:60] + bytes(120), "not JSON"),
        ("[" * 50_000, "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "no private key"),
        (identity_with(private_key_b64=7), "no private key"),
        (identity_with(private_key_b64="AAAA"), "not 32 bytes"),
        (identity_with(private_key_b64="?" * 44), "not 32 bytes"),
        (identity_with(public_key_b64=OTHER_KEY), "public key that does not belong"),
        (identity_with(public_key_b64=None), "public key that does not belong"),
        (identity_with(peer_id=FRIEND.peer_id), "peer id that does not belong"),
        (identity_with(peer_id=ME.peer_id.upper()), "peer id that does not belong"),
    ],
)
def test_a_damaged_identity_is_kept_reported_and_never_replaced(
    state: StateDirectory, data: bytes | str, problem: str
) -> None:
    raw = data.encode() if isinstance(data, str) else data
    path = state.path / "identity_ed25519.json"
    write(path, raw)
    with pytest.raises(CorruptFileError, match=problem) as caught:
        state.load_identity()
    kept = Path(caught.value.kept_as)
    assert kept.read_bytes() == raw
    assert not path.exists()
    # A new identity would be another person to every contact: not on the next start either.
    assert state.load_identity() is None
    with pytest.raises(StateError, match=r"stranger to all contacts.*backup") as refused:
        state.create_identity(b"n" * 32)
    assert refused.value.code == "identity-lost"
    assert kept.name in str(refused.value)
    # The user mends it by hand.
    write(path, GOOD)
    assert state.load_identity() == ME
    assert kept.read_bytes() == raw


def test_no_message_about_an_identity_shows_its_key(state: StateDirectory) -> None:
    secret = base64.b64encode(SEED).decode()
    for data in (GOOD[:-1], identity_with(peer_id="wrong"), identity_with(private_key_b64=secret + "x")):
        write(state.path / "identity_ed25519.json", data)
        with pytest.raises(CorruptFileError) as caught:
            state.load_identity()
        chain: BaseException | None = caught.value
        while chain is not None:
            assert secret[:12] not in f"{chain} {chain!r}"
            chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)


def test_a_huge_file_is_left_alone(state: StateDirectory) -> None:
    write(state.path / "identity_ed25519.json", bytes(1024 * 1024))
    with pytest.raises(StateError) as caught:
        state.load_identity()
    assert caught.value.code == "too-large"
    assert names(state) == {"identity_ed25519.json"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("contacts.json", b'[{"peer_id": "somebody"}]'),
        ("contacts.json", b"half of a lis"),
        ("p4.sqlite3", b"queues"),
        ("p4.sqlite3.corrupt-20260101T000000Z", b"queues"),
        ("identity_ed25519.pem.corrupt-20260101T000000Z", b"key"),
    ],
)
def test_traces_of_a_lost_identity_forbid_a_new_one(state: StateDirectory, name: str, content: bytes) -> None:
    write(state.path / name, content)
    assert state.load_identity() is None
    with pytest.raises(StateError) as caught:
        state.create_identity(SEED)
    assert caught.value.code == "identity-lost"
    assert names(state) == {name}


def test_an_empty_contact_list_is_no_trace(state: StateDirectory) -> None:
    write(state.path / "contacts.json", b"[]\n")
    assert state.create_identity(SEED) == ME


# --- the PEM form of older state --------------------------------------------------------------------


def test_a_pem_identity_is_migrated_and_kept(state: StateDirectory, told: Warnings) -> None:
    write(state.path / "identity_ed25519.pem", pem())
    assert state.load_identity() == ME
    assert len(told) == 1
    assert ME.peer_id in told[0]
    assert json.loads((state.path / "identity_ed25519.json").read_text()) == json.loads(GOOD)
    assert (state.path / "identity_ed25519.pem").read_bytes() == pem()
    # The JSON form is read from now on, silently.
    assert state.load_identity() == ME
    assert len(told) == 1
    with pytest.raises(StateError):
        state.create_identity(b"n" * 32)


def test_a_damaged_json_identity_says_that_the_pem_is_still_there(state: StateDirectory) -> None:
    write(state.path / "identity_ed25519.pem", pem())
    state.load_identity()
    write(state.path / "identity_ed25519.json", b"")
    with pytest.raises(CorruptFileError, match=r"identity_ed25519\.pem, is still there: start P4 again"):
        state.load_identity()
    assert state.load_identity() == ME


@pytest.mark.parametrize(
    "data",
    [b"", pem()[:60], pem().replace(b"PRIVATE", b"PUBLIC"), b"\0" * 119],
    ids=["empty", "cut", "kind", "0"],
)
def test_a_damaged_pem_is_kept_and_reported(state: StateDirectory, data: bytes) -> None:
    write(state.path / "identity_ed25519.pem", data)
    with pytest.raises(CorruptFileError) as caught:
        state.load_identity()
    assert Path(caught.value.kept_as).read_bytes() == data
    with pytest.raises(StateError) as refused:
        state.create_identity(SEED)
    assert refused.value.code == "identity-lost"


def test_a_pem_with_another_kind_of_key_is_reported(state: StateDirectory) -> None:
    other = generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - small to be quick
    data = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write(state.path / "identity_ed25519.pem", data)
    with pytest.raises(CorruptFileError, match="another kind than Ed25519"):
        state.load_identity()


def test_an_encrypted_pem_is_left_where_it_is(state: StateDirectory) -> None:
    data = pem(encryption=BestAvailableEncryption(b"passphrase"))
    write(state.path / "identity_ed25519.pem", data)
    with pytest.raises(StateError, match="passphrase") as caught:
        state.load_identity()
    assert caught.value.code == "encrypted-key"
    assert (state.path / "identity_ed25519.pem").read_bytes() == data


# --- contacts ---------------------------------------------------------------------------------------


def test_contacts_are_there_again_after_a_restart(state: StateDirectory) -> None:
    assert state.load_contacts() == ContactBook()
    state.save_contacts(contacts())
    assert StateDirectory(state.path).load_contacts().contacts == contacts().contacts


@pytest.mark.parametrize("data", [b"", bytes(300), b'[{"peer_id": "a', b"{}", b"null", b"\xff" * 9])
def test_damaged_contacts_are_kept_and_reported(state: StateDirectory, data: bytes) -> None:
    state.create_identity(SEED)
    write(state.path / "contacts.json", data)
    with pytest.raises(CorruptFileError, match=r"identity.*safe.*backup") as caught:
        state.load_contacts()
    assert Path(caught.value.kept_as).read_bytes() == data
    assert state.load_contacts() == ContactBook()
    state.save_contacts(contacts())
    assert Path(caught.value.kept_as).read_bytes() == data
    assert state.load_identity() == ME


def test_entries_that_cannot_be_used_are_reported_and_stay_in_the_file(
    state: StateDirectory, told: Warnings
) -> None:
    good = json.loads(contacts().serialise())
    bad = {**good[0], "peer_id": "0" * 24, "name": "impostor"}
    write(state.path / "contacts.json", json.dumps([bad, *good]))
    book = state.load_contacts()
    assert [contact.name for contact in book.contacts] == ["friend"]
    assert len(told) == 1
    state.save_contacts(book)
    assert bad in json.loads((state.path / "contacts.json").read_text())


def test_every_error_of_this_module_is_one_of_ours(state: StateDirectory) -> None:
    """A directory where a file should be is the plainest thing that no parser expects."""
    for name in ("identity_ed25519.json", "contacts.json"):
        (state.path / name).mkdir(mode=0o700)
    state.tor_directory.mkdir(mode=0o700)
    state.onion_key_path.mkdir(mode=0o700)
    for attempt in (state.load_identity, state.load_contacts, state.load_onion_key):
        with pytest.raises(P4Error):
            attempt()


def test_wide_permissions_stop_everything_before_a_secret_is_read(state: StateDirectory) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no mode bits")
    state.create_identity(SEED)
    (state.path / "identity_ed25519.json").chmod(0o644)
    with pytest.raises(PermissionsError, match=r"chmod go-rwx \S*identity_ed25519\.json"):
        state.prepare()
