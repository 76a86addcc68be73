"""Dialling onion addresses so that nothing stale costs more than seconds.

What Tor remembers of an onion service may be from before its restart: a descriptor that names
introduction points of the dead, a half-built path that nobody answers. A stream can hang on either for
two minutes while another one, begun anew, succeeds in a quarter of a second. So a dial that hangs is
joined by further ones, each with a newly fetched descriptor and circuits of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable

from p4.adapters.net.lines import LineStream
from p4.adapters.tor.control import ControlConnection, Endpoint
from p4.adapters.tor.control_wire import Reply
from p4.adapters.tor.descriptors import DescriptorFetches
from p4.adapters.tor.socks import dial_through_tor
from p4.core.address import RendezvousAddress
from p4.errors import P4Error, RendezvousError, TorError

__all__ = ["OnionDialler", "is_broken", "tor_down"]

_FETCH_SECONDS = 3.0
"""Longest wait for a new descriptor before a fresh attempt; it takes one circuit of Tor."""

_JOIN_PACES = (1, 2, 3, 5, 8, 12)
"""After these multiples of the network's pace without an answer a further attempt joins. Until a restarted
service has published, attempts run into its dead introduction points; one that starts a moment later gets
through at once. A service whose network changed may take some seconds until it publishes anew."""

_PACE_SECONDS = (0.7, 3.0)
"""Least and most pace. On the public network a healthy dial takes some 3 to 7 s: joining it sooner than a few
seconds would only burden Tor."""

_JOINED_ATTEMPTS = 8
"""Second and further attempts under way for all contacts together: Tor builds at most 32 circuits at once."""

_NEW_IDENTITY_SECONDS = 10.0
"""Tor itself takes no NEWNYM sooner after another."""

_STALE_CODES = frozenset(
    {"circuit-failed", "timeout", "introduction-failed", "rendezvous-failed", "introduction-timeout"}
)
"""Failures that something remembered from before the peer's restart explains."""


class OnionDialler:
    """Dials through one run of Tor.

    Args:
        control: for HSFETCH and NEWNYM.
        socks: Tor's SOCKS port.
        bootstrapped: whether Tor knows the network; before, there is nothing stale to replace.
        unlock: gives Tor our key for this host, if we have one, so that it can read its descriptor.
        alive: whether this run of Tor goes on.
        progress: says, in a sentence, how far a Tor is that does not know the network yet.
    """

    pace = 1.0
    """Seconds that Tor took to bootstrap: how quickly this network builds circuits. Set when known."""

    def __init__(
        self,
        control: ControlConnection,
        socks: Endpoint,
        bootstrapped: Callable[[], bool],
        *,
        unlock: Callable[[str], Awaitable[None]] | None = None,
        alive: Callable[[], bool] = lambda: True,
        progress: Callable[[], str] = lambda: "",
    ) -> None:
        self._unlock = unlock
        self._alive = alive
        self._progress = progress
        self._control = control
        self._socks = socks
        self._bootstrapped = bootstrapped
        self._fetches = DescriptorFetches()
        self._isolation: dict[str, str] = {}
        self._new_identity_at = -_NEW_IDENTITY_SECONDS
        self._joined = 0

    def handle(self, event: Reply) -> None:
        """Take one asynchronous reply of the control port."""
        self._fetches.handle(event)

    async def dial(self, address: RendezvousAddress, *, timeout: float, fresh: bool) -> LineStream:
        """Open a stream; see `p4.ports.Rendezvous.dial`. Safe to cancel.

        Raises:
            RendezvousError: a code of `socks.SOCKS_ERRORS`, ``timeout``, ``tor-down`` or ``socks-broken``.
        """
        if not self._alive():
            raise tor_down()
        try:
            async with asyncio.timeout(timeout):
                return await self._race(address, fresh=fresh)
        except TimeoutError as error:
            await self._forget_all(fresh=fresh, code="timeout")
            if not self._alive():
                raise tor_down() from error
            if not self._bootstrapped():
                raise RendezvousError(
                    f"The peer was not reached within {timeout:g} seconds, since Tor is not ready. "
                    f"{self._progress()}",
                    code="timeout",
                ) from error
            raise RendezvousError(
                f"The peer's onion address {address.host[:8]}… did not answer within {timeout:g} seconds. "
                "P4 tries again by itself.",
                code="timeout",
            ) from error
        except RendezvousError as error:
            await self._forget_all(fresh=fresh, code=error.code)
            if not self._alive():
                raise tor_down() from error
            raise

    async def _race(self, address: RendezvousAddress, *, fresh: bool) -> LineStream:
        """The first attempt that succeeds; or, when none is under way any more, the last one's error."""
        loop = asyncio.get_running_loop()
        begun, paces = loop.time(), list(_JOIN_PACES)
        attempts = {loop.create_task(self._attempt(address, fresh=fresh))}
        joined = 0
        try:
            while True:
                least, most = _PACE_SECONDS
                pace = min(max(self.pace, least), most)
                wait = max(0.0, begun + paces[0] * pace - loop.time()) if paces else None
                done, _ = await asyncio.wait(attempts, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    paces.pop(0)
                    if self._joined >= _JOINED_ATTEMPTS:
                        continue
                    joined += 1
                    self._joined += 1
                    attempts.add(loop.create_task(self._attempt(address, fresh=True)))
                for attempt in done:
                    attempts.discard(attempt)
                    if attempt.exception() is None or not attempts:
                        return attempt.result()
        finally:
            self._joined -= joined
            for loser in attempts:
                loser.add_done_callback(_close_result)
                loser.cancel()

    async def _attempt(self, address: RendezvousAddress, *, fresh: bool) -> LineStream:
        if self._unlock is not None:
            await self._unlock(address.host)
        if fresh and self._bootstrapped():
            service_id = address.host.removesuffix(".onion")
            await self._fetches.fetch(self._control, service_id, seconds=_FETCH_SECONDS)
        if fresh or address.host not in self._isolation:
            self._isolation[address.host] = secrets.token_hex(8)
        return await dial_through_tor(
            self._socks,
            address.host,
            address.port,
            isolation=self._isolation[address.host],
            description=f"outbound, onion, {address.host[:8]}…",
        )

    async def _forget_all(self, *, fresh: bool, code: str) -> None:
        """If even a fresh dial met something stale, have Tor forget everything, at most every 10 s."""
        now = asyncio.get_running_loop().time()
        if not fresh or code not in _STALE_CODES or now - self._new_identity_at < _NEW_IDENTITY_SECONDS:
            return
        self._new_identity_at = now
        with contextlib.suppress(TorError):  # the supervisor sees to a Tor that does not answer
            await self._control.command("SIGNAL", "NEWNYM", timeout=1.0)


def _close_result(attempt: asyncio.Task[LineStream]) -> None:
    """An attempt that came too late: its stream is of no use, its failure of no interest."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()


def tor_down() -> RendezvousError:
    """Says that there is no Tor to dial with; ``tor-down``."""
    return RendezvousError("Tor is not running at the moment; P4 starts it again.", code="tor-down")


def is_broken(error: P4Error) -> bool:
    """Whether a dial failed by Tor's own end or silence, not by the network."""
    return error.code in {"socks-broken", "tor-down"}
