"""The status file, and what the database tells another process."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import stat
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from tests.cli.fake_node import ANNA, BOB, FakeNode, invite_of

from p4.adapters.store import lock
from p4.adapters.store.overview import Overview, read_overview
from p4.adapters.store.sqlite import SqliteStore
from p4.cli.status import writer
from p4.cli.status.snapshot import Snapshot, read_snapshot, remove_snapshot, write_snapshot
from p4.cli.status.writer import StatusWriter
from p4.core.policy import Policy
from p4.core.session.messages.stored import AppendOutbox, Draft, Quota
from p4.errors import StateError
from p4.node.status import node_status
from p4.ports import LinkPath, PathKind, PeerRecord

PATH = LinkPath(
    kind=PathKind.RELAY,
    local="relay",
    remote="srflx",
    local_address="192.0.2.1:3478",
    remote_address="",
    protocol="tcp",
    round_trip=None,
    bytes_sent=70_000,
    bytes_received=0,
)


@pytest.fixture
def node() -> FakeNode:
    node = FakeNode()
    node.add_contact(invite_of(ANNA), "Anna's laptop")
    node.add_contact(invite_of(BOB))
    anna = node.peer(ANNA.peer_id)
    anna.connected, anna.path = True, PATH
    return node


async def snapshot_of(node: FakeNode) -> Snapshot:
    return Snapshot(os.getpid(), await node_status(node, started_ms=5, now_ms=7, now=1.0))


async def test_what_is_written_is_read_again_and_only_this_user_can(node: FakeNode, tmp_path: Path) -> None:
    written = await snapshot_of(node)
    for _ in range(2):
        write_snapshot(tmp_path, written)
        assert read_snapshot(tmp_path) == written
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "status.json").stat().st_mode) == 0o600
    remove_snapshot(tmp_path)
    assert read_snapshot(tmp_path) is None
    remove_snapshot(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[" * 100_000,
        lambda text: text.replace('"format": 1', '"format": 2'),
        lambda text: text.replace('"connected": true', '"connected": "yes"'),
        lambda text: text.replace('"kind": "relay"', '"kind": "teleport"'),
        lambda text: text.replace('"bytes_sent": 70000', '"bytes_sent": true'),
        lambda text: text.replace('"sending": 2500000.0', '"sending": "fast"'),
        lambda text: text.replace('"why_not"', '"why"'),
    ],
)
async def test_what_cannot_be_understood_is_as_if_it_were_not_there(
    node: FakeNode, tmp_path: Path, change: object
) -> None:
    write_snapshot(tmp_path, await snapshot_of(node))
    file = tmp_path / "status.json"
    before = file.read_text()
    file.write_text(change(before))  # type: ignore[operator]
    assert file.read_text() != before
    assert read_snapshot(tmp_path) is None


async def test_a_reader_never_finds_half_a_file(node: FakeNode, tmp_path: Path) -> None:
    one = await snapshot_of(node)
    many = replace(one, node=replace(one.node, peers=one.node.peers * 500))

    def write() -> None:
        for turn in range(60):
            write_snapshot(tmp_path, (one, many)[turn % 2])

    write_snapshot(tmp_path, one)
    writing = asyncio.ensure_future(asyncio.to_thread(write))
    found = 0
    while not writing.done():
        assert read_snapshot(tmp_path) in (one, many)
        found += 1
        await asyncio.sleep(0)
    await writing
    assert found > 3


async def test_the_writer_writes_when_something_changed_and_removes_the_file_at_the_end(
    node: FakeNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LOOK_SECONDS", 0.01)
    written: list[Snapshot] = []

    def keep(directory: Path, snapshot: Snapshot) -> None:
        write_snapshot(directory, snapshot)
        written.append(snapshot)

    monkeypatch.setattr(writer, "write_snapshot", keep)
    node.peer(ANNA.peer_id).connected = False
    running = asyncio.create_task(StatusWriter(node, tmp_path).run())

    async def until_written(count: int) -> None:
        async with asyncio.timeout(60):
            while len(written) < count:  # noqa: ASYNC110 - written by a thread
                await asyncio.sleep(0.005)

    await until_written(1)
    assert not written[0].node.peers[0].connected
    await asyncio.sleep(0.3)
    assert len(written) == 1, "nothing changed"
    node.peer(ANNA.peer_id).queued = 1
    await until_written(2)
    await node.peer(BOB.peer_id).set_policy("lan-only")
    await until_written(3)
    assert written[-1].node.peers[1].policy is Policy.LAN_ONLY
    node.peer(ANNA.peer_id).connected = True
    await until_written(7)  # a busy link: again and again
    assert read_snapshot(tmp_path) is not None
    running.cancel()
    await asyncio.wait([running])
    assert list(tmp_path.iterdir()) == []


async def test_a_disk_that_takes_nothing_does_not_end_the_writer(
    node: FakeNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LOOK_SECONDS", 0.01)
    place = tmp_path / "later"
    running = asyncio.create_task(StatusWriter(node, place).run())
    await asyncio.sleep(0.1)
    place.mkdir()
    async with asyncio.timeout(60):
        while read_snapshot(place) is None:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
    assert not running.done()
    running.cancel()
    await asyncio.wait([running])


def test_the_holder_of_a_directory_is_told_apart_from_a_later_process_of_its_number(tmp_path: Path) -> None:
    pid_file = tmp_path / "p4.pid"
    assert lock.holder(pid_file) is None
    with lock.hold(tmp_path / "p4.lock", pid_file):
        assert lock.holder(pid_file) == os.getpid()
        os.utime(pid_file, (1, 1))  # written long before this process began
        assert lock.holder(pid_file) is None
    pid_file.write_text("no number")
    assert lock.holder(pid_file) is None


async def test_the_database_is_read_beside_a_running_node_and_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "p4.sqlite3"
    assert read_overview(path) == {}
    assert list(tmp_path.iterdir()) == []
    store = SqliteStore(path)
    await store.open()
    await store.save_peer(ANNA.peer_id, PeerRecord(protocol=2, last_seen_ms=77))
    await store.save_policy(ANNA.peer_id, "relay-only")
    drafts = tuple(Draft("chat", 1, body, "", 1, 0) for body in (b"one", b"three"))
    await store.perform(ANNA.peer_id, AppendOutbox(drafts, b"e" * 16, True, Quota(10, 100)))
    expected = {ANNA.peer_id: Overview(Policy.RELAY_ONLY, 2, 77, 2, 8, 0)}
    assert read_overview(path) == expected
    await store.close()
    before = sorted(entry.name for entry in tmp_path.iterdir())
    assert read_overview(path) == expected
    assert sorted(entry.name for entry in tmp_path.iterdir()) == before


@pytest.mark.parametrize("damage", ["not a database", "of a version without what is asked for"])
def test_a_database_that_cannot_be_read_is_said_in_a_sentence(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "p4.sqlite3"
    if damage.startswith("not"):
        path.write_bytes(b"x" * 5000)
    else:
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE relation (peer_id TEXT)")
        connection.close()
    with pytest.raises(StateError) as refusal:
        read_overview(path)
    assert refusal.value.code == "unreadable"


async def test_json_holds_every_field(node: FakeNode) -> None:
    status = await node.peer(ANNA.peer_id).status()
    assert json.loads(json.dumps(asdict(status)))["path"]["kind"] == "relay"
