"""One side of an attempt, run in a computer's network namespace and led by lines of JSON on stdin.

`guess` (runs): meets the other side so many times. `link` (role): a real link over the bridge alone.
Each line on stdout is one JSON value; the test passes lines from one side to the other.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import Any

from p4.adapters.net.punch import UdpPortGuesser
from p4.adapters.webrtc import select_backend
from p4.core.ice import IceSettings
from p4.core.identity import PeerId
from p4.core.punch import NatNote
from p4.errors import LinkError
from p4.ports import ChannelOpened, LinkEvent, LinkMessage
from p4.ports.punch import Bridge

KEY = bytes(range(32))
CONTACT = PeerId("0" * 24)
BODY = bytes(1024 * 1024)
PIECE = 16 * 1024


def say(value: Any) -> None:
    print(json.dumps(value), flush=True)


async def heard() -> Any:
    return json.loads(await asyncio.to_thread(sys.stdin.readline))


def read_note(value: Any) -> NatNote:
    note = NatNote.parse(value)
    assert note is not None, value
    return note


async def prepared(ice: IceSettings) -> Bridge:
    """On a bad line the answers of the servers may be lost as well, now and then."""
    for _ in range(5):
        bridge = await UdpPortGuesser().prepare(CONTACT, ice)
        if bridge is not None:
            return bridge
    raise AssertionError("the STUN servers do not answer")


async def guess(runs: int, ice: IceSettings) -> None:
    for _ in range(runs):
        bridge = await prepared(ice)
        say(bridge.note.to_object())
        theirs = read_note(await heard())
        bridge.add_to("v=0\r\na=ice-ufrag:abcd\r\n")
        begun = time.monotonic()
        assert bridge.start(theirs, KEY)
        try:
            await bridge.opened()
            say(time.monotonic() - begun)
        except LinkError:
            say(None)
        await heard()  # the other side has met us as well, or given up
        bridge.close()
    say("done")


def without_candidates(sdp: str) -> str:
    """So that only the bridge is left: both computers are in one laboratory, and ICE must not do without."""
    return re.sub(r"a=candidate:.*\r\n", "", sdp)


async def met_after(bridge: Bridge, begun: float) -> float:
    await bridge.opened()
    return time.monotonic() - begun


async def link(role: str, ice: IceSettings) -> None:
    events: asyncio.Queue[LinkEvent] = asyncio.Queue()
    made = select_backend("wrtc").create(IceSettings(stun=()), events.put_nowait)
    bridge = await prepared(ice)
    begun = time.monotonic()
    if role == "offerer":
        say([bridge.note.to_object(), await made.offer("p4")])
        note, answer = await heard()
        begun = time.monotonic()
        await made.accept_answer(bridge.add_to(without_candidates(answer)))
        assert bridge.start(read_note(note), KEY)
    else:
        note, offer = await heard()
        answer = await made.answer(bridge.add_to(without_candidates(offer)))
        say([bridge.note.to_object(), answer])
        begun = time.monotonic()
        assert bridge.start(read_note(note), KEY)
    met = asyncio.create_task(met_after(bridge, begun))
    got, sent, opened = 0, 0, 0.0
    while got < len(BODY) or sent < len(BODY):
        event = await asyncio.wait_for(events.get(), 90)
        if isinstance(event, ChannelOpened):
            opened = time.monotonic() - begun
            while sent < len(BODY):
                made.send("p4", BODY[sent : sent + PIECE])
                sent += PIECE
                await made.drained("p4")
        elif isinstance(event, LinkMessage):
            got += len(event.data)
        else:
            raise AssertionError(event)  # noqa: TRY004 - the link ended
    say({"met": await met, "opened": opened, "all": time.monotonic() - begun, "got": got})
    await heard()
    assert bridge.alive
    made.close()
    bridge.close()
    say("done")


async def main() -> None:
    kind, argument, *servers = sys.argv[1:]
    ice = IceSettings(stun=tuple(servers))
    if kind == "guess":
        await guess(int(argument), ice)
    else:
        await link(argument, ice)


if __name__ == "__main__":
    asyncio.run(main())
