"""A device that pairs nearby, in a network namespace: `meeting_guest.py host|visit SEED [NAME|TIMES]`.

A host answers each visitor's line with its name, and prints ``open``. A guest prints each answer.
Both end when their input ends.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import time

from p4.adapters.lan.meeting import LanMeetingPlaces
from p4.errors import RendezvousError
from p4.ports import SignalStream

__all__ = ["main"]


def _say(**what: object) -> None:
    print(json.dumps(what), flush=True)


async def _host(places: LanMeetingPlaces, seed: bytes, name: str) -> None:
    async def accept(stream: SignalStream) -> None:
        while (line := await stream.receive_line()) is not None:
            await stream.send_line(name.encode() + b" " + line)

    place = await places.host(seed, accept)
    await place.wait_open()
    _say(open=name)
    await asyncio.to_thread(sys.stdin.read)
    await place.close()


async def _visit(places: LanMeetingPlaces, seed: bytes, times: int) -> None:
    for _ in range(times):
        began = time.monotonic()
        try:
            stream = await places.visit(seed, timeout=8)
            await stream.send_line(b"hello")
            answer = await stream.receive_line()
            _say(answer=(answer or b"").decode(), took=time.monotonic() - began)
            stream.close()
        except RendezvousError as error:
            _say(answer=error.code, took=time.monotonic() - began)


async def main(role: str, seed: str, what: str) -> None:
    """Host or visit, then leave nothing."""
    places = LanMeetingPlaces()
    secret = hashlib.sha256(seed.encode()).digest()
    await (_host(places, secret, what) if role == "host" else _visit(places, secret, int(what)))
    await places.close()
    await asyncio.sleep(0.05)
    _say(tasks=[str(task) for task in asyncio.all_tasks() if task is not asyncio.current_task()])


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
