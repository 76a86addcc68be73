"""Keeps the onion address reachable: tries it out, and mends what does not work, from the mildest remedy up.

What a failed call to ourselves can mean, and what is done: the published descriptor names introduction points
that are gone (publish anew); our Tor remembers something stale (have it forget, publish anew); Tor is stuck
(start it again, ever more seldom, since every start ends the streams that still work).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto

from p4.errors import P4Error

__all__ = ["Remedies", "TorState", "Watchdog"]

_log = logging.getLogger(__name__)

_EVERY_SECONDS = (180.0, 420.0)
"""Between checks while all is well, at random: so that no rhythm of ours shows in the network."""

_CHECK_SECONDS = 30.0
"""A call that takes longer has failed. Publicly a healthy one takes 3 to 10 s."""

_HURRIED_CHECK_SECONDS = (4.0, 12.0)
_HURRIED_PACES = 4.0
_HURRIED_CALLS = 2
"""The same, least and most, for the first calls after a change of network, when the next remedy is worth more
than patience: so many times what this network takes to build circuits. A quick one answers in a second."""

_INSIST_SECONDS, _INSIST_CALLS, _AGAIN_SECONDS = 1.8, 2, 0.3
"""After a change of network a call that fails at once is made again, for so long and so often at least: Tor
is still building circuits to the introduction points that it had. On a quick network that succeeds within 2 s
or not at all, and publishing anew takes 3 s."""

_PUBLISH_SECONDS = 60.0
"""A service that is not published after so long is called all the same, and fails."""

_BOOTSTRAP_SECONDS = (120.0, 1800.0)
"""A start of Tor's connection without success: when it is begun anew, doubling up to the second value."""

_RETRY_SECONDS = (30.0, 300.0)
"""Before a further call when all remedies were tried: first and longest; doubles."""

_RESTART_SECONDS = (120.0, 3600.0)
"""Between restarts of Tor for the sake of reachability: first and longest; doubles until a call succeeds."""

_JITTER = (0.8, 1.2)


class TorState(Enum):
    """What the watchdog needs to know of Tor."""

    DOWN = auto()
    """It does not run; the supervisor starts it."""
    CONNECTING = auto()
    """It has no circuits yet. Nothing can be tried out."""
    PUBLISHING = auto()
    PUBLISHED = auto()


@dataclass(frozen=True, slots=True)
class Remedies:
    """What can be done; each raises P4Error if it cannot be done now."""

    check: Callable[[], Awaitable[None]]
    """Calls ourselves; returns when the call has arrived."""
    republish: Callable[[], Awaitable[None]]
    """Takes the service away and adds it again."""
    forget: Callable[[], Awaitable[None]]
    """Has Tor forget descriptors and circuits."""
    reconnect: Callable[[], Awaitable[None]]
    """Has Tor close its connections and make new ones."""
    restart: Callable[[str], Awaitable[None]]
    """Ends Tor, with a reason for a person; the supervisor starts it again."""


class Watchdog:
    """Watches one onion address over all runs of Tor.

    Args:
        remedies: what it can do.
        uniform: a random number between two others, for jitter.
        checked: told of each success, with its moment in monotonic seconds, and of the first failure after
            one, with None.
    """

    pace = _HURRIED_CHECK_SECONDS[1] / _HURRIED_PACES
    """Seconds that Tor took to bootstrap: how quickly this network builds circuits. Set when known."""

    def __init__(
        self,
        remedies: Remedies,
        uniform: Callable[[float, float], float],
        checked: Callable[[float | None], None],
    ) -> None:
        self._remedies = remedies
        self._uniform = uniform
        self._checked = checked
        self._state = TorState.DOWN
        self._changed = asyncio.Event()
        self._hurry = False
        self._hurried_calls = 0
        self._heard = False
        self._failures = 0
        self._stuck = 0
        self._restart_after = 0.0
        self._restart_pause = _RESTART_SECONDS[0]

    def tor_is(self, state: TorState) -> None:
        """How far Tor is. Tell every change."""
        if state is not self._state:
            if state is TorState.PUBLISHED or state is TorState.PUBLISHING:
                self._stuck = 0
            self._state = state
            self._changed.set()

    def poke(self) -> None:
        """The network changed, or the machine woke: what was known is worth nothing, so check now."""
        self._failures = 0
        self._hurry = True
        self._hurried_calls = _HURRIED_CALLS
        self._changed.set()

    def heard(self) -> None:
        """A stream of somebody else has arrived: others can reach us, whatever our own calls say."""
        self._heard = True

    async def run(self) -> None:
        """Watch, until cancelled."""
        pause = 0.0
        while True:
            await self._rest(pause)
            if not await self._until_published():
                pause = 0.0
                continue
            self._hurry, hurry = False, self._hurry
            self._heard = False
            well = await self._call(hurry=hurry)
            if well is None:  # poked meanwhile, or Tor ended
                pause = 0.0
            elif well:
                self._failures, self._hurried_calls = 0, 0
                self._restart_pause = _RESTART_SECONDS[0]
                pause = self._uniform(*_EVERY_SECONDS)
            else:
                pause = await self._mend()

    # --- inside -----------------------------------------------------------------------------------------

    async def _rest(self, seconds: float) -> None:
        """Wait so long, or until Tor was started anew, or somebody is in a hurry."""
        deadline = asyncio.get_running_loop().time() + seconds
        began_down = False
        while not self._hurry and (left := deadline - asyncio.get_running_loop().time()) > 0:
            self._changed.clear()
            if self._state in {TorState.DOWN, TorState.CONNECTING}:
                began_down = True
            elif began_down:
                return
            await _at_most(left, self._changed.wait())

    async def _until_published(self) -> bool:
        """Wait until our address can be called; False if something was done about a Tor that is stuck."""
        time = asyncio.get_running_loop().time
        since, before = time(), self._state
        while self._state is not TorState.PUBLISHED:
            if self._state is not before:
                since, before = time(), self._state
            least, most = _BOOTSTRAP_SECONDS
            patience = {
                TorState.DOWN: most,
                TorState.CONNECTING: min(least * 2.0 ** min(self._stuck, 9), most),
                TorState.PUBLISHING: _PUBLISH_SECONDS,
            }[self._state]
            self._changed.clear()
            await _at_most(since + patience - time(), self._changed.wait())
            if time() < since + patience or self._state is not before:
                continue
            if before is TorState.CONNECTING:
                await self._unstick()
                return False
            if before is TorState.PUBLISHING:
                return True
            since = time()
        return True

    async def _unstick(self) -> None:
        """Tor does not get a connection: have it begin anew, and every third time with a new process."""
        self._stuck += 1
        if self._stuck % 3:
            await self._try("reconnect", self._remedies.reconnect())
        else:
            await self._restart("Tor did not connect to its network for a long time.")

    async def _call(self, *, hurry: bool) -> bool | None:
        """Call ourselves. None if something happened by which the call says nothing."""
        seconds = _CHECK_SECONDS
        if self._hurried_calls:
            self._hurried_calls -= 1
            least, most = _HURRIED_CHECK_SECONDS
            seconds = min(max(_HURRIED_PACES * self.pace, least), most)
        calling = asyncio.ensure_future(self._check(seconds, _INSIST_SECONDS if hurry else 0.0))
        try:
            while not calling.done():
                self._changed.clear()
                noticing = asyncio.ensure_future(self._changed.wait())
                try:
                    await asyncio.wait([calling, noticing], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    noticing.cancel()
                if self._hurry or self._state in {TorState.DOWN, TorState.CONNECTING}:
                    return None
            error = calling.exception()
        finally:
            calling.cancel()
        if error is None:
            self._checked(asyncio.get_running_loop().time())
            return True
        if not isinstance(error, P4Error | TimeoutError):
            raise error
        if self._heard:
            return True
        _log.info("our own onion address did not answer: %s", error or f"{seconds:g} s have passed")
        return False

    async def _check(self, seconds: float, insist_seconds: float) -> None:
        time = asyncio.get_running_loop().time
        until = time() + insist_seconds
        calls = 0
        async with asyncio.timeout(seconds):
            while True:
                try:
                    return await self._remedies.check()
                except P4Error:
                    calls += 1
                    if time() >= until and (calls >= _INSIST_CALLS or not insist_seconds):
                        raise
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _mend(self) -> float:
        """A call failed: the next remedy. Returns the wait before the next call, beside publishing."""
        self._failures += 1
        now = asyncio.get_running_loop().time()
        if self._failures == 1:
            self._checked(None)
        if self._failures >= 3 and now >= self._restart_after:
            await self._restart("Our onion address could not be called for a while.")
            return 0.0
        if self._failures > 1:
            await self._try("forget", self._remedies.forget())
        await self._try("republish", self._remedies.republish())
        if self._failures <= 2:
            return 0.0
        least, most = _RETRY_SECONDS
        return min(least * 2.0 ** min(self._failures - 3, 9), most) * self._uniform(*_JITTER)

    async def _restart(self, reason: str) -> None:
        self._restart_after = asyncio.get_running_loop().time() + self._restart_pause * self._uniform(
            *_JITTER
        )
        self._restart_pause = min(2 * self._restart_pause, _RESTART_SECONDS[1])
        await self._try("restart", self._remedies.restart(reason))

    async def _try(self, name: str, remedy: Awaitable[None]) -> None:
        _log.info("the onion address: %s", name)
        try:
            await remedy
        except P4Error as error:  # the supervisor sees to a Tor that does not answer
            _log.debug("%s: %s", name, error.message)


async def _at_most(seconds: float, work: Awaitable[object]) -> None:
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await work
    except TimeoutError:
        pass
