"""A process with nodes: ``python -m bench.session.worker DIRECTORY NAME``.

Reads actions as JSON lines, ``{"number": 1, "do": "start", "with": {…}}``, runs each as a task of its own,
and writes ``{"number": 1, "result": …}`` or ``{"number": 1, "error": "…"}``. Moments are of the clock that
all processes of a machine share. With P4_BENCH_PROFILE=DIR it leaves what cProfile saw there.
"""

from __future__ import annotations

import asyncio
import cProfile
import json
import os
import secrets
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import p4
from bench.session import worker_contacts, worker_files, worker_messages, worker_streams, worker_tunnels
from bench.session.place import SERVICE, Place
from p4.adapters.store.state_dir import StateDirectory
from p4.core.identity import Identity
from p4.core.invite import Invite

Action = Callable[..., Awaitable[Any]]


async def start(place: Place, low: bool | None = None, lanes: bool = False) -> dict[str, Any]:
    """Start the node; a new identity is made so that its id is in the lower or the higher half."""
    place.lanes = lanes
    if low is not None:
        state = StateDirectory(place.directory)
        state.prepare()
        while (Identity(seed := secrets.token_bytes(32)).peer_id < "8") != low:
            pass
        state.create_identity(seed)
    node = p4.Node(place.directory, place.options())
    began = time.perf_counter()
    await node.start()
    seconds = time.perf_counter() - began
    place.node = node
    return {"seconds": seconds, "invite": node.invite().to_text()}


async def add(place: Place, invite: str) -> None:
    """Know the other node, and let it use what is measured."""
    peer = place.running.add_contact(Invite.parse(invite))
    await peer.grant(SERVICE)


async def connected(place: Place) -> None:
    """Wait for the link, and for a call to get through it: then the grants of the other are known."""
    await place.peer.wait_connected()
    await place.peer.ping()


async def stop(place: Place) -> None:
    """End the node, not the process."""
    if place.node is not None:
        await place.node.close()
        place.node = None


ACTIONS: dict[str, Action] = {
    action.__name__: action
    for action in (
        *(start, add, connected, stop),
        *worker_messages.ACTIONS,
        *worker_streams.ACTIONS,
        *worker_contacts.ACTIONS,
        *worker_files.ACTIONS,
        *worker_tunnels.ACTIONS,
    )
}


async def _serve(place: Place) -> None:
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, json.loads(line))
        loop.call_soon_threadsafe(lines.put_nowait, {"do": "close", "number": 0})  # nobody is there any more

    threading.Thread(target=read, daemon=True).start()
    tasks: set[asyncio.Task[None]] = set()
    while (line := await lines.get())["do"] != "close":
        task = asyncio.create_task(_do(place, line))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    for task in (*tasks, *([place.accepting] if place.accepting else [])):
        task.cancel()
    await asyncio.gather(stop(place), *(node.close() for node in place.crowd))
    _answer(line["number"], result=None)


async def _do(place: Place, line: dict[str, Any]) -> None:
    try:
        result = await ACTIONS[line["do"]](place, **line["with"])
    except Exception as error:  # noqa: BLE001 - whatever it is, it is reported, and the other actions go on
        traceback.print_exc()
        _answer(line["number"], error=f"{line['do']}: {type(error).__name__}: {error}")
    else:
        _answer(line["number"], result=result)


def _answer(number: int, **answer: Any) -> None:
    print(json.dumps({"number": number, **answer}), flush=True)


def main(directory: Path, name: str) -> None:
    """Serve until told to close."""
    profile = cProfile.Profile() if os.environ.get("P4_BENCH_PROFILE") else None
    if profile:
        profile.enable()
    asyncio.run(_serve(Place(directory)))
    if profile:
        profile.disable()
        profile.dump_stats(Path(os.environ["P4_BENCH_PROFILE"]) / f"{name}-{os.getpid()}.prof")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
