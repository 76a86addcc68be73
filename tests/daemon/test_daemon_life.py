"""A daemon from its start to its end."""

from __future__ import annotations

import json
import stat
from collections.abc import Awaitable, Callable

from tests.daemon.conftest import RunningDaemon


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
