"""The bytes of one TCP connection and of the stream that stands for it, both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from p4.apps.forward.tunnel import Figures
from p4.errors import StateError, StreamError
from p4.node.streams import Sink, Stream

__all__ = ["ByteEnd", "Listening", "Sockets", "carry", "reset"]


class ByteEnd(Sink, Protocol):
    """A TCP connection, as tunnels need it."""

    def give_to(self, hand_over: Callable[[bytes], bool]) -> None:
        """Give what arrives to this at once; what it does not take is for `read`."""

    async def read(self) -> bytes:
        """What has arrived, as soon as there is anything; empty at its end. Raises ConnectionError."""

    async def write(self, data: bytes) -> None:
        """Hand over bytes, and wait while too many have not left. Raises ConnectionError."""

    def end_writing(self) -> None:
        """No more will be written (FIN); reading goes on."""

    def close(self) -> None:
        """It has ended in both directions: what was written still leaves."""

    def abort(self) -> None:
        """Reset it at once (RST)."""

    async def wait_lost(self) -> None:
        """Wait until it is no more; raises the ConnectionError."""


class Listening(Protocol):
    """A port that is listened on."""

    @property
    def port(self) -> int:
        """The port, also where the system chose it."""

    async def close(self) -> None:
        """Accept no more. Connections that were accepted go on."""


class Sockets(Protocol):
    """The system's TCP; in tests, a simulated one."""

    async def listen(self, host: str, port: int, accept: Callable[[ByteEnd], None]) -> Listening:
        """Accept connections from now on. Raises OSError."""

    async def connect(self, host: str, port: int) -> ByteEnd:
        """Connect. Raises OSError."""


class _Counted:
    """A `Sink` whose bytes are counted."""

    def __init__(self, sink: Sink, figures: Figures) -> None:
        self._sink = sink
        self._figures = figures

    @property
    def ready(self) -> bool:
        return self._sink.ready

    def take(self, data: bytes) -> None:
        self._sink.take(data)
        self._figures.received += len(data)


async def carry(stream: Stream, end: ByteEnd, figures: Figures) -> None:
    """Carry bytes and ends both ways until both directions have ended, and a reset of one side to the other.

    Nothing is kept back to come together with more: what has arrived leaves at once, where possible without a
    task's turn. Bytes that the stream does not take stay in the TCP connection.

    Raises:
        ConnectionError: the TCP connection was reset or broke; the stream was reset.
        StreamError, StateError: the stream ended before its end, or the disk refused; both were reset.
        asyncio.CancelledError: the caller gave up; both were reset.
    """
    both = asyncio.gather(_outward(end, stream, figures), _inward(stream, end, figures))
    lost = asyncio.create_task(end.wait_lost())
    try:
        done, _ = await asyncio.wait((both, lost), return_when=asyncio.FIRST_COMPLETED)
        # That the connection is gone is no failure if both directions have ended.
        (both if both in done else lost).result()
    except ConnectionError:
        await reset(stream, "The connection at the other end was reset.")
        raise
    except (StreamError, StateError):
        end.abort()
        await reset(stream)
        raise
    except asyncio.CancelledError:
        end.abort()
        await reset(stream, "The tunnel was ended at the other end.")
        raise
    else:
        end.close()
    finally:
        both.cancel()
        lost.cancel()
        await asyncio.gather(both, lost, return_exceptions=True)


async def reset(stream: Stream, text: str = "") -> None:
    """Reset a stream without waiting for the disk: whoever ends a connection, or is cancelled, shall end.

    The node brings it to the disk and to the contact, also when it is just closing.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(0):
            await stream.reset(text)


async def _outward(end: ByteEnd, stream: Stream, figures: Figures) -> None:
    def hand_over(data: bytes) -> bool:
        taken = stream.write_now(data)
        figures.sent += taken * len(data)
        return taken

    end.give_to(hand_over)
    while data := await end.read():
        await stream.write(data)
        figures.sent += len(data)
    await stream.close_writing()


async def _inward(stream: Stream, end: ByteEnd, figures: Figures) -> None:
    stream.pour_into(_Counted(end, figures))
    async for data in stream:
        await end.write(data)
        figures.received += len(data)
    end.end_writing()
