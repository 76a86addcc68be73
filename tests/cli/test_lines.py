"""Lines from a pipe: whole, in order, bounded, ended."""

from __future__ import annotations

import asyncio
import os

import pytest

from p4.cli import lines as lines_module
from p4.cli.lines import PlainLines


async def all_lines(data: bytes) -> list[str]:
    read, write = os.pipe()
    source = PlainLines(read)

    def feed() -> None:
        with os.fdopen(write, "wb") as file:
            file.write(data)

    feeding = asyncio.create_task(asyncio.to_thread(feed))
    lines = []
    while (line := await asyncio.wait_for(source.next_line(""), 60)) is not None:
        lines.append(line)
    await feeding
    os.close(read)
    return lines


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\r\ntwo", ["one", "two"]),
        (b"\n\n", ["", ""]),
        ("grüße  \n".encode(), ["grüße  "]),
        (b"a\xff\nb\n", ["b"]),
    ],
)
async def test_lines_are_whole_and_in_order(data: bytes, expected: list[str]) -> None:
    assert await all_lines(data) == expected


@pytest.mark.parametrize("end", [b"\nlast\n", b"\nlast"])
async def test_an_endless_line_is_refused_once_and_not_kept(
    end: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    data = b"first\n" + b"x" * (3 * lines_module.LONGEST_LINE_BYTES) + end
    assert await all_lines(data) == ["first", "last"]
    assert len(capsys.readouterr().err.splitlines()) == 1
