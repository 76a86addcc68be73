"""A directory that v1 left behind opens with everything in it, and v1 can go back to it.

The identity is made by v1's own published core; the other files follow its documented forms. Its
permissions are v1's too: files 0644 in directories 0755.
"""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import p4_core  # type: ignore[import-untyped]
import pytest
from tests.adapters.store.sample_state import FRIEND, onion_pair
from tests.adapters.store_calls import append

from p4.adapters.store.sqlite import SqliteStore
from p4.adapters.store.state_dir import StateDirectory
from p4.core.identity import Identity, encode_key
from p4.errors import PermissionsError

SERVICE_SEED = b"onion service of the old node..."


class OldNode:
    """v1's directory, and v1's core to look at it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.core: Any = p4_core.P4Core()
        self.identity: dict[str, str] = self.core.generate_identity()
        self.blob, self.service_id = onion_pair(SERVICE_SEED)
        self.contacts = [
            {
                "peer_id": FRIEND.peer_id,
                "public_key_b64": encode_key(FRIEND.public_key),
                "rendezvous": {"transport": "onion", "address": f"{self.service_id}.onion", "port": 80},
                "name": "friend",
            },
            {
                "peer_id": Identity(b"g" * 32).peer_id,
                "public_key_b64": encode_key(Identity(b"g" * 32).public_key),
                "rendezvous": {"transport": "direct", "address": "198.51.100.4", "port": 9001},
            },
        ]
        path.mkdir()
        (path / "onionrelay").mkdir()
        for name, content in {
            "identity_ed25519.json": json.dumps(self.identity, indent=2),
            "contacts.json": json.dumps(self.contacts, indent=2),
            "onionrelay/onion_v3_key_blob.txt": self.blob + "\n",
            "onionrelay/onion_service_id.txt": self.service_id + "\n",
        }.items():
            (path / name).write_text(content)
        for entry in (path, *path.rglob("*")):
            entry.chmod(0o755 if entry.is_dir() else 0o644)

    def bytes_of_all(self) -> dict[str, bytes]:
        return {str(entry): entry.read_bytes() for entry in sorted(self.path.rglob("*")) if entry.is_file()}


@pytest.fixture
def old(tmp_path: Path) -> OldNode:
    return OldNode(tmp_path / "old node's state")


def mend(old: OldNode, state: StateDirectory) -> None:
    """What the user does on reading the refusal: paste its command."""
    if sys.platform == "win32":
        return
    with pytest.raises(PermissionsError) as caught:
        state.prepare()
    (command,) = (line for line in str(caught.value).splitlines() if "chmod" in line)
    subprocess.run(["sh", "-c", command], check=True)
    wide = [entry for entry in (old.path, *old.path.rglob("*")) if stat.S_IMODE(entry.stat().st_mode) & 0o077]
    assert wide == []


async def test_everything_of_v1_is_there_and_nothing_of_it_is_changed(old: OldNode) -> None:
    told: list[str] = []
    state = StateDirectory(old.path, warn=told.append)
    before = old.bytes_of_all()
    mend(old, state)
    state.prepare()
    with state.lock():
        identity = state.load_identity()
        book = state.load_contacts()
        key = state.load_onion_key()
        store = SqliteStore(state.database_path)
        await store.open()
        await append(store, "hello", peer=FRIEND.peer_id)
        await store.close()
    assert identity is not None
    assert identity.peer_id == old.identity["peer_id"]
    assert encode_key(identity.seed) == old.identity["private_key_b64"]
    assert [(contact.peer_id, contact.name, str(contact.rendezvous)) for contact in book.contacts] == [
        (FRIEND.peer_id, "friend", f"onion://{old.service_id}.onion:80"),
        (Identity(b"g" * 32).peer_id, "", "direct://198.51.100.4:9001"),
    ]
    assert key is not None
    assert (key.blob, key.service_id) == (old.blob, old.service_id)
    assert told == []
    after = old.bytes_of_all()
    assert {name: after[name] for name in before} == before


def test_v1_can_go_back_to_a_directory_that_we_have_written(old: OldNode) -> None:
    state = StateDirectory(old.path)
    mend(old, state)
    book = state.load_contacts()
    state.save_contacts(book.rename("friend", "old friend"))
    contacts = json.loads((old.path / "contacts.json").read_text())
    assert contacts == [{**old.contacts[0], "name": "old friend"}, old.contacts[1]]


def test_an_identity_that_we_made_is_one_to_v1(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "new")
    state.prepare()
    ours = state.create_identity(b"our own seed, thirty-two bytes..")
    read = json.loads((state.path / "identity_ed25519.json").read_text())
    core: Any = p4_core.P4Core()
    assert core.peer_id_from_public_key_b64(read["public_key_b64"]) == read["peer_id"] == ours.peer_id
    envelope = core.sign_envelope(
        private_key_b64=read["private_key_b64"],
        sender_peer_id=read["peer_id"],
        recipient_peer_id=FRIEND.peer_id,
        payload={"type": "ping", "session_id": "1"},
        nonce="00" * 16,
    )
    assert core.verify_envelope(envelope=envelope, signer_public_key_b64=encode_key(ours.public_key))
