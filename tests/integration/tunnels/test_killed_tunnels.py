"""kill -9 of daemons and commands under forwards and pipes."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.integration.tunnels.programs import SECONDS, Device, two_devices

from p4.client import connect
from p4.client.forwards import Forwards, forward, served
from p4.testing.free_ports import free_ports

FILM_BYTES = 40_000_000


@asynccontextmanager
async def devices(place: Path) -> AsyncIterator[tuple[Device, Device]]:
    laptop, phone = await two_devices(place)
    try:
        yield laptop, phone
    finally:
        for device in (laptop, phone):
            device.end()


@asynccontextmanager
async def shell() -> AsyncIterator[tuple[int, asyncio.Queue[str]]]:
    """A program that answers line by line, as a shell does over SSH; and what becomes of its connections."""
    ends: asyncio.Queue[str] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(b"> " + line)
            ends.put_nowait("ended")
        except ConnectionError:
            ends.put_nowait("reset")
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], ends


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: bytes) -> None:
    writer.write(line)
    async with asyncio.timeout(SECONDS):
        assert await reader.readline() == b"> " + line


async def refused(port: int) -> None:
    """Wait until nobody listens there any more."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            return
        writer.close()


async def test_connections_end_with_a_killed_daemon_and_kept_tunnels_come_back(tmp_path: Path) -> None:
    (here,) = free_ports(1)
    async with devices(tmp_path) as (laptop, phone), shell() as (port, ends):
        async with connect(laptop.state) as client:
            await Forwards(client).keep(served("ssh", "127.0.0.1", port, to=["phone"]))
        async with connect(phone.state) as client:
            await Forwards(client).keep(forward("laptop", "ssh", "127.0.0.1", here))

        for victim, other_end in ((laptop, "the forwarding side"), (phone, "the serving side")):
            reader, writer = await asyncio.open_connection("127.0.0.1", here)
            await ask(reader, writer, b"ls\n")
            victim.kill()
            if victim is phone:
                await victim.start()
            async with asyncio.timeout(SECONDS):
                if victim is laptop:
                    # The kernel tells the program at once; the phone learns it when the laptop is back.
                    assert await ends.get() in {"ended", "reset"}
                    await victim.start()
                    with pytest.raises(ConnectionError):
                        await reader.readexactly(1)
                else:
                    assert await ends.get() == "reset", other_end
            writer.close()

        reader, writer = await asyncio.open_connection("127.0.0.1", here)
        await ask(reader, writer, b"still there?\n")
        writer.close()
        async with asyncio.timeout(SECONDS):
            await ends.get()
        for device, contact in ((laptop, "phone"), (phone, "laptop")):
            async with connect(device.state) as client, asyncio.timeout(SECONDS):
                while (await client.request("GET", f"/v1/contacts/{contact}"))["open_streams"]:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)


async def test_a_killed_command_takes_its_forward_with_it(tmp_path: Path) -> None:
    async with devices(tmp_path) as (laptop, phone), shell() as (port, ends):
        serving = laptop.run("serve", str(port), "--name", "ssh", "--to", "phone", stdout=subprocess.PIPE)
        forwarding = phone.run("forward", "0", "laptop:ssh", "--json", stdout=subprocess.PIPE)
        assert serving.stdout is not None
        assert b"for phone" in await asyncio.to_thread(serving.stdout.readline)
        assert forwarding.stdout is not None
        here = json.loads(await asyncio.to_thread(forwarding.stdout.readline))["port"]
        reader, writer = await asyncio.open_connection("127.0.0.1", here)
        await ask(reader, writer, b"ls\n")
        forwarding.kill()
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(SECONDS):
                await reader.readexactly(1)
        writer.close()
        async with asyncio.timeout(SECONDS):
            assert await ends.get() == "reset"
            await refused(here)
        serving.kill()
        async with connect(laptop.state) as client, asyncio.timeout(SECONDS):
            while "tcp.ssh" in (await client.request("GET", "/v1/contacts/phone"))["grants"]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def grown(path: Path, size: int) -> None:
    """Wait until a file has so many bytes more, or stands still since it is complete."""
    before = path.stat().st_size if path.exists() else 0
    async with asyncio.timeout(SECONDS):
        while (now := path.stat().st_size if path.exists() else 0) < min(before + size, FILM_BYTES):
            # A command that begins again may cut off what was not confirmed.
            before = min(before, now)
            await asyncio.sleep(0.02)


async def test_a_pipe_from_file_to_file_survives_kills_of_commands_and_daemons(tmp_path: Path) -> None:
    chance = random.Random("pipe")
    film, copy = tmp_path / "film", tmp_path / "copy"
    film.write_bytes(chance.randbytes(FILM_BYTES))

    def send(phone: Device) -> subprocess.Popen[bytes]:
        with film.open("rb") as source:
            return phone.run("pipe", "laptop", stdin=source)

    def receive(laptop: Device) -> subprocess.Popen[bytes]:
        return laptop.run("pipe", "--listen", "phone", "-o", str(copy))

    async with devices(tmp_path) as (laptop, phone):
        sending, receiving = send(phone), receive(laptop)
        kills = 0
        for kill in ("sending", "receiving", "laptop", "phone", "receiving", "sending"):
            # Only what runs can be killed, and on a busy machine that takes a while.
            await grown(copy, chance.randrange(1, 4_000_000))
            if copy.stat().st_size > FILM_BYTES - 10_000_000:
                break  # what has ended well begins anew when it is run again
            kills += 1
            if kill == "sending":
                sending.kill()
                sending = send(phone)
            elif kill == "receiving":
                receiving.kill()
                receiving.wait()
                receiving = receive(laptop)
            else:
                device = laptop if kill == "laptop" else phone
                device.kill()
                await device.start()
        async with asyncio.timeout(SECONDS):
            codes = await asyncio.gather(*(asyncio.to_thread(one.wait) for one in (sending, receiving)))
        assert codes == [0, 0], laptop.said() + phone.said()
        assert copy.read_bytes() == film.read_bytes()
        assert kills >= 4


async def test_a_live_pipe_loses_nothing_when_its_daemons_are_killed(tmp_path: Path) -> None:
    async with devices(tmp_path) as (laptop, phone):
        reading = laptop.run("pipe", "--listen", "phone", "--name", "log", stdout=subprocess.PIPE)
        writing = phone.run("pipe", "laptop", "--name", "log", stdin=subprocess.PIPE)
        assert writing.stdin is not None
        assert reading.stdout is not None
        lines: list[bytes] = []
        flowing = asyncio.Event()

        async def read() -> None:
            assert reading.stdout is not None
            while line := await asyncio.to_thread(reading.stdout.readline):
                lines.append(line)
                flowing.set()

        following = asyncio.create_task(read())
        expected = []
        for number in range(400):
            expected.append(b"line %d of a log\n" % number)
            writing.stdin.write(expected[-1])
            writing.stdin.flush()
            if number in (100, 250):
                async with asyncio.timeout(SECONDS):
                    await flowing.wait()
                device = phone if number == 100 else laptop
                device.kill()
                await device.start()
            await asyncio.sleep(0.005)
        writing.stdin.close()
        async with asyncio.timeout(SECONDS):
            codes = [await asyncio.to_thread(one.wait) for one in (writing, reading)]
            await following
        assert codes == [0, 0], laptop.said() + phone.said()
        assert lines == expected
