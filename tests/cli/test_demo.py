"""The demonstration, and that it leaves nothing behind however it ends."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from rich.console import Console
from tests.cli.conftest import ALONE, environment
from tests.patience import patience
from tests.requirements import require_program

from p4.cli.commands import demo
from p4.cli.demo.display import LiveDisplay, PlainDisplay, Result, Verdict, show_verdict
from p4.cli.demo.film_scene import FILM_BYTES, NEEDED_BYTES, FilmScene
from p4.cli.demo.process import NodeProcess, OutputLine
from p4.cli.demo.scenario import MESSAGES, Scenario, Targets
from p4.cli.demo.stage import Stage, Way
from p4.cli.demo.steps import StepFailedError, Steps
from p4.errors import LocalError


def start(directory: Path, *arguments: str, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "p4.cli", "demo", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(TMPDIR=str(directory), TEMP=str(directory), COLUMNS="100", **more),
    )


def left_over(directory: Path) -> list[str]:
    """Processes that mention the directory, and files in it."""
    processes = []
    for process in psutil.process_iter(["cmdline", "pid"]):
        command = " ".join(process.info["cmdline"] or [])
        if str(directory) in command and process.pid != os.getpid():
            processes.append(command)
    return processes + [str(path) for path in directory.iterdir()]


def rows(output: str) -> dict[str, str]:
    """The last table: step to result."""
    table = output[output.index("What happened") :]
    return {
        cells[0].strip(): cells[-1].strip()
        for line in table.splitlines()
        if len(cells := re.split("[│┃]", line)) == 4
    }


@pytest.fixture
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a short path: unix sockets go below it."""
    return tmp_path_factory.mktemp("d")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_whole_story_without_tor(short: Path) -> None:
    process = start(short, "--direct")
    out, err = process.communicate(timeout=220)
    assert process.returncode == 0, out + err
    assert err == ""
    results = rows(out)
    assert len(results) >= 20
    assert set(results.values()) - {"result"} <= {"ok", "slow"}
    assert "Everything works." in out
    assert f"All {MESSAGES} messages arrive, in order, each exactly once" in results
    verdict = out[out.index("What happened") :]
    kills = re.findall(
        r"^(\w+) was killed at byte (\d+): at most [\d.]+ MB were sent again", verdict, re.MULTILINE
    )
    assert [victim for victim, _ in kills] == ["laptop", "phone"]
    first, second = (int(byte) for _, byte in kills)
    assert 0 < first < second < FILM_BYTES
    hashes = re.findall(r"^The (film|copy) on \w+: sha256 ([0-9a-f]{64})$", verdict, re.MULTILINE)
    assert [which for which, _ in hashes] == ["film", "copy"]
    assert hashes[0][1] == hashes[1][1]
    assert "\x1b" not in out
    assert left_over(short) == []


@pytest.mark.slow
@pytest.mark.timeout(330)
def test_the_whole_story_over_a_private_tor_network(short: Path) -> None:
    require_program("tor")
    require_program("tor-gencert")
    process = start(short)
    out, err = process.communicate(timeout=310)
    assert process.returncode == 0, out + err
    assert "A private Tor network starts on this machine" in rows(out)
    assert set(rows(out).values()) - {"result"} <= {"ok", "slow"}
    assert left_over(short) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment",
    [
        "Its relays introduce themselves",
        pytest.param("prints its invite", marks=pytest.mark.soak),
        "waiting for the link",
        pytest.param("phone has .* MB", marks=pytest.mark.soak),
    ],
)
def test_ctrl_c_leaves_nothing_of_the_private_network(short: Path, moment: str) -> None:
    require_program("tor")
    require_program("tor-gencert")
    interrupted_at(short, moment)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(
    "moment",
    [
        "get identities",
        pytest.param("waiting for the link", marks=pytest.mark.slow),
        pytest.param("to notice", marks=pytest.mark.slow),
        pytest.param("making a film", marks=pytest.mark.slow),
        pytest.param("phone has .* MB", marks=pytest.mark.slow),
    ],
)
def test_ctrl_c_leaves_nothing(short: Path, moment: str) -> None:
    interrupted_at(short, moment, "--direct")


def interrupted_at(directory: Path, moment: str, *arguments: str) -> None:
    process = start(directory, *arguments)
    assert process.stdout is not None
    while not re.search(moment, line := process.stdout.readline()):
        assert line, "it ended before that"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == ""
    assert left_over(directory) == []


def test_a_failure_shows_the_logs_and_keeps_them(short: Path) -> None:
    process = start(short, "--onionrelay-bin", "/no/such/tor", "--direct", P4_LINK_BACKEND="nonsense")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err == ""
    assert "Traceback" not in out
    assert "failed" in rows(out).values()
    assert "The demonstration failed." in out
    assert "The last lines of laptop's log" in out
    (kept,) = short.iterdir()
    assert str(kept) in out
    assert sorted(path.name for path in kept.iterdir()) == ["laptop.log", "phone.log"]


def test_too_little_disk_is_said_before_anything_begins(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil._ntuple_diskusage(10**12, 10**12 - NEEDED_BYTES + 1, NEEDED_BYTES - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    stage = Stage(Way.DIRECT, Console(), short / "kept", 0, None, 10)
    with pytest.raises(LocalError, match=rf"needs {NEEDED_BYTES // 10**6} MB .* Nothing was begun") as caught:
        asyncio.run(stage.play())
    assert caught.value.code == "disk-space"
    assert str(short / "kept") in caught.value.message
    assert list((short / "kept").iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_everything_is_kept_on_request(short: Path) -> None:
    process = start(short, "--direct", "--keep", str(short / "kept"))
    out, _ = process.communicate(timeout=220)
    assert process.returncode == 0
    (kept,) = (short / "kept").iterdir()
    assert str(kept) in out
    assert {"laptop", "phone", "laptop.log", "phone.log"} <= {path.name for path in kept.iterdir()}
    log = (kept / "laptop.log").read_text()
    assert "--- killed ---" in log
    assert "Data channel OPEN" in log
    assert "Complete at both ends: sha256" in log
    assert not (kept / "films").exists()


# --- the parts ----------------------------------------------------------------------------------------------


class SilentDisplay:
    def __init__(self) -> None:
        self.results: list[Result] = []

    def begin(self, step: str) -> None: ...
    def note(self, text: str) -> None: ...
    def tell(self, text: str) -> None: ...
    def close(self) -> None: ...

    def end(self, result: Result) -> None:
        self.results.append(result)


@pytest.mark.slow
async def test_a_step_that_never_ends_fails_by_its_limit(tmp_path: Path) -> None:
    """A pair that does not know each other starts, but never meets."""
    devices = (
        NodeProcess("laptop", tmp_path / "a", tmp_path / "a.log"),
        NodeProcess("phone", tmp_path / "b", tmp_path / "b.log"),
    )
    display = SilentDisplay()
    scenario = Scenario(
        devices,
        Steps(display),
        options=lambda _device: ["--mode", "direct", *ALONE],
        invite_options=lambda _device: [],
        targets=Targets(cold_limit=2.0),
    )
    try:
        await scenario._make_identities()
        with pytest.raises(StepFailedError):
            await scenario._first_meeting()
    finally:
        await asyncio.gather(*(device.clean_up() for device in devices))
    assert [result.verdict for result in display.results] == [Verdict.OK, Verdict.FAILED]
    assert not any(device.running for device in devices)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[NodeProcess, NodeProcess]:
    """Two devices that have no process; the tests say what they printed."""
    laptop, phone = (NodeProcess(name, tmp_path / name, tmp_path / "log") for name in ("laptop", "phone"))
    laptop.peer_id, phone.peer_id = "a" * 24, "b" * 24
    return laptop, phone


@pytest.mark.parametrize(
    ("arrived", "verdict"),
    [
        (["1 of 3", "2 of 3", "3 of 3"], Verdict.OK),
        (["1 of 3", "3 of 3"], Verdict.FAILED),
        (["1 of 3", "2 of 3", "2 of 3", "3 of 3"], Verdict.FAILED),
        (["2 of 3", "1 of 3", "3 of 3"], Verdict.FAILED),
        (["1 of 3", "2 of 3", "3 of 3", "3 of 3"], Verdict.FAILED),
        (["1 of 3", "2 of 3"], Verdict.FAILED),
    ],
)
async def test_a_message_lost_doubled_or_overtaken_fails(
    arrived: list[str], verdict: Verdict, pair: tuple[NodeProcess, NodeProcess]
) -> None:
    laptop, phone = pair
    display = SilentDisplay()
    scenario = Scenario(pair, Steps(display), lambda _device: [], lambda _device: [])
    phone.lines = [OutputLine(1.0, f"{laptop.peer_id}> {text}") for text in arrived]
    with contextlib.suppress(StepFailedError):
        await scenario._all_arrive(["1 of 3", "2 of 3", "3 of 3"], laptop, phone)
    assert [result.verdict for result in display.results] == [verdict]


@pytest.mark.parametrize("damaged", ["nothing", "copy", "answer"])
async def test_a_film_that_is_not_the_same_at_both_ends_fails(
    damaged: str, pair: tuple[NodeProcess, NodeProcess], tmp_path: Path
) -> None:
    display = SilentDisplay()
    scene = FilmScene(*pair, Steps(display), lambda _device: [], tmp_path / "films")
    scene.copy.parent.mkdir(parents=True)
    scene.film.write_bytes(b"film")
    scene.copy.write_bytes(b"fil" if damaged == "copy" else b"film")
    answer = "0" * 64 if damaged == "answer" else hashlib.sha256(b"film").hexdigest()
    pair[0].lines = [OutputLine(1.0, f"Complete at both ends: sha256 {answer}")]
    with contextlib.suppress(StepFailedError):
        await scene._compare()
    (result,) = display.results
    assert result.verdict is (Verdict.OK if damaged == "nothing" else Verdict.FAILED)
    assert len(result.evidence) == (2 if damaged == "nothing" else 0)


async def test_a_kill_that_comes_too_late_fails(
    pair: tuple[NodeProcess, NodeProcess], tmp_path: Path
) -> None:
    """A film that was complete before proves nothing."""
    scene = FilmScene(*pair, Steps(SilentDisplay()), lambda _device: [], tmp_path / "films")
    with pytest.raises(LocalError, match="ended before phone could be killed"):
        await scene._kill(pair[1])


async def test_a_node_that_ends_is_noticed_at_once(tmp_path: Path) -> None:
    device = NodeProcess("laptop", tmp_path / "none", tmp_path / "a.log")
    await device.start(["--no-stdin"])
    began = time.monotonic()
    with pytest.raises(Exception, match="ended by itself"):
        await device.wait_for("Data channel OPEN", since=0)
    assert time.monotonic() - began < patience(10)
    assert "p4 init" in (tmp_path / "a.log").read_text()
    await device.clean_up()


RESULTS = [
    Result("first", Verdict.OK),
    Result("second", Verdict.SLOW, 2.5, 1.5),
    Result("third", Verdict.FAILED, None, 3.0, "It did [not] work."),
    Result("fourth", Verdict.OK, detail="[so] it went", evidence=("[proof] " + 64 * "f" + 64 * "0",)),
]


@pytest.mark.parametrize("terminal", [True, False])
def test_every_result_is_shown(terminal: bool) -> None:
    with Path(os.devnull).open("w") as nowhere:
        console = Console(file=nowhere, force_terminal=terminal, width=100, record=True, no_color=True)
        display = LiveDisplay(console) if terminal else PlainDisplay(console)
        for result in RESULTS:
            display.begin(result.step)
            display.note("waiting [for] something")
            display.end(result)
        display.tell("[a sentence]")
        display.close()
        show_verdict(console, RESULTS, failed=True, seconds=3)
    text = console.export_text()
    assert "[a sentence]" in text
    assert "It did [not] work." in text
    assert rows(text) == {
        "step": "result",
        "first": "ok",
        "second": "slow",
        "third": "failed",
        "fourth": "ok",
    }
    assert text.count("[so] it went") == 1
    assert "[proof] " + 64 * "f" + 64 * "0" in text
    assert "The demonstration failed." in text


def test_the_limits_are_ordered() -> None:
    """Ending by force must not come before an orderly end of two nodes and the network."""
    assert demo.END_SECONDS >= 5
    assert Steps(SilentDisplay()).limit_seconds >= 60
    assert demo.LIMIT_SECONDS < demo.PUBLIC_LIMIT_SECONDS
