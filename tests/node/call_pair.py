"""Two hubs of calls and what lies between them: every frame is encoded, and arrives in a later turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from p4.core.session.frames import decode, encode
from p4.core.session.session_frames import Call, Cancel, Replied, Reply, SessionFrame
from p4.errors import CallError
from p4.node.calls import CallHandler, CallHub, IncomingCall
from p4.testing import SeededEntropy, VirtualClock, run

__all__ = ["Pair", "Slow", "error_of", "result_of", "scenario", "settle"]


class Pair:
    """A caller and a callee, their link, and everything that was sent."""

    def __init__(self, **handlers: CallHandler) -> None:
        self.handlers = handlers
        self.granted = True
        self.allowed = True
        self.sent: list[SessionFrame] = []
        self.links = 0
        self.delivers = True
        self.caller = self.hub("caller")
        self.callee = self.hub("callee")

    def hub(self, name: str) -> CallHub:
        return CallHub(
            VirtualClock(),
            SeededEntropy(name),
            serve=self.handlers.get,
            allowed=lambda _: self.allowed,
            peer=f"peer of the {name}",
        )

    def connect(self, boot: str = "callee", *, supported: bool = True) -> None:
        self.links += 1
        link = self.links

        def to(hub: Callable[[], CallHub]) -> Callable[[Sequence[SessionFrame]], None]:
            def arrive(data: bytes) -> None:
                frame = decode(data)
                assert isinstance(frame, Call | Reply | Cancel | Replied)
                if link == self.links and self.delivers:
                    hub().handle(frame)

            def send(frames: Sequence[SessionFrame]) -> None:
                self.sent.extend(frames)
                for frame in frames:
                    asyncio.get_running_loop().call_soon(arrive, encode(frame))

            return send

        self.callee.link_up(to(lambda: self.caller), "caller", lambda _: True)
        self.caller.link_up(to(lambda: self.callee), boot, lambda _: self.granted, supported=supported)

    def disconnect(self) -> None:
        self.links += 1
        self.caller.link_down()
        self.callee.link_down()

    async def close(self) -> None:
        await self.caller.close()
        await self.callee.close()


def scenario(test: Callable[[Pair], Coroutine[Any, Any, None]], **handlers: CallHandler) -> None:
    async def main() -> None:
        pair = Pair(**handlers)
        await test(pair)
        await pair.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}, "something is left running"

    run(main())


async def settle() -> None:
    await asyncio.sleep(0.001)


class Slow:
    """A handler that waits until it is released, and knows what happened to it."""

    def __init__(self) -> None:
        self.calls: list[IncomingCall] = []
        self.cancelled = 0
        self.begun = asyncio.Event()
        self.over = asyncio.Event()
        self.release = asyncio.Event()

    async def __call__(self, call: IncomingCall) -> object:
        self.calls.append(call)
        self.begun.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            self.over.set()
            raise
        return call.argument


async def error_of(work: Coroutine[Any, Any, object]) -> CallError:
    with pytest.raises(CallError) as caught:
        await work
    return caught.value


async def result_of(task: asyncio.Task[object]) -> object:
    return await task
