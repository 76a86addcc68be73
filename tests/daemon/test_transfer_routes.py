"""Copying through the API and by `p4 cp`: two real daemons with a real link."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import environment
from tests.daemon.conftest import RunningDaemon

from p4.client import connect
from p4.client.transfers import Transfers
from p4.core import limits
from p4.errors import InputError, TransferError

Pair = tuple[RunningDaemon, RunningDaemon]
SIZE = 16_000_000


@pytest.fixture
async def sharing(pair: Pair, tmp_path: Path) -> Pair:
    """A pair of which the phone lets the laptop use its share."""
    laptop, phone = pair
    for name, daemon in (("laptop", laptop), ("phone", phone)):
        answer = await daemon.http.put("/v1/share", json={"path": str(tmp_path / f"{name} share")})
        assert answer.status_code == 200, answer.text
    assert (await phone.http.post("/v1/contacts/laptop/grants", json={"services": ["files"]})).is_success
    await phone.node.peer("laptop").ping()  # by then the laptop knows
    return pair


async def ended(transfers: Transfers, record: dict[str, Any]) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while (record := await transfers.read(record["id"]))["state"] == "running":  # noqa: ASYNC110 - far away
            await asyncio.sleep(0.02)
    return record


async def p4_command(daemon: RunningDaemon, *words: str | Path) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "p4.cli",
            words[0],
            "--state-dir",
            str(daemon.directory),
            *map(str, words[1:]),
        ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(),
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_both_ways_and_what_the_receiver_sees(sharing: Pair, tmp_path: Path) -> None:
    laptop, phone = sharing
    film = tmp_path / "film.mkv"
    film.write_bytes(os.urandom(SIZE))
    async with connect(laptop.directory) as client, connect(phone.directory) as theirs:
        transfers = Transfers(client)
        sent = await ended(transfers, await transfers.send("phone", [str(film)]))
        assert (sent["state"], sent["notes"], sent["progress"]["bytes_done"]) == ("done", [], SIZE)
        arrived = tmp_path / "phone share" / "laptop" / "film.mkv"
        assert arrived.read_bytes() == film.read_bytes()
        (seen,) = await Transfers(theirs).list()
        assert (seen["direction"], seen["contact"]["name"], seen["id"]) == ("receive", "laptop", sent["id"])

        listing = await transfers.listing("phone", "laptop")
        assert [(entry["name"], entry["size"]) for entry in listing["entries"]] == [("film.mkv", SIZE)]
        fetched = await transfers.fetch("phone", ["laptop/film.mkv"], str(tmp_path / "back.mkv"))
        assert (await ended(transfers, fetched))["state"] == "done"
        assert (tmp_path / "back.mkv").read_bytes() == film.read_bytes()

        await transfers.forget(sent["id"])
        with pytest.raises(InputError) as unknown:
            await transfers.read(sent["id"])
        assert unknown.value.code == "unknown-transfer"


async def test_pause_and_resume(sharing: Pair, tmp_path: Path) -> None:
    laptop, _ = sharing
    film = tmp_path / "film.mkv"
    film.write_bytes(os.urandom(4 * SIZE))
    async with connect(laptop.directory) as client:
        transfers = Transfers(client)
        record = await transfers.send("phone", [str(film)])
        async with asyncio.timeout(30):
            while not (record := await transfers.read(record["id"]))["progress"]["bytes_done"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        paused = await transfers.pause(record["id"])
        assert paused["state"] == "paused"
        half = tmp_path / "phone share" / "laptop"
        assert not (half / "film.mkv").exists()
        assert all(path.name.startswith(".p4-") for path in half.iterdir())
        again = await transfers.send("phone", [str(film)])  # the same command
        assert again["id"] == record["id"]
        assert (await ended(transfers, again))["state"] == "done"
    assert [path.name for path in half.iterdir()] == ["film.mkv"]
    assert (half / "film.mkv").read_bytes() == film.read_bytes()


async def test_the_command(sharing: Pair, tmp_path: Path) -> None:
    laptop, _ = sharing
    folder = tmp_path / "Photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"a")
    (folder / "out").symlink_to("../film")
    assert (await p4_command(laptop, "cp", folder, "phone:"))[0] == 1  # without -r
    code, out, err = await p4_command(laptop, "cp", "-r", folder, "phone:Pictures")
    assert (code, out) == (1, "1 file, 1 B: there, and verified. Left out: 1.\n")
    assert "leads out" in err
    code, out, _ = await p4_command(laptop, "cp", "-r", "phone:Pictures", f"{tmp_path}/back/")
    assert code == 0
    assert (tmp_path / "back" / "Pictures" / "a.jpg").read_bytes() == b"a"
    code, out, _ = await p4_command(laptop, "transfers")
    assert code == 0
    assert "Pictures" in out
    code, _, err = await p4_command(laptop, "cp", "phone:../secret", str(tmp_path))
    assert code == 1
    assert "no path in the shared folder" in err
    code, out, _ = await p4_command(laptop, "share")
    assert out == f"{tmp_path / 'laptop share'}\n"


async def test_an_upload_of_the_web_page(sharing: Pair, tmp_path: Path) -> None:
    laptop, _ = sharing
    body = os.urandom(limits.API_BODY_BYTES * 4)

    async def pieces() -> Any:
        for begin in range(0, len(body), 100_000):
            yield body[begin : begin + 100_000]

    parameters = {"contact": "phone", "name": "böse ☃.bin"}
    answer = await laptop.http.post("/v1/transfers/upload", params=parameters, content=pieces())
    assert answer.status_code == 201, answer.text
    async with connect(laptop.directory) as client:
        assert (await ended(Transfers(client), answer.json()))["state"] == "done"
    assert (tmp_path / "phone share" / "laptop" / "böse ☃.bin").read_bytes() == body
    async with asyncio.timeout(10):  # removed after the last word of it is on disk
        while list((laptop.directory / "daemon" / "uploads").iterdir()):  # noqa: ASYNC110 - far away
            await asyncio.sleep(0.02)
    for name in ("../x", "", "a/b"):
        refused = await laptop.http.post(
            "/v1/transfers/upload", params={"contact": "phone", "name": name}, content=b"x"
        )
        assert refused.status_code in (400, 422)


async def test_an_app_reaches_none_of_it(sharing: Pair) -> None:
    laptop, _ = sharing
    token = (await laptop.http.post("/v1/tokens", json={"app": "notes", "services": ["files"]})).json()[
        "token"
    ]
    app = await laptop.over_tcp(token)
    for method, path in (
        ("GET", "/v1/transfers"),
        ("POST", "/v1/transfers/upload?contact=phone&name=a"),
        ("GET", "/v1/share"),
    ):
        assert (await app.request(method, path)).status_code == 403, path


async def test_a_source_that_is_not_there(sharing: Pair, tmp_path: Path) -> None:
    laptop, _ = sharing
    async with connect(laptop.directory) as client:
        with pytest.raises(TransferError) as missing:
            await Transfers(client).send("phone", [str(tmp_path / "none")])
        assert missing.value.code == "not-found"
        with pytest.raises(InputError) as relative:
            await Transfers(client).send("phone", ["none"])
        assert relative.value.code == "bad-path"


async def test_ctrl_c_pauses_and_says_how_to_go_on(sharing: Pair, tmp_path: Path) -> None:
    laptop, _ = sharing
    with (tmp_path / "film.mkv").open("wb") as film:
        film.truncate(64 * SIZE)  # more than arrives while commands start
    words = ("-m", "p4.cli", "cp", "--state-dir", str(laptop.directory), str(tmp_path / "film.mkv"), "phone:")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, stderr=asyncio.subprocess.PIPE, env=environment()
    )
    async with connect(laptop.directory) as client:
        transfers = Transfers(client)
        async with asyncio.timeout(30):
            while not any(found["progress"]["bytes_done"] for found in await transfers.list()):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
        (record,) = await transfers.list()
        assert (process.returncode, record["state"]) == (130, "paused")
        assert f"p4 transfers resume {record['id'][:6]}" in err.decode()
        code, out, _ = await p4_command(laptop, "cp", "--detach", tmp_path / "film.mkv", "phone:")
        assert (code, out.split(".")[0]) == (0, f"Begun: {record['id'][:6]}")
        assert (await p4_command(laptop, "transfers", "cancel", record["id"][:6]))[0] == 0
        assert (await transfers.read(record["id"]))["state"] == "cancelled"
