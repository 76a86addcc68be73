"""Programs that had a stream and go on with it, and with no other, whatever has become of it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import pytest
from tests.daemon.conftest import RunningDaemon, grant
from tests.daemon.test_stream_routes import ACCEPT, OPEN, Pair, connect
from websockets.exceptions import InvalidStatus


async def refused(daemon: RunningDaemon, path: str) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as error:
        await connect(daemon, path)
    answer = error.value.response
    assert answer.body is not None
    return answer.status_code, json.loads(answer.body)["error"]["code"]


async def test_a_stream_is_asked_for_after_a_restart_before_its_turn(
    pair: Pair, start_daemon: Callable[[str], Awaitable[RunningDaemon]]
) -> None:
    laptop, phone = pair
    await grant(phone, "laptop", "films")
    here = await connect(laptop, OPEN)
    await here.socket.send(b"0123456789")
    there = await connect(phone, ACCEPT)
    used = (await there.says("open"))["id"]
    await there.reads(10)
    await there.tell("consumed", offset=4)
    await there.tell("flush")  # words are obeyed in order
    await there.says("flushed")
    await phone.others.aclose()
    await phone.daemon.close()

    phone = await start_daemon("phone")
    again = await connect(phone, f"{ACCEPT}?contact=laptop&id={used}")
    opened = await again.says("open")
    assert (opened["id"], opened["position"]) == (used, 4)
    # Whoever waits for the next stream is not given this one, whose turn would have come now.
    waiting = await connect(phone, ACCEPT)
    await waiting.tell("flush")
    assert (await waiting.says("error"))["error"]["code"] == "not-open"
    await again.tell("flush")
    await again.says("flushed")
    assert await again.reads(6) == b"456789"
    # It takes the place of another connection that has it.
    third = await connect(phone, f"{ACCEPT}?contact=laptop&id={used}")
    assert (await third.says("open"))["id"] == used


async def test_what_is_over_is_told_and_no_other_is_begun(pair: Pair) -> None:
    laptop, phone = pair
    await grant(phone, "laptop", "films")
    here, there = await connect(laptop, OPEN), await connect(phone, ACCEPT)
    used = (await here.says("open"))["id"]
    await there.says("open")
    again = await connect(laptop, f"{OPEN}&id={used}")
    assert (await again.says("open"))["id"] == used
    for end in (again, there):
        await end.tell("end")
    for end in (again, there):
        await end.says("end")
    # Having consumed everything is not to know of the end.
    await again.tell("consumed", offset=0, knows_end=False)
    await there.tell("consumed", offset=0)
    await again.tell("consumed", offset=0, knows_end=False)
    again = await connect(laptop, f"{OPEN}&id={used}")
    await again.says("end")
    await again.tell("consumed", offset=0)
    for end in (again, there):
        await end.says("done")
    assert await refused(laptop, f"{OPEN}&id={used}") == (409, "over")
    assert await refused(phone, f"{ACCEPT}?contact=laptop&id={used}") == (409, "over")
    assert await refused(phone, f"{ACCEPT}?id={used}") == (404, "unknown")
    assert (await refused(laptop, f"{OPEN}&id=film"))[0] == 422
    assert laptop.node.peer("phone").unfinished("films") == []
