"""Inputs and outputs of `p4 pipe`: regular files go on where they were, others tell how far it had come."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from p4.apps.pipe import FileSink, Source, StandardInput, StandardOutput
from p4.errors import InputError


async def everything(source: Source) -> bytes:
    pieces = []
    async with asyncio.timeout(10):
        while piece := await source.read():
            pieces.append(piece)
    return b"".join(pieces)


async def test_a_file_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "film"
    path.write_bytes(bytes(range(256)) * 1000)
    for skipped, accepted in ((0, 0), (0, 100_000), (10, 200_000)):
        told: list[str] = []
        with path.open("rb") as file:
            os.lseek(file.fileno(), skipped, os.SEEK_SET)  # as `(head -c 10; p4 pipe …) < film` leaves it
            source = StandardInput(told.append, file.fileno())
            await source.begin(accepted)
            assert await everything(source) == path.read_bytes()[skipped + accepted :]
        assert bool(told) == bool(accepted)


async def test_a_file_that_is_too_short_is_another_one(tmp_path: Path) -> None:
    path = tmp_path / "film"
    path.write_bytes(b"short")
    with path.open("rb") as file:
        with pytest.raises(InputError) as refused:
            await StandardInput(lambda _: None, file.fileno()).begin(6)
        assert refused.value.code == "another-input"
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == 0


async def test_any_other_input_is_taken_as_it_comes() -> None:
    reading, writing = os.pipe()
    told: list[str] = []
    source = StandardInput(told.append, reading)
    await source.begin(7)
    assert "7 bytes" in told[0]
    os.write(writing, b"one")
    assert await source.read() == b"one"
    waiting = asyncio.ensure_future(source.read())
    await asyncio.sleep(0)
    waiting.cancel()  # loses nothing
    await asyncio.gather(waiting, return_exceptions=True)
    os.write(writing, b"two")
    assert await source.read() == b"two"
    os.close(writing)
    assert await source.read() == b""
    assert await source.read() == b""
    os.close(reading)


async def test_an_output_file_has_exactly_what_was_consumed(tmp_path: Path) -> None:
    path = tmp_path / "copy"
    path.write_bytes(b"an older file")
    told: list[str] = []
    for consumed, data, then in ((0, b"abcdef", b"abcdef"), (4, b"EF", b"abcdEF"), (6, b"gh", b"abcdEFgh")):
        sink = FileSink(path, told.append)
        await sink.begin(consumed)
        await sink.write(data)
        await sink.flush()
        sink.close()
        assert path.read_bytes() == then
    sink = FileSink(path, told.append)
    with pytest.raises(InputError) as refused:
        await sink.begin(100)
    sink.close()
    assert refused.value.code == "another-output"
    assert path.read_bytes() == b"abcdEFgh"
    assert len(told) == 2


async def test_an_output_that_the_shell_emptied_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "copy"
    for flags, refused in ((os.O_TRUNC, True), (os.O_APPEND, False), (0, False)):
        path.write_bytes(b"abcdef")
        descriptor = os.open(path, os.O_WRONLY | flags)
        sink = StandardOutput(lambda _: None, descriptor)
        if refused:
            with pytest.raises(InputError) as error:
                await sink.begin(6)
            assert error.value.code == "another-output"
        else:
            await sink.begin(6)
            await sink.write(b"gh")
            await sink.flush()
            assert path.read_bytes() == b"abcdefgh"
        os.close(descriptor)


async def test_a_pipe_as_output_is_written_whole() -> None:
    reading, writing = os.pipe()
    told: list[str] = []
    sink = StandardOutput(told.append, writing)
    await sink.begin(5)
    big = bytes(range(256)) * 2000
    came = asyncio.ensure_future(asyncio.to_thread(_read, reading, len(big)))
    await sink.write(big)
    await sink.flush()
    assert await came == big
    assert "5 bytes" in told[0]
    for descriptor in (reading, writing):
        os.close(descriptor)


def _read(descriptor: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += os.read(descriptor, 65536)
    return data
