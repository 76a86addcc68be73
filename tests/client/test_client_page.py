"""The programs of docs/client.md, run as they stand there."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import environment
from tests.client.test_client_of_a_pair import grant
from tests.daemon.conftest import RunningDaemon

import p4.client

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "client.md").read_text("utf-8")
PROGRAMS = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE, re.DOTALL))

Pair = tuple[RunningDaemon, RunningDaemon]
Clients = tuple[p4.client.Client, p4.client.Client]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home directory whose ``.p4`` a test chooses."""
    directory = tmp_path / "home"
    directory.mkdir()
    return directory


async def run_program(name: str, home: Path) -> str:
    """What a program of the page prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAMS[name],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(HOME=str(home)),
    )
    out, err = await process.communicate()
    assert (process.returncode, err.decode()) == (0, "")
    return out.decode()


async def test_hello(pair: Pair, home: Path) -> None:
    (home / ".p4").symlink_to(pair[0].directory)
    assert await run_program("hello.py", home) == "True\n"


async def test_notes(pair: Pair, clients: Clients, home: Path) -> None:
    laptop, _phone = clients
    (home / ".p4").symlink_to(pair[1].directory)
    await grant(clients, "notes")
    for value in ({"add": "bread"}, "end"):
        receipt = await laptop.contact("phone").send(value, service="notes")
    assert await run_program("notes.py", home) == "laptop {'add': 'bread'}\nlaptop end\n"
    async with asyncio.timeout(30):
        await receipt.consumed()


def test_every_name_of_the_page_exists() -> None:
    owners = {"me": p4.client.Client, "contact": p4.client.Contact}
    named = re.findall(r"`(me|contact)\.(\w+)\(", PAGE)
    assert len(named) > 10
    for owner, name in named:
        assert hasattr(owners[owner], name), name
