"""A daemon from its start to its end."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from tests.daemon.conftest import RunningDaemon, direct_options
from websockets.asyncio.client import unix_connect

import p4
from p4.daemon import server
from p4.daemon.server import Daemon, DaemonOptions

ROOT = Path(__file__).parents[2]


async def test_it_answers_on_both_sockets(daemon: RunningDaemon) -> None:
    identity = (await daemon.http.get("/v1/identity")).json()
    assert identity["id"] == daemon.node.peer_id
    assert identity["protocol_version"] == 1
    tcp = await daemon.over_tcp(daemon.daemon.endpoint.owner_token)
    status = await tcp.get("/v1/status")
    assert status.status_code == 200
    assert status.json()["id"] == daemon.node.peer_id
    assert status.json()["contacts"] == []


async def test_files_are_private_and_gone_at_the_end(
    start_daemon: Callable[..., Awaitable[RunningDaemon]],
) -> None:
    running = await start_daemon("laptop")
    directory = running.directory / "daemon"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    for name in ("api.sock", "endpoint.json", "apps.db"):
        assert stat.S_IMODE((directory / name).stat().st_mode) == 0o600, name
    endpoint = json.loads((directory / "endpoint.json").read_text())
    assert endpoint["port"] == running.daemon.endpoint.port
    assert endpoint["unix_path"] == str(directory / "api.sock")
    await running.daemon.close()
    assert not (directory / "endpoint.json").exists()
    assert not (directory / "api.sock").exists()


async def test_it_ends_when_asked_and_says_so(daemon: RunningDaemon) -> None:
    answer = await daemon.http.post("/v1/shutdown")
    assert answer.status_code == 202
    await daemon.daemon.serve_forever()


async def test_it_ends_within_two_seconds_whatever_is_under_way(
    start_daemon: Callable[..., Awaitable[RunningDaemon]],
) -> None:
    running = await start_daemon("laptop")
    unix_path = running.daemon.endpoint.unix_path
    async with (
        running.http.stream("GET", "/v1/events") as events,
        running.http.stream("GET", "/v1/messages/notes") as messages,
        unix_connect(unix_path, "ws://p4/v1/streams/films"),
        unix_connect(unix_path, "ws://p4/v1/services/lights/serve"),
    ):
        asking = asyncio.create_task(running.http.get("/v1/messages/notes/next"))
        silent = await asyncio.open_connection("127.0.0.1", running.daemon.endpoint.port)
        assert await anext(messages.aiter_lines()) == ": p4"
        began = time.monotonic()
        await running.daemon.close()
        assert time.monotonic() - began < 2.0
        assert "event: daemon.ending" in [line async for line in events.aiter_lines()]
        assert (await asyncio.gather(asking, return_exceptions=True))[0] is not None
        silent[1].close()
    assert not [task for task in asyncio.all_tasks() if "daemon" in task.get_name()]


async def test_one_daemon_for_an_identity_and_the_other_changes_nothing(daemon: RunningDaemon) -> None:
    second = Daemon(p4.Node(daemon.directory, direct_options()), daemon.directory)
    with pytest.raises(p4.AlreadyRunningError):
        await second.start()
    assert (daemon.directory / "daemon" / "endpoint.json").exists()
    assert (await daemon.http.get("/v1/identity")).status_code == 200


async def test_a_killed_daemon_leaves_nothing_that_blocks_the_next(
    tmp_path: Path, start_daemon: Callable[..., Awaitable[RunningDaemon]]
) -> None:
    directory = tmp_path / "laptop"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.daemon.daemon_program",
        str(directory),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    async with asyncio.timeout(20):
        port = int(await process.stdout.readline())
    process.kill()
    await process.communicate()  # also what is left in its pipe, which would stay open
    assert (directory / "daemon" / "endpoint.json").exists()
    assert (directory / "daemon" / "api.sock").exists()
    running = await start_daemon("laptop")
    assert (await running.http.get("/v1/identity")).status_code == 200
    assert running.daemon.endpoint.port == port, "apps and browsers find it where it was"


async def test_a_taken_port_is_no_obstacle(start_daemon: Callable[..., Awaitable[RunningDaemon]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        running = await start_daemon("laptop", DaemonOptions(port=port))
        assert running.daemon.endpoint.port not in {0, port}


async def test_a_long_path_gets_its_socket_elsewhere(
    start_daemon: Callable[..., Awaitable[RunningDaemon]],
) -> None:
    running = await start_daemon("x" * 100)
    unix_path = Path(running.daemon.endpoint.unix_path or "")
    assert unix_path.parent.name.startswith("p4-")
    assert stat.S_IMODE(unix_path.parent.stat().st_mode) == 0o700
    assert (await running.http.get("/v1/identity")).status_code == 200
    await running.daemon.close()
    assert not unix_path.parent.exists()


async def test_a_directory_open_to_others_is_refused(
    tmp_path: Path, start_daemon: Callable[..., Awaitable[RunningDaemon]]
) -> None:
    (tmp_path / "laptop" / "daemon").mkdir(parents=True)
    (tmp_path / "laptop").chmod(0o700)
    (tmp_path / "laptop" / "daemon").chmod(0o755)
    with pytest.raises(p4.PermissionsError):
        await start_daemon("laptop")


async def test_without_unix_sockets_the_owner_token_opens_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HAS_UNIX_SOCKETS", False)
    async with Daemon(p4.Node(tmp_path / "laptop", direct_options()), tmp_path / "laptop") as running:
        assert running.endpoint.unix_path is None
        headers = {"Authorization": f"Bearer {running.endpoint.owner_token}"}
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{running.endpoint.port}", headers=headers
        ) as http:
            assert (await http.get("/v1/status")).status_code == 200
