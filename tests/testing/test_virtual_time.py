"""The virtual-time loop: it jumps, it is deterministic, and it refuses what it cannot do."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import time

import pytest

from p4.testing.virtual_time import (
    START_SECONDS,
    START_WALL_MS,
    SeededEntropy,
    VirtualClock,
    VirtualTimeError,
    VirtualTimeLoop,
    run,
)


def now() -> float:
    return asyncio.get_running_loop().time() - START_SECONDS


def test_a_day_of_sleep_takes_no_time() -> None:
    async def main() -> float:
        for _ in range(24):
            await asyncio.sleep(3600)
        return now()

    began = time.perf_counter()
    assert run(main(), limit=90_000) == pytest.approx(86_400)
    assert time.perf_counter() - began < 5


def test_timeouts_and_task_groups_work() -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.sleep(3600)
        assert now() == pytest.approx(5)
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(10))
            group.create_task(asyncio.sleep(20))
        assert now() == pytest.approx(25)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 1)

    run(main())


def test_timers_fire_in_order_even_after_a_century() -> None:
    async def main() -> None:
        await asyncio.sleep(100 * 365 * 86_400)
        order: list[int] = []
        loop = asyncio.get_running_loop()
        for delay in (3, 1, 2):
            loop.call_later(delay * 0.001, order.append, delay)
        await asyncio.sleep(0.01)
        assert order == [1, 2, 3]

    run(main(), limit=1e10)


def test_a_loop_that_nothing_can_wake_names_the_waiting_task() -> None:
    async def forgotten() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        await asyncio.create_task(forgotten(), name="the forgotten one")

    with pytest.raises(VirtualTimeError, match="the forgotten one"):
        run(main())


def test_waiting_beside_an_endless_heartbeat_reaches_the_limit() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()

        def heartbeat() -> None:
            loop.call_later(1, heartbeat)

        heartbeat()
        await asyncio.Event().wait()

    with pytest.raises(VirtualTimeError, match="within its limit"):
        run(main(), limit=100)


def test_cleanup_may_take_time_after_the_limit() -> None:
    cleaned = False

    async def main() -> None:
        nonlocal cleaned
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(2)
            cleaned = True

    with pytest.raises(VirtualTimeError):
        run(main(), limit=10)
    assert cleaned


def test_threads_are_refused() -> None:
    async def main() -> None:
        with pytest.raises(VirtualTimeError, match="thread"):
            await asyncio.to_thread(time.sleep, 0)
        with pytest.raises(VirtualTimeError, match="thread"):
            await asyncio.get_running_loop().getaddrinfo("localhost", 1)

    run(main())


def test_calls_from_another_thread_are_refused() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        failures: list[Exception] = []

        def intrude() -> None:
            try:
                loop.call_soon_threadsafe(print)
            except VirtualTimeError as error:
                failures.append(error)

        thread = threading.Thread(target=intrude)
        thread.start()
        thread.join()
        assert len(failures) == 1

    run(main())


def test_real_sockets_are_refused() -> None:
    async def main() -> None:
        with socket.socket() as real:
            real.setblocking(False)
            with pytest.raises(VirtualTimeError, match="sockets"):
                asyncio.get_running_loop().add_reader(real, print)

    run(main())


def test_an_exception_that_no_one_awaited_fails_the_run() -> None:
    async def main() -> None:
        def fail() -> None:
            raise ArithmeticError("in a callback")

        asyncio.get_running_loop().call_later(1, fail)
        await asyncio.sleep(2)

    with pytest.raises(BaseExceptionGroup) as caught:
        run(main())
    assert caught.group_contains(ArithmeticError, match="in a callback")


def test_sets_of_tasks_have_the_same_order_in_each_run() -> None:
    async def main() -> list[str]:
        litter = [object() for _ in range(1000)]  # moves the addresses of what follows
        tasks = {asyncio.create_task(asyncio.sleep(0), name=str(i)) for i in range(50)}
        await asyncio.wait(tasks)
        del litter
        return [task.get_name() for task in tasks]

    assert run(main()) == run(main())


def test_the_result_and_the_exception_of_main_come_out() -> None:
    async def good() -> str:
        return "result"

    async def bad() -> None:
        raise LookupError("reason")

    assert run(good()) == "result"
    with pytest.raises(LookupError, match="reason"):
        run(bad())


def test_the_wall_clock_runs_with_the_loop_and_jumps_alone() -> None:
    async def main() -> None:
        clock = VirtualClock()
        assert clock.wall_ms() == START_WALL_MS
        await asyncio.sleep(1.5)
        assert clock.wall_ms() == START_WALL_MS + 1500
        before = clock.monotonic()
        clock.jump(-3600)
        assert clock.wall_ms() == START_WALL_MS + 1500 - 3_600_000
        clock.set_wall_ms(42_000)
        await asyncio.sleep(1)
        assert clock.wall_ms() == 43_000
        assert clock.monotonic() == pytest.approx(before + 1)

    run(main())


def test_seeded_entropy_repeats_itself() -> None:
    one, same, other = SeededEntropy(1), SeededEntropy(1), SeededEntropy(2)
    assert one.token(16) == same.token(16) != other.token(16)
    assert one.uniform(3, 4) == same.uniform(3, 4)
    assert 3 <= one.uniform(3, 4) <= 4


def test_the_loop_can_be_used_without_run() -> None:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        assert runner.run(asyncio.sleep(3, result="x")) == "x"


def test_what_tasks_begin_while_they_are_cancelled_is_ended_too(caplog: pytest.LogCaptureFixture) -> None:
    ended: list[str] = []

    async def write() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("the write")

    async def carry() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            # As a stream that is reset: what its disk has to write is a task of its own.
            asyncio.get_running_loop().call_soon(begin)

    def begin() -> None:
        writes.append(asyncio.get_running_loop().create_task(write()))

    async def main() -> None:
        writes.append(asyncio.get_running_loop().create_task(carry()))
        await asyncio.sleep(1)

    writes: list[asyncio.Task[None]] = []
    run(main())
    assert ended == ["the write"]
    assert [task.cancelled() for task in writes] == [True, True]
    writes.clear()
    gc.collect()
    assert not caplog.records
