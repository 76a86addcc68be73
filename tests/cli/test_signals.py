"""Ending on a signal, by real signals to real processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest
from tests.cli.conftest import environment
from tests.patience import patience

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

PROGRAM = """
import asyncio, sys, time
from p4.cli.signals import run_until_signalled

async def work():
    print("ready", flush=True)
    try:
        await asyncio.sleep(60)
    finally:
        {ending}
        print("cleaned", flush=True)

sys.exit(run_until_signalled(work, grace_seconds=0.5).exit_code)
"""


def ended_by(
    number: signal.Signals, ending: str, *, again: bool = False, **more: str
) -> tuple[int, float, str, str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(ending=ending)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**more),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    began = time.monotonic()
    process.send_signal(number)
    if again:
        time.sleep(0.1)
        process.send_signal(number)
    out, err = process.communicate(timeout=50)
    return process.returncode, time.monotonic() - began, out, err


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGINT, 130)],
    ids=lambda value: str(value),
)
def test_a_signal_lets_the_work_clean_up(number: signal.Signals, code: int) -> None:
    assert ended_by(number, "pass")[::2] == (code, "cleaned\n")


@pytest.mark.parametrize("ending", ["await asyncio.sleep(60)", "time.sleep(60)"])
def test_an_end_that_hangs_is_cut_short(ending: str) -> None:
    code, seconds, out, err = ended_by(signal.SIGTERM, ending, P4_END_SECONDS="soon")
    assert code == 0
    assert out == ""
    assert 0.4 < seconds < patience(3)
    assert len(err.splitlines()) == 1


def test_a_second_signal_ends_at_once() -> None:
    code, seconds, out, err = ended_by(signal.SIGINT, "await asyncio.sleep(60)", again=True)
    assert (code, out, err) == (130, "", "")
    assert seconds < patience(0.5)


def test_the_environment_grants_more_time() -> None:
    code, seconds, out, err = ended_by(signal.SIGTERM, "await asyncio.sleep(1)", P4_END_SECONDS="30")
    assert (code, out, err) == (0, "cleaned\n", "")
    assert seconds > 0.9


def test_an_ignored_hang_up_stays_ignored() -> None:
    code = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + PROGRAM.format(
        ending="pass"
    ).replace("sleep(60)", "sleep(0.6)")
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment()
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    began = time.monotonic()
    process.send_signal(signal.SIGHUP)
    assert process.communicate(timeout=50)[0] == "cleaned\n"
    assert time.monotonic() - began > 0.4
