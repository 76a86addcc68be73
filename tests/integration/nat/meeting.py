"""Two nodes that talk to each other while the network under them changes, and what that cost.

    async with Meeting(one, other) as meeting:
        await meeting.connected()
        meeting.talk(rate=4)
        await meeting.flowing()
        recovery = await meeting.recovered("roam", laptop.roam(office))
        tally = await meeting.finish()
        assert tally.clean, tally

Both nodes run on this machine, so their times have one origin and can be compared.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self

from tests.integration.nat.flow import Flow
from tests.integration.nat.namespaces import LaboratoryError
from tests.integration.nat.node_process import NodeProcess

__all__ = ["Meeting", "Recovery", "Tally"]

_PROMPT_MESSAGES = 4
"""So many quick messages one after the other, in each direction, and it flows again."""

_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Recovery:
    """What an event did. Seconds are counted from the event."""

    event: str
    at: float
    """When, by `time.monotonic`."""
    seconds: float
    """Until messages flowed in both directions, and went on; 0 if none was late at all."""
    directions: Mapping[str, float]
    """The same for each direction, by the sender's name."""
    silence: float
    """The longest time without an arrival, in the direction where it was longest."""
    noticed: Mapping[str, float | None]
    """By name: until the node said that its link is down, or that a newer one is up."""
    linked: Mapping[str, float | None]
    """By name: until the first link that came up after the event; None if none did."""

    def __str__(self) -> str:
        def shown(values: Mapping[str, float | None]) -> str:
            texts = (f"{name} {'-' if at is None else f'{at:.2f}'}" for name, at in values.items())
            return ", ".join(texts)

        return (
            f"{self.event}: flows again after {self.seconds:.2f} s ({shown(self.directions)}), silence "
            f"{self.silence:.2f} s; noticed {shown(self.noticed)}; linked {shown(self.linked)}"
        )


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of all messages, both directions together."""

    accepted: int
    lost: int
    doubled: int
    disordered: int

    @property
    def clean(self) -> bool:
        """Every message that was accepted arrived, once and in order."""
        return not (self.lost or self.doubled or self.disordered)


class Meeting:
    """Two nodes that know each other; an async context manager that starts and ends both.

    Args:
        one: a node that is not running yet.
        other: another one.
        late: seconds from which a message counts as late. Give more than 1.5 round trips on slow lines.
        keeps: whether the programs bring over every message in the end, as nodes do.
    """

    lateness: Callable[[float], float] = staticmethod(float)
    """What ``late`` comes to: itself where something is measured. Tests on a busy machine are patient."""

    def __init__(
        self, one: NodeProcess, other: NodeProcess, *, late: float = 0.3, keeps: bool = True
    ) -> None:
        self.one, self.other = one, other
        self.late = self.lateness(late)
        self.keeps = keeps
        self.flows = {one.name: Flow(), other.name: Flow()}
        """By the sender's name."""
        self.began = 0.0
        """When both were told of each other."""
        self.invites: dict[str, str] = {}
        """By name."""
        self._rate = 4.0
        for node in (one, other):
            node.heard = partial(self._note, node.name)

    async def __aenter__(self) -> Self:
        try:
            invites = await asyncio.gather(self.one.start(), self.other.start())
            self.invites = {self.one.name: invites[0], self.other.name: invites[1]}
            self.began = time.monotonic()
            self.one.tell(add=invites[1], name=self.other.name)
            self.other.tell(add=invites[0], name=self.one.name)
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    def peer_of(self, node: NodeProcess) -> NodeProcess:
        """The other one."""
        return self.other if node is self.one else self.one

    async def connected(self, seconds: float = 150.0) -> float:
        """Wait for the first link. Returns the seconds from `began` until both had it."""
        ups = await asyncio.gather(*(node.says("LinkUp", seconds=seconds) for node in (self.one, self.other)))
        return float(max(up["at"] for up in ups) - self.began)

    def talk(self, rate: float = 4.0) -> None:
        """Let each send numbered messages to the other, so many a second."""
        self._rate = rate
        for node in (self.one, self.other):
            self._let_talk(node)

    async def restart(self, node: NodeProcess, *, down_seconds: float = 0.0) -> float:
        """Kill a node, start it again after so long, and let it talk. Returns when it was up again."""
        await node.kill()
        self.flows[self.peer_of(node).name].receiver_restarted()
        await asyncio.sleep(down_seconds)
        before = len(node.said)
        await node.start()
        self._let_talk(node)
        return float((await node.says("started", after=before))["at"])

    async def flowing(self, since: float | None = None, *, seconds: float = 150.0) -> None:
        """Wait until messages that are sent from now (or ``since``) on are quick in both directions.

        Raises:
            LaboratoryError: that did not happen; with the state of both.
        """
        begun = time.monotonic() if since is None else since
        deadline = time.monotonic() + seconds
        while not self._flows(begun):
            if time.monotonic() > deadline:
                raise LaboratoryError(
                    f"no messages in both directions after {seconds:g} s: {await self._state()}"
                )
            await asyncio.sleep(_LOOK_SECONDS)

    async def recovered(
        self, event: str, at: float, *, seconds: float = 120.0, watch: float = 0.0
    ) -> Recovery:
        """Wait until messages flow in both directions again, and measure.

        Args:
            event: its name, for the report.
            at: when it was, as the laboratory's functions return it.
            seconds: how long to wait.
            watch: seconds after the event that are watched at least, for events that may do harm later.
        """
        await asyncio.sleep(max(0.0, at + watch - time.monotonic()))
        await self.flowing(at, seconds=seconds)
        directions = {}
        for name, flow in self.flows.items():
            until = flow.disturbed_until(at, self.late)
            directions[name] = 0.0 if until is None else until - at
        return Recovery(
            event,
            at,
            max(directions.values()),
            directions,
            max(flow.longest_silence(at) for flow in self.flows.values()),
            {node.name: self._first(node, at, "LinkDown", "LinkUp") for node in (self.one, self.other)},
            {node.name: self._first(node, at, "LinkUp") for node in (self.one, self.other)},
        )

    async def finish(self, *, seconds: float = 150.0) -> Tally:
        """Stop talking, wait so long for what is still on its way, and count."""
        for node in (self.one, self.other):
            before = len(node.said)
            node.tell(hush=True)
            await node.says("hushed", after=before)
        deadline = time.monotonic() + seconds
        while self.keeps and any(flow.missing for flow in self.flows.values()):
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(_LOOK_SECONDS)
        # One that comes twice comes soon after the first.
        await asyncio.sleep(0.5)
        return self.tally()

    def tally(self, begin: float = 0.0, end: float = math.inf) -> Tally:
        """Count what is known now of the messages that were sent in this time (`time.monotonic`)."""

        def count(numbers: Callable[[Flow], Iterable[int]]) -> int:
            return sum(
                begin <= flow.sent_at.get(number, 0.0) < end
                for flow in self.flows.values()
                for number in numbers(flow)
            )

        return Tally(
            count(lambda flow: flow.accepted),
            count(lambda flow: flow.missing),
            count(lambda flow: flow.doubled),
            count(lambda flow: flow.disordered),
        )

    # --- inside -----------------------------------------------------------------------------------------

    def _flows(self, since: float) -> bool:
        now = time.monotonic()
        return all(
            flow.prompt_since(since, now, late=self.late, count=_PROMPT_MESSAGES, keeps=self.keeps)
            for flow in self.flows.values()
        )

    def _let_talk(self, node: NodeProcess) -> None:
        first = self.flows[node.name].next_number
        node.tell(talk=self.peer_of(node).name, rate=self._rate, first=first)

    def _note(self, name: str, one: dict[str, Any]) -> None:
        sending = self.flows[name]
        receiving = self.flows[self.other.name if name == self.one.name else self.one.name]
        match one["event"]:
            case "trying":
                sending.sent_at[one["number"]] = one["at"]
            case "accepted":
                sending.accepted.add(one["number"])
            case "arrived":
                receiving.arrived(one["number"], one["at"])
            case "done":
                receiving.done.add(one["number"])
            case _:
                pass

    async def _state(self) -> dict[str, object]:
        found: dict[str, object] = {}
        for node in (self.one, self.other):
            before = len(node.said)
            node.tell(status=self.peer_of(node).name)
            found[node.name] = await node.says("status", after=before, seconds=30)
        return found

    def _first(self, node: NodeProcess, at: float, *events: str) -> float | None:
        """Seconds until a node said the first of these events of the other one."""
        peer_id = next(
            (one.get("peer_id") for one in self.peer_of(node).said if one["event"] == "started"), None
        )
        for one in node.said:
            if one["at"] > at and one["event"] in events and one.get("peer_id") == peer_id:
                return float(one["at"] - at)
        return None

    async def _end(self) -> None:
        await asyncio.gather(self.one.stop(), self.other.stop())
