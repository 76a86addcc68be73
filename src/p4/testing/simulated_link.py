"""Simulated links: direct paths that open late, fall silent and break, with channels of every kind."""

# ruff: noqa: SLF001 - the two ends of a link are halves of one thing and reach into each other

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial

from p4.core import limits
from p4.errors import LinkError
from p4.ports import ChannelOpened, LinkClosed, LinkEvent, LinkMessage, LinkPath
from p4.testing.loose_lane import LooseLane
from p4.testing.simulated_channel import Lanes, SimulatedChannel
from p4.testing.simulated_path import simulated_path
from p4.testing.simulated_sdp import Credentials
from p4.testing.world import Lane, Process, World

__all__ = ["LinkRegistry", "SimulatedLink"]

BUFFER_FULL_BYTES = 16 * 1024 * 1024
"""Queued bytes at which ``send`` fails, as wrtc does."""

CONSENT_CHECK_SECONDS = 1.0
"""How often a link looks whether it still hears the other end."""

CONNECT_RETRY_SECONDS = 0.5
"""Interval of connectivity checks while a path is blocked."""

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class LinkRegistry:
    """Every link end of the simulation, by its ICE user fragment."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._ends: dict[str, SimulatedLink] = {}

    def add(self, link: SimulatedLink) -> Credentials:
        """Invent the credentials of a new end."""
        chance = self.world.random
        ufrag = "".join(chance.choices(LETTERS, k=8))
        password = "".join(chance.choices(LETTERS, k=24))
        fingerprint = ":".join(f"{byte:02X}" for byte in chance.randbytes(32))
        self._ends[ufrag] = link
        return Credentials(ufrag, password, fingerprint)

    def find(self, credentials: Credentials) -> SimulatedLink | None:
        """The end that has exactly these credentials."""
        link = self._ends.get(credentials.ufrag)
        return link if link is not None and link.credentials == credentials else None

    def open_links(self) -> list[SimulatedLink]:
        """Ends that are connected and whose process lives."""
        self._ends = {ufrag: link for ufrag, link in self._ends.items() if not link.over}
        return [link for link in self._ends.values() if link.other is not None]


class SimulatedLink:
    """One end of a simulated link; implements `p4.ports.Link`.

    Args:
        relays: it has a TURN server, which is the last resort.
    """

    def __init__(
        self,
        process: Process,
        registry: LinkRegistry,
        sink: Callable[[LinkEvent], None],
        *,
        relays: bool = False,
    ) -> None:
        self.process = process
        self.other: SimulatedLink | None = None
        self.over = False
        self.silent = False
        """Its packets vanish, in both directions (`SimulatedNetwork.silence_links`)."""
        self.addresses = process.world.addresses.get(process.place, frozenset())
        """Those that its end had when it was made."""
        self.relays = relays
        self.relayed = False
        """It goes over a relay."""
        self.credentials = registry.add(self)
        self._registry = registry
        self._sink = sink
        self._remote: Credentials | None = None
        self._label: str | None = None
        self._channels: dict[str, SimulatedChannel] = {}
        self._heard = 0.0
        self._sent = 0
        self._timers: list[asyncio.TimerHandle] = []

    async def offer(
        self,
        label: str,
        found: Callable[[str], None] | None = None,
        *,
        awaited: frozenset[str] = frozenset(),
    ) -> str:
        """Name the first channel and give our offer, with every candidate in it."""
        del found, awaited
        self._label = label
        await self._gather()
        return self.credentials.to_sdp("actpass")

    async def answer(self, offer_sdp: str, found: Callable[[str], None] | None = None) -> str:
        """Take the peer's offer and give our answer, with every candidate in it."""
        del found
        self._remote = Credentials.from_sdp(offer_sdp)
        await self._gather()
        self._give_up_later()
        return self.credentials.to_sdp("active")

    gathered = True
    """No server is asked."""

    def stranded(self, addresses: frozenset[str]) -> bool:
        """Whether it was made with addresses, all of which are gone."""
        return bool(self.addresses) and not self.addresses & addresses

    async def add_candidate(self, candidate: str) -> None:
        """A simulated path needs none."""

    async def accept_answer(self, answer_sdp: str) -> None:
        """Take the peer's answer; connecting starts."""
        self._remote = Credentials.from_sdp(answer_sdp)
        world = self.process.world
        self._give_up_later()
        if world.chance(world.conditions.link_fails):
            world.note(f"a link of {self.process.name} will not open")
            return
        self._timers.append(self.process.later(world.draw(world.conditions.link_setup), self._connect))

    def open_channel(self, label: str, *, ordered: bool = True, reliable: bool = True) -> None:
        """Create a further channel; both sides get ``ChannelOpened``."""
        if self.over or self.other is None or label in self._channels:
            raise LinkError(f"The channel {label!r} cannot be created.", code="not-open")
        channel = self._add_channel(label, ordered=ordered, reliable=reliable)
        channel.announce()
        if channel.control is None:
            self.process.later(2 * self._latency(), self._opened, label)

    def send(self, label: str, data: str | bytes) -> None:
        """Queue one message on an open channel."""
        if not self.process.alive:
            return  # a timer of a dead process: whatever it does has no effect
        channel = self._channels.get(label)
        if self.over or channel is None or not channel.open:
            raise LinkError(f"No channel {label!r} is open.", code="not-open")
        size = _size(data)
        if size > limits.LINK_MESSAGE_BYTES:
            raise LinkError(f"A message of {size} bytes is too large.", code="too-large")
        if channel.queued + size > BUFFER_FULL_BYTES:
            raise LinkError("The channel's queue is full.", code="buffer-full")
        channel.queued += size
        self._sent += size
        channel.lane.send(data)

    def buffered(self, label: str) -> int:
        """Bytes queued on the channel and not yet arrived."""
        channel = self._channels.get(label)
        return 0 if channel is None else channel.queued

    async def drained(self, label: str) -> None:
        """Wait until little is buffered, or the link is over."""
        channel = self._channels.get(label)
        while channel is not None and channel.queued > limits.LINK_LOW_WATER_BYTES and not self.over:
            future = asyncio.get_running_loop().create_future()
            channel.waiting.append(future)
            try:
                await future
            finally:
                channel.waiting.remove(future)

    async def path(self) -> LinkPath | None:
        """The one that it got when it opened, while it is up."""
        if (far := self.other) is None or self.over:
            return None
        return simulated_path(self.process, far.process, self._sent, far._sent, relayed=self.relayed)

    def close(self) -> None:
        """End it. The other end learns it a little later, if the path is open."""
        if self.over or not self.process.alive:
            return
        other = self.other
        self._end()
        for lane in self._lanes():
            lane.lose_tail()
        if other is not None:
            delay = 2 * self.process.world.conditions.link_latency[1]
            other.process.later(delay, other._hear_close, self)

    # --- faults ---------------------------------------------------------------------------------------

    def fail(self, reason: str) -> None:
        """The library declares this end dead; the other end learns nothing from it."""
        if self.over:
            return
        self.process.world.note(f"link of {self.process.name} closed: {reason}")
        self._end()
        for lane in self._lanes():
            lane.stop()
        if self.process.alive:
            self.process.later(0, self._sink, LinkClosed(reason))

    def crash(self, silent: bool) -> None:
        """The process of this end died: what it had not yet put on the wire is lost with it."""
        blocked = self.path_blocked()
        for lane in self._lanes():
            if blocked:
                lane.stop()
            else:
                lane.lose_tail()

    def path_blocked(self) -> bool:
        """Whether nothing flows between the ends at the moment."""
        other = self.other
        if other is None or other.over or not other.process.alive:
            return True
        if self._has_left() or other._has_left():
            return True
        world, near, far = self.process.world, self.process.place, other.process.place
        if world.only_relayed(near, far) and not self.relayed:
            return True
        return self.silent or other.silent or world.blocked(near, far) or world.blocked(far, near)

    def _has_left(self) -> bool:
        """Whether its host has gone from the network that it was made in."""
        return self.stranded(self.process.world.addresses.get(self.process.place, frozenset()))

    def speak_again(self) -> None:
        """End `silent`; what was held back flows again."""
        self.silent = False
        for lane in self._lanes():
            lane.retry()

    # --- inside ---------------------------------------------------------------------------------------

    def _latency(self) -> float:
        return self.process.world.draw(self.process.world.conditions.link_latency)

    async def _gather(self) -> None:
        self.process.require_alive()
        await asyncio.sleep(self.process.world.draw(self.process.world.conditions.link_gathering))
        if self.over:
            raise LinkError("The link was closed while it gathered its addresses.", code="gathering-failed")

    def _give_up_later(self) -> None:
        seconds = self.process.world.conditions.link_open_seconds
        self._timers.append(self.process.later(seconds, self._give_up))

    def _give_up(self) -> None:
        if self.other is None:
            self.fail("no path was found")

    def _connect(self) -> None:
        """A connectivity check by the offering end: opens the link once both ends know each other."""
        if self.over or self._remote is None or self._label is None:
            return
        other = self._registry.find(self._remote)
        known = other is not None and other._remote == self.credentials and not other.over
        if other is None or not known or self._apart(other):
            self._timers.append(self.process.later(CONNECT_RETRY_SECONDS, self._connect))
            return
        self.process.world.note(f"link opens: {self.process.name} to {other.process.name}")
        self.other, other.other = other, self
        self.relayed = other.relayed = self._needs_relay(other)
        for end in (self, other):
            end.process.at_crash[end.crash] = None
            end._heard = asyncio.get_running_loop().time()
            end._timers.append(end.process.later(CONSENT_CHECK_SECONDS, end._check_consent))
        channel = self._add_channel(self._label)
        channel.announce()
        self.process.later(self._latency(), self._opened, self._label)

    def _apart(self, other: SimulatedLink) -> bool:
        world, near, far = self.process.world, self.process.place, other.process.place
        if self._needs_relay(other) and not (self.relays or other.relays):
            return True
        if self._has_left() or other._has_left():
            return True
        return not other.process.alive or world.blocked(near, far) or world.blocked(far, near)

    def _needs_relay(self, other: SimulatedLink) -> bool:
        return self.process.world.only_relayed(self.process.place, other.process.place)

    def _check_consent(self) -> None:
        if self.over:
            return
        now = asyncio.get_running_loop().time()
        if not self.path_blocked():
            self._heard = now
        elif now - self._heard >= self.process.world.conditions.consent_seconds:
            self.fail("the other end has fallen silent")
            return
        self._timers = [self.process.later(CONSENT_CHECK_SECONDS, self._check_consent)]

    def _lanes(self) -> Iterator[Lanes | Lane[None]]:
        """Everything that carries something from this end."""
        for channel in self._channels.values():
            yield channel.lane
            if channel.control is not None:
                yield channel.control

    def _add_channel(self, label: str, *, ordered: bool = True, reliable: bool = True) -> SimulatedChannel:
        other = self.other
        assert other is not None  # noqa: S101 - only called once connected

        def blocked() -> bool:
            # A lane that is blocked by a silent link is retried by speak_again, not by the network's mend.
            return self.silent or other.silent

        ends = self.process, other.process, self._latency
        take = partial(other._take, self, label)
        if ordered and reliable:
            lane: Lanes = Lane(*ends, take, blocked=blocked)
            control = None
        else:
            sent = partial(self._arrived, label)
            lane = LooseLane(*ends, take, sent, blocked=blocked, ordered=ordered, reliable=reliable)
            control = Lane(*ends, partial(other._take_control, self, label), blocked=blocked)
        channel = SimulatedChannel(lane, control, ordered=ordered, reliable=reliable)
        self._channels[label] = channel
        return channel

    def _take(self, sender: SimulatedLink, label: str, data: str | bytes | None) -> None:
        """Something arrived from the other end; None announces the channel (DCEP, RFC 8832)."""
        if data is not None and sender._channels[label].control is None:
            sender._arrived(label, data)
        if self.over:
            return
        if data is not None:
            self._opened(label)  # a message confirms the channel that we announced
            self._sink(LinkMessage(label, data))
        elif label not in self._channels:
            self._add_channel(label)
            self._opened(label)

    def _take_control(self, sender: SimulatedLink, label: str, _: None) -> None:
        """An announcement of a channel that is not both ordered and reliable, or its confirmation."""
        if self.over:
            return
        if label not in self._channels:
            kind = sender._channels[label]
            channel = self._add_channel(label, ordered=kind.ordered, reliable=kind.reliable)
            channel.announce()
        self._opened(label)

    def _arrived(self, label: str, data: str | bytes) -> None:
        """What we sent waits here no longer."""
        channel = self._channels[label]
        channel.queued -= _size(data)
        if channel.queued <= limits.LINK_LOW_WATER_BYTES:
            channel.wake()

    def _opened(self, label: str) -> None:
        channel = self._channels[label]
        if not self.over and not channel.open:
            channel.open = True
            self._sink(ChannelOpened(label))

    def _hear_close(self, sender: SimulatedLink) -> None:
        world = self.process.world
        if not self.over and not (
            self.silent or sender.silent or world.blocked(sender.process.place, self.process.place)
        ):
            self.fail("the other side closed it")

    def _end(self) -> None:
        self.over = True
        self.process.at_crash.pop(self.crash, None)
        for timer in self._timers:
            timer.cancel()
        for channel in self._channels.values():
            channel.wake()


def _size(data: str | bytes) -> int:
    return len(data.encode()) if isinstance(data, str) else len(data)
