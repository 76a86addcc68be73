"""The example program of the demonstration: a film arrives whole, whoever dies and whoever is awake."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from tests.cli.conftest import ALONE, Run, environment

import p4
from p4.cli.demo import film
from p4.errors import StreamError
from p4.testing import SimulatedNetwork, simulate, start_node
from p4.testing.free_ports import free_ports

FILM = os.urandom(40_000_000)  # takes long enough to kill somebody meanwhile, and waits on disk as a whole
LEGAL = "Der blaue Engel - 1930.mkv"

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start_film() -> Iterator[Start]:
    """Start the program; whatever still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str | Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "p4.cli.demo.film", *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def pair(p4: Run, p4_process: Run, tmp_path: Path) -> dict[str, list[str]]:
    """Two paired devices; the phone lets the laptop send films. Their options, with the state directory."""
    ports = dict(zip(("laptop", "phone"), free_ports(2), strict=True))
    invites = {}
    for name, port in ports.items():
        assert p4("init", "--state-dir", tmp_path / name).returncode == 0
        direct = ("--mode", "direct", "--advertise", f"127.0.0.1:{port}")
        invites[name] = p4("invite", "--state-dir", tmp_path / name, *direct).stdout
    for name, other in (("laptop", "phone"), ("phone", "laptop")):
        state = ("--state-dir", tmp_path / name)
        assert p4("add-contact", *state, "--invite-json", invites[other], "--name", other).returncode == 0
    alone = ("--mode", "direct", *ALONE)
    said = p4_process("run", "--state-dir", tmp_path / "phone", *alone, stdin="/grant laptop film\n")
    assert "may use: chat ping film" in said.stdout
    return {
        name: ["--mode", "direct", "--signal-port", str(port), *ALONE, str(tmp_path / name)]
        for name, port in ports.items()
    }


@pytest.mark.slow
def test_a_film_survives_the_death_of_both(
    pair: dict[str, list[str]], start_film: Start, tmp_path: Path
) -> None:
    path, received = tmp_path / LEGAL, tmp_path / "received"
    path.write_bytes(FILM)
    received.mkdir()
    send = [*pair["laptop"], "send", "phone", str(path)]
    receive = [*pair["phone"], "receive", str(received)]

    first = start_film(*send)
    await_line(first, f"Written {len(FILM)} bytes, 0 confirmed")  # nobody is there yet
    first.kill()
    first_receiver = start_film(*receive)
    second = start_film(*send)
    await_line(second, f"Sending {LEGAL} from byte {len(FILM)}")
    await_line(first_receiver, "Received ")
    first_receiver.kill()
    second_receiver = start_film(*receive)

    resumed = await_line(second_receiver, f"Receiving {LEGAL} from byte ")
    assert int(resumed.split()[-1]) >= film.STEP_BYTES
    digest = hashlib.sha256(FILM).hexdigest()
    for process in (second, second_receiver):
        out, err = process.communicate(timeout=90)
        assert (process.returncode, err) == (0, "")
        assert out.splitlines()[-1].endswith(f"sha256 {digest}")
    assert (received / LEGAL).read_bytes() == FILM


def await_line(process: subprocess.Popen[str], beginning: str) -> str:
    """Read on until a line begins like this."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(beginning):
            return line.rstrip("\n")
    raise AssertionError(process.communicate()[1])


@pytest.mark.parametrize("words", [["send", "nobody", __file__], ["send", "phone", "/no/such/film"]])
def test_what_cannot_be_sent_is_said_in_one_line(
    words: list[str], pair: dict[str, list[str]], start_film: Start
) -> None:
    process = start_film(*pair["laptop"], *words)
    out, err = process.communicate(timeout=90)
    assert process.returncode == 1
    assert out == ""
    assert err.startswith("film: ")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "name", ["", "..", ".hidden", "../film", "/etc/film", "a\\b", "a\0b", "a\nb", "C:film"]
)
def test_a_name_cannot_lead_out_of_the_directory(name: str, tmp_path: Path) -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        laptop = await start_node(network, "laptop", "phone")
        phone = await start_node(network, "phone", "laptop")
        await phone.peer("laptop").grant("film")
        receiving = asyncio.create_task(film.receive(cast("p4.Node", phone), tmp_path))
        stream = await laptop.peer("phone").stream("film", name)
        with pytest.raises(StreamError) as caught:
            await stream.read()
        assert caught.value.code == "cancelled"
        assert "The name of a film" in caught.value.message
        receiving.cancel()
        await asyncio.wait([receiving])
        await laptop.close()
        await phone.close()

    simulate(scenario)
    assert list(tmp_path.iterdir()) == []
