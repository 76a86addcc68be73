"""The system clock and randomness do what the ports promise."""

from __future__ import annotations

import asyncio
import time

import pytest

from p4.adapters.clock import SystemClock, SystemEntropy
from p4.ports import Clock, Entropy


async def test_monotonic_is_on_the_scale_of_the_event_loop() -> None:
    clock: Clock = SystemClock()
    before = asyncio.get_running_loop().time()
    now = clock.monotonic()
    assert before <= now <= asyncio.get_running_loop().time()


def test_wall_clock_is_unix_time_in_milliseconds() -> None:
    clock: Clock = SystemClock()
    before = time.time()
    now = clock.wall_ms()
    assert isinstance(now, int)
    assert int(before * 1000) <= now <= int(time.time() * 1000) + 1


@pytest.mark.parametrize("length", [0, 1, 16, 32])
def test_token_has_the_length_and_is_never_the_same(length: int) -> None:
    entropy: Entropy = SystemEntropy()
    tokens = {entropy.token(length) for _ in range(100)}
    assert all(len(token) == length for token in tokens)
    if length >= 16:
        assert len(tokens) == 100


def test_uniform_stays_in_bounds_and_fills_them() -> None:
    entropy: Entropy = SystemEntropy()
    draws = [entropy.uniform(-2.0, 3.0) for _ in range(2000)]
    assert min(draws) >= -2.0
    assert max(draws) <= 3.0
    # Each of ten bins has missed 2000 draws with probability 0.9 ** 2000 < 1e-91.
    assert {int((draw + 2.0) / 0.5000001) for draw in draws} == set(range(10))
