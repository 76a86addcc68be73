"""`p4 chat` as a person uses it: on a pseudo terminal, with real daemons."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.cli.conftest import environment
from tests.cli.test_terminal import Terminal, posix
from tests.daemon.conftest import RunningDaemon
from tests.daemon.test_chat_routes import until_state


async def expect(terminal: Terminal, pattern: str) -> None:
    await asyncio.to_thread(terminal.expect, pattern)


async def end(terminal: Terminal) -> int:
    return (await asyncio.to_thread(terminal.end))[0]


@posix
async def test_a_conversation_on_the_whole_screen(pair: tuple[RunningDaemon, RunningDaemon]) -> None:
    laptop, phone = pair
    await phone.http.post("/v1/chat/laptop", json={"text": "are you there?"})
    terminal = Terminal(["chat", "--state-dir", str(laptop.directory), "--no-start", "phone"])
    try:
        await expect(terminal, "are you there\\?")
        await expect(terminal, "● phone")
        terminal.type("yes, here\r")
        await expect(terminal, "(?s)yes, here.*✓.*✓")
        entries = (await phone.http.get("/v1/chat/laptop")).json()["entries"]
        assert [entry["text"] for entry in entries] == ["are you there?", "yes, here"]
        assert entries[0]["state"] == "seen"  # shown on the terminal's screen

        terminal.raw = b""
        await phone.http.post("/v1/chat/laptop", json={"text": "\x1b]0;owned\x07\x1b[2Jboo"})
        await expect(terminal, r"\\x1b\]0;owned\\x07\\x1b\[2Jboo")
        assert b"\x1b]0;owned" not in terminal.raw
        await phone.http.post("/v1/chat/laptop/read", json={"through": entries[-1]["id"]})
        await expect(terminal, "seen")
        terminal.raw = b""
        terminal.type("\x1bOP")  # F1
        await expect(terminal, "a new line in the message")
        terminal.type("\x11")
        assert await end(terminal) == 0
    finally:
        terminal.close()


@posix
async def test_without_contacts_it_says_what_to_do(
    start_daemon: Callable[..., Awaitable[RunningDaemon]],
) -> None:
    alone = await start_daemon("alone")
    terminal = Terminal(["chat", "--state-dir", str(alone.directory), "--no-start"])
    try:
        await expect(terminal, "p4 invite")
        assert await end(terminal) == 0
    finally:
        terminal.close()


def plain(directory: Path, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "p4.cli",
        "chat",
        "--state-dir",
        str(directory),
        "--no-start",
        *arguments,
    ]
    return subprocess.run(
        command, input=text, capture_output=True, text=True, env=environment(), timeout=30, check=False
    )


async def test_lines_in_and_out_where_there_is_no_terminal(pair: tuple[RunningDaemon, RunningDaemon]) -> None:
    laptop, phone = pair
    await phone.http.post("/v1/chat/laptop", json={"text": "one\ntwo"})
    await until_state(laptop, "phone", "received")
    done = await asyncio.to_thread(plain, laptop.directory, "phone", text="home at six\n\n")
    assert (done.returncode, done.stdout) == (0, "phone> one\\ntwo\n"), done.stderr
    entries = (await laptop.http.get("/v1/chat/phone")).json()["entries"]
    assert entries[-1]["text"] == "home at six"
    listed = await asyncio.to_thread(plain, laptop.directory)
    assert listed.stdout == "phone: home at six\n"
    unknown = await asyncio.to_thread(plain, laptop.directory, "nobody")
    assert unknown.returncode != 0
    assert "p4 ls" in unknown.stderr


@pytest.mark.parametrize("arguments", [["phone", "--json"], ["--json"]])
async def test_json_for_programs(pair: tuple[RunningDaemon, RunningDaemon], arguments: list[str]) -> None:
    laptop, _ = pair
    done = await asyncio.to_thread(plain, laptop.directory, *arguments)
    assert done.returncode == 0
    assert done.stdout.startswith("{")


@posix
async def test_a_narrow_terminal_and_several_contacts(
    start_daemon: Callable[..., Awaitable[RunningDaemon]], pair: tuple[RunningDaemon, RunningDaemon]
) -> None:
    import termios

    laptop, phone = pair
    tablet = await start_daemon("tablet")
    laptop.node.add_contact(tablet.node.invite(), "tablet")
    tablet.node.add_contact(laptop.node.invite(), "laptop")
    terminal = Terminal(["chat", "--state-dir", str(laptop.directory), "--no-start", "phone"])
    try:
        termios.tcsetwinsize(terminal._descriptor, (16, 30))  # the kernel tells the program
        await expect(terminal, "Nothing was said yet")
        await tablet.http.post("/v1/chat/laptop", json={"text": "hello from the tablet, in a long line"})
        await until_state(laptop, "tablet", "received")
        terminal.type("\x15")  # Ctrl-U: to what is unread
        await expect(terminal, "hello from the tablet, in a")
        await until_state(tablet, "laptop", "seen")
        terminal.type("\x10for you\r")  # Ctrl-P: back
        await until_state(phone, "laptop", "received")
        assert (await tablet.http.get("/v1/chat/laptop")).json()["entries"][-1]["mine"]
        terminal.type("\x11")
        assert await end(terminal) == 0
        rows = [row for row in terminal.text.split("\n") if "hello from" in row]
        assert rows
        assert all(len(row) <= 30 for row in rows)
    finally:
        terminal.close()
