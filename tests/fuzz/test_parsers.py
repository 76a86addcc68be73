"""Every parser gives a value or its own kind of error, never anything else (see targets.py)."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.fuzz.mutate import mutated
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS

TEXT = st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass"))
CORPUS = Path(__file__).parent / "corpus"
QUICK_INPUTS = 1000
EXPENSIVE = (
    b"[",
    b'"',
    b"1",
    b"-",
    b" ",
    b"\n",
    b'\\"',
    b'{"a":',
    b"[],",
    b"a=ice-pwd:",
    b"\xff",
    b"\\u0000",
)
SOAK_SECONDS = float(os.environ.get("P4_FUZZ_SECONDS", "600"))


def run_all(target: Target, inputs: list[bytes]) -> None:
    for data in inputs:
        attempt(target, data)


def attempt(target: Target, data: bytes) -> bool:
    """Run the parser. Any exception that is not its own kind escapes and fails the test.

    Returns:
        Whether it accepted the input.
    """
    try:
        target.run(data)
    except target.errors:
        return False
    return True


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_accepted(name: str) -> None:
    """Otherwise the mutations would start from rubbish."""
    assert all(attempt(TARGETS[name], seed) for seed in TARGETS[name].seeds)


@pytest.mark.parametrize("name", TARGETS)
def test_corpus(name: str) -> None:
    """Every input of the corpus, in every parser: what once broke one is tried on all."""
    inputs = sorted(CORPUS.glob("*.bin"))
    assert inputs
    for path in inputs:
        attempt(TARGETS[name], path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_mutated_seeds(name: str) -> None:
    target = TARGETS[name]
    accepted = 0
    for number in range(target.mutations):
        data = mutated(target.seeds[number % len(target.seeds)], random.Random(f"{name} {number}"))
        try:
            accepted += attempt(target, data)
        except Exception as error:
            error.add_note(f"input {number} of {name}: {data!r:.2000}")
            raise
    # A mutator that destroys everything would only ever see the first check of a parser.
    assert 0 < accepted < target.mutations


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.binary(max_size=200) | TEXT)
@example(data=b"")
@example(data=b"[" * 65_000)
@example(data=b"9" * 65_000)
@example(data=b'"' + b"\\" * 65_000)
def test_any_bytes(name: str, data: bytes) -> None:
    attempt(TARGETS[name], data)


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_of_a_signaling_line_takes_long(name: str) -> None:
    """An input of 64 KiB that costs a second would be a way to stop a node."""
    for token in EXPENSIVE:
        for start in (b"", b'{"payload":', b"v=0\n", b'["'):
            data = (start + token * 65_536)[:65_535]
            started = time.perf_counter()
            attempt(TARGETS[name], data)
            assert time.perf_counter() - started < 1.0


def test_a_parser_that_leaks_another_error_is_found() -> None:
    """The mutant of this file: a parser that forgets that bytes may not be UTF-8."""

    def careless(data: bytes) -> None:
        TARGETS["payload"].run(data.decode("utf-8").encode())

    mutant = Target(careless, TARGETS["payload"].errors, TARGETS["payload"].seeds)
    inputs = [mutated(mutant.seeds[0], random.Random(number)) for number in range(QUICK_INPUTS)]
    with pytest.raises(UnicodeDecodeError):
        run_all(mutant, inputs)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", TARGETS)
def test_mutated_seeds_for_long(name: str) -> None:
    """New inputs each time; the number that reproduces one is in the note. P4_FUZZ_SECONDS sets how long."""
    target, start = TARGETS[name], random.SystemRandom().getrandbits(48)
    ends, number = time.monotonic() + SOAK_SECONDS / len(TARGETS), start
    while time.monotonic() < ends:
        number += 1
        choice = random.Random(number)
        data = choice.choice(target.seeds)
        for _ in range(choice.randint(1, 4)):
            data = mutated(data, choice)
        try:
            attempt(target, data)
        except Exception as error:
            error.add_note(f"input {number} of {name}: {data!r:.5000}")
            raise
