"""Symmetric against port-restricted NAT, without TURN: real routers, real sockets, a real link."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.integration.nat.laboratory import Laboratory
from tests.integration.nat.line import Conditions
from tests.integration.nat.namespaces import unusable_reason
from tests.integration.nat.networks import Host
from tests.integration.nat.rules import NatKind
from tests.patience import patience
from tests.requirements import missing, require_root

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[3]
RUNS = 10


@dataclass
class Side:
    """The program of one side."""

    process: subprocess.Popen[str]

    def hears(self, value: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(value) + "\n")
        self.process.stdin.flush()

    def says(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the program ended early"
        return json.loads(line)


@pytest.fixture
def laboratory() -> Iterator[Laboratory]:
    require_root()
    reason = unusable_reason()
    if reason is not None:
        missing(reason)
    with Laboratory() as built:
        yield built


@contextlib.contextmanager
def sides(laboratory: Laboratory, hosts: list[Host], *arguments: str) -> Iterator[list[Side]]:
    """One program in each computer; two STUN servers."""
    servers = [laboratory.server("stun-a"), laboratory.server("stun-b")]
    started: list[subprocess.Popen[Any]] = [
        subprocess.Popen(
            [*server.namespace.command, sys.executable, "-m", "tests.integration.punch.stun_server"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        for server in servers
    ]
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
        urls = [f"stun:{server.address}:3478" for server in servers]
        programs: list[Side] = []
        for host, argument in zip(hosts, arguments, strict=True):
            command = [sys.executable, "-m", "tests.integration.punch.side", *argument.split(), *urls]
            programs.append(
                Side(
                    subprocess.Popen(
                        [*host.namespace.command, *command],
                        cwd=ROOT,
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        text=True,
                    )
                )
            )
            started.append(programs[-1].process)
        yield programs
    finally:
        for process in started:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


def meetings(laboratory: Laboratory, hosts: list[Host], runs: int) -> list[float]:
    """Let a hard and an easy side meet so many times; seconds until both knew it."""
    seconds = []
    with sides(laboratory, hosts, f"guess {runs}", f"guess {runs}") as (hard, easy):
        for _ in range(runs):
            notes = hard.says(), easy.says()
            assert [note["kind"] for note in notes] == ["hard", "easy"]
            hard.hears(notes[1])
            easy.hears(notes[0])
            met = [hard.says(), easy.says()]
            assert None not in met
            seconds.append(max(met))
            hard.hears("go on")
            easy.hears("go on")
        assert (hard.says(), easy.says()) == ("done", "done")
    print(f"met after {statistics.median(seconds):.2f} s (median), {max(seconds):.2f} s at most")
    return seconds


@pytest.mark.parametrize("easy_kind", [NatKind.PORT_RESTRICTED, NatKind.FIREWALL])
def test_ten_of_ten_attempts_meet(laboratory: Laboratory, easy_kind: NatKind) -> None:
    hosts = [
        laboratory.host("hard", laboratory.network("mobile", NatKind.SYMMETRIC)),
        laboratory.host("easy", laboratory.network("home", easy_kind)),
    ]
    seconds = meetings(laboratory, hosts, RUNS)
    assert statistics.median(seconds) < patience(2.5)


@pytest.mark.parametrize(
    ("easy_kind", "conditions"),
    [
        # Its own NAT lets in whom it has sent to, or everybody: nothing needs to be guessed for long.
        (NatKind.FULL_CONE, Conditions()),
        (NatKind.ADDRESS_RESTRICTED, Conditions()),
        (
            NatKind.PORT_RESTRICTED,
            Conditions(loss=0.08),
        ),  # a quarter of all round trips
        (NatKind.PORT_RESTRICTED, Conditions(delay_ms=200, jitter_ms=50)),
    ],
    ids=["full cone", "address-restricted", "loss", "0.8 s round trips"],
)
def test_other_networks_and_bad_lines(
    laboratory: Laboratory, easy_kind: NatKind, conditions: Conditions
) -> None:
    hard_network = laboratory.network("mobile", NatKind.SYMMETRIC)
    easy_network = laboratory.network("home", easy_kind)
    for network in (hard_network, easy_network):
        network.shape(conditions)
    hosts = [laboratory.host("hard", hard_network), laboratory.host("easy", easy_network)]
    seconds = meetings(laboratory, hosts, 3)
    if easy_kind is not NatKind.PORT_RESTRICTED:
        assert max(seconds) < patience(1.0)


@pytest.mark.parametrize("hard_offers", [True, False])
def test_a_link_over_the_bridge_carries_a_megabyte_each_way(
    laboratory: Laboratory, hard_offers: bool
) -> None:
    hosts = [
        laboratory.host("hard", laboratory.network("mobile", NatKind.SYMMETRIC)),
        laboratory.host("easy", laboratory.network("home", NatKind.PORT_RESTRICTED)),
    ]
    if not hard_offers:
        hosts.reverse()
    with sides(laboratory, hosts, "link offerer", "link answerer") as (offerer, answerer):
        answerer.hears(offerer.says())
        offerer.hears(answerer.says())
        results = [offerer.says(), answerer.says()]
        assert [result["got"] for result in results] == [1024 * 1024] * 2
        for side in (offerer, answerer):
            side.hears("go on")
        assert (offerer.says(), answerer.says()) == ("done", "done")
    print(results)


def test_two_hard_sides_do_not_begin(laboratory: Laboratory) -> None:
    hosts = [
        laboratory.host("one", laboratory.network("mobile", NatKind.SYMMETRIC)),
        laboratory.host("two", laboratory.network("office", NatKind.SYMMETRIC)),
    ]
    with sides(laboratory, hosts, "guess 1", "guess 1") as (one, two):
        assert {one.says()["kind"], two.says()["kind"]} == {"hard"}
