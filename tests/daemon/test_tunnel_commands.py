"""`p4 forward`, `p4 serve` and `p4 pipe` as processes beside running daemons."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.cli.conftest import environment
from tests.cli.test_terminal import Terminal, posix
from tests.daemon.conftest import SECONDS, RunningDaemon

Pair = tuple[RunningDaemon, RunningDaemon]

pytestmark = pytest.mark.slow  # an interpreter for each command


@dataclass
class Ended:
    code: int
    out: str
    err: str


async def p4(daemon: RunningDaemon, *words: str, stdin: bytes = b"") -> Ended:
    """Run a command to its end."""
    command, *rest = words
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "p4.cli", command, "--state-dir", str(daemon.directory), "--no-start", *rest),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(HOME=str(daemon.directory.parent)),
    )
    async with asyncio.timeout(SECONDS):
        out, err = await process.communicate(stdin)
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


async def test_what_is_kept_is_told_listed_and_removed(pair: Pair) -> None:
    laptop, phone = pair
    begun = await p4(laptop, "serve", "8123", "--name", "web", "--to", "phone", "--keep")
    assert begun.out.startswith("TCP 127.0.0.1:8123 is served as web, for phone. It is kept"), begun
    begun = await p4(phone, "forward", "0", "laptop:web", "--keep", "--json")
    record = json.loads(begun.out)
    assert (record["host"], record["kept"], record["contact"]["name"]) == ("127.0.0.1", True, "laptop")
    port = str(record["port"])

    table = (await p4(phone, "forward")).out
    assert re.search(rf"forward tcp +127\.0\.0\.1:{port} +→ +laptop:web", table), table
    table = (await p4(laptop, "serve")).out
    assert re.search(r"serve tcp +127\.0\.0\.1:8123 +← +web, for phone", table), table
    listed = json.loads((await p4(laptop, "forward", "--json")).out)
    assert [one["name"] for one in listed["forwards"]] == ["web"]
    assert (await p4(phone, "serve")).out.startswith("No forwards and no served ports.")

    ended = await p4(phone, "forward", "--remove", port)
    assert ended.out.startswith("Ended: TCP"), ended
    assert (await p4(laptop, "serve", "--remove", "web")).code == 0
    again = await p4(laptop, "serve", "--remove", "web")
    assert (again.code, again.out) == (2, "")
    assert "no served port 'web'" in again.err


REFUSED: list[tuple[tuple[str, ...], int, str]] = [
    (("forward", "8123"), 2, "p4 forward 8123 CONTACT:8123"),
    (("forward", "8123", "laptop"), 2, "names no contact"),
    (("forward", "8123", "nobody:web"), 2, "nobody"),
    (("forward", "0.0.0.0:8123", "laptop:web"), 2, "--listen"),
    (("forward", "x", "laptop:web"), 2, "no port"),
    (("forward", "8123", "laptop:web", "--listen", "192.0.2.1"), 1, "no address of this machine"),
    (("serve", "99999"), 2, "no port"),
    (("serve", "80", "--name", "A B"), 2, "small letters"),
    (("serve", "80", "--to", "nobody"), 2, "nobody"),
    (("pipe", "nobody"), 2, "nobody"),
    (("pipe", "laptop", "--name", "A"), 2, "small letters"),
    (("pipe", "laptop", "--listen", "--status"), 2, "without --listen"),
    (("pipe", "laptop", "--json"), 2, "--status"),
]
"""Words, exit code, and a part of the reason."""


async def test_what_cannot_be_used_is_refused_in_one_line(pair: Pair) -> None:
    _, phone = pair
    room = asyncio.Semaphore(3)

    async def refused(words: tuple[str, ...], code: int, reason: str) -> None:
        async with room:
            ended = await p4(phone, *words)
        assert (ended.code, ended.out) == (code, ""), ended
        assert reason in ended.err
        assert ended.err.startswith("p4: ")
        assert ended.err.count("\n") == 1

    await asyncio.gather(*(refused(*one) for one in REFUSED))


async def test_a_pipe_there_and_back(pair: Pair, tmp_path: Path) -> None:
    laptop, phone = pair
    sent, answered = await asyncio.gather(
        p4(laptop, "pipe", "phone", stdin=b"question" * 100_000),
        p4(phone, "pipe", "--listen", "laptop", stdin=b"answer"),
    )
    assert (sent.code, sent.out) == (0, "answer"), sent.err
    assert (answered.code, answered.out) == (0, "question" * 100_000), answered.err
    copy = tmp_path / "copy"
    sent, answered = await asyncio.gather(
        p4(laptop, "pipe", "phone", "--no-input"),
        p4(phone, "pipe", "--listen", "laptop", "-o", str(copy)),
    )
    assert (sent.code, answered.code) == (0, 0), (sent, answered)
    assert copy.read_bytes() == b""
    assert "pipe.default" in phone.node.peer("laptop").grants


async def test_how_far_a_pipe_has_come_and_how_it_begins_anew(pair: Pair) -> None:
    laptop, phone = pair
    await phone.node.peer("laptop").grant("pipe.log")
    await laptop.node.peer("phone").ping()
    stream = await laptop.node.peer("phone").stream("pipe.log")
    await stream.write(b"of an earlier run")
    told = await p4(laptop, "pipe", "phone", "--name", "log", "--status", "--json")
    assert json.loads(told.out) == {"written": 17, "confirmed": 0, "position": 0}, told.err
    assert json.loads((await p4(laptop, "pipe", "phone", "--name", "log", "--status", "--json")).out)

    async def listen() -> Ended:
        received = await p4(phone, "pipe", "--listen", "laptop", "--name", "log")
        if received.code:  # it had taken the old one already, and is told of its end
            assert "begins the pipe anew" in received.err
            received = await p4(phone, "pipe", "--listen", "laptop", "--name", "log")
        return received

    anew = p4(laptop, "pipe", "phone", "--name", "log", "--anew", stdin=b"new")
    sent, received = await asyncio.gather(anew, listen())
    assert (sent.code, received.out) == (0, "new"), (sent, received)


@posix
async def test_a_held_forward_on_a_terminal(pair: Pair) -> None:
    laptop, phone = pair
    await laptop.http.post("/v1/forwards", json={"kind": "serve", "name": "web", "port": 9, "to": ["phone"]})
    terminal = Terminal(["forward", "--state-dir", str(phone.directory), "--no-start", "0", "laptop:web"])
    try:
        await asyncio.to_thread(terminal.expect, r"TCP 127\.0\.0\.1:\d+ here leads to web of laptop\. Ctrl-C")
        (record,) = (await phone.http.get("/v1/forwards")).json()["forwards"]
        reader, writer = await asyncio.open_connection("127.0.0.1", record["port"])
        with pytest.raises(ConnectionError):
            await reader.readexactly(1)
        writer.close()
        await asyncio.to_thread(terminal.expect, "connection refused")
        await asyncio.to_thread(terminal.expect, "0 connections open, 1 in all, .* 1 refused")
        terminal.type("\x03")
        code, _ = await asyncio.to_thread(terminal.end)
        assert code == 130
        async with asyncio.timeout(SECONDS):
            while (await phone.http.get("/v1/forwards")).json()["forwards"]:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)
    finally:
        terminal.close()
