"""Questions and answers over UDP with one router."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from p4.adapters.net.mapping.router import Gateway, RouterSilentError

__all__ = ["RouterSocket"]

T = TypeVar("T")


class RouterSocket(asyncio.DatagramProtocol):
    """A connected UDP socket: the system drops what does not come from the router's address and port."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._transport: asyncio.DatagramTransport | None = None
        self._waiting: dict[asyncio.Future[None], Callable[[bytes], bool]] = {}

    @classmethod
    async def open(cls, gateway: Gateway, port: int) -> RouterSocket:
        """Connect to a port of the router.

        Raises:
            OSError: there is no way to it (any more), or our address is gone.
        """
        loop = asyncio.get_running_loop()
        opened, protocol = await loop.create_datagram_endpoint(
            lambda: cls(gateway), local_addr=(gateway.local_address, 0), remote_addr=(gateway.address, port)
        )
        protocol._transport = opened  # noqa: SLF001 - our own
        return protocol

    async def ask(
        self, request: bytes, read: Callable[[bytes], T | None], *, tries: int, first_retry: float
    ) -> T:
        """Send a request until an answer arrives.

        Args:
            request: its bytes.
            read: gives what a datagram says if it is the answer to this request, else None.
            tries: how often it is sent.
            first_retry: seconds to wait for the first answer; doubled each time.

        Raises:
            RouterSilentError: no answer, or the router says that nobody is there.
        """
        answers: list[T] = []

        def take(datagram: bytes) -> bool:
            answer = read(datagram)
            if answer is not None:
                answers.append(answer)
            return answer is not None

        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[answered] = take
        try:
            for attempt in range(tries):
                self._send(request)
                done, _ = await asyncio.wait({answered}, timeout=first_retry * 2**attempt)
                if done:
                    break
        finally:
            del self._waiting[answered]
        if not answers:
            raise RouterSilentError(self.gateway.address)
        return answers[0]

    def close(self) -> None:
        """Close the socket; whoever waits is told that nobody answers."""
        if self._transport is not None:
            self._transport.abort()
        self._give_up()

    def _send(self, request: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(request)

    def _give_up(self) -> None:
        for answered in self._waiting:
            if not answered.done():
                answered.set_result(None)

    # --- what the event loop calls ------------------------------------------------------------------

    def datagram_received(self, data: bytes, addr: object) -> None:
        """An answer to one of the requests, or nothing of ours."""
        for answered, take in self._waiting.items():
            if not answered.done() and take(data):
                answered.set_result(None)

    def error_received(self, exc: Exception) -> None:
        """The router says that nobody listens there (ICMP), or the way to it is gone."""
        self._give_up()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self._give_up()
