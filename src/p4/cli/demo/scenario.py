"""The story of the demonstration, step by step. It knows nothing of how it is shown or set up."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from p4.cli.demo.process import NodeProcess, run_command
from p4.cli.demo.steps import Steps
from p4.errors import LocalError

__all__ = ["Scenario", "Targets"]

OPEN = "Data channel OPEN with {}"
CLOSED = "Data channel CLOSED with {}"

MESSAGES = 5
"""Written to a dead device."""

SETTLE_SECONDS = 0.5
"""A message that were delivered twice would arrive again within this time."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What P4 wants to reach on an ordinary idle machine, in seconds."""

    start_to_open: float = 3.0
    drop_to_open: float = 0.3
    notice_death: float = 3.0
    restart_to_open: float = 1.5
    cold_limit: float = 60.0
    """The first start has to fetch Tor's directory, which takes long on the public network."""


@dataclass
class Scenario:
    """Two devices, paired, parted and brought together again.

    Args:
        devices: both, not yet initialised.
        steps: carries the steps out.
        options: further options of `p4 run` for the device.
        invite_options: further options of `p4 invite` for the device.
        greeting: a sentence about how they found each other.
        targets: reference times and limits.
    """

    devices: tuple[NodeProcess, NodeProcess]
    steps: Steps
    options: Callable[[NodeProcess], Sequence[str]]
    invite_options: Callable[[NodeProcess], Sequence[str]]
    greeting: str = ""
    targets: Targets = field(default_factory=Targets)

    async def run(self) -> None:
        """The whole story.

        Raises:
            StepFailedError: at the first step that does not work.
        """
        await self._make_identities()
        await self._pair()
        await self._first_meeting()
        await self._chat()
        await self._drop()
        # The lower id is the one that v1 lets dial; both must come back whichever of them dies.
        first, second = sorted(self.devices, key=lambda device: device.peer_id, reverse=True)
        await self._power_cut(first, second)
        await self._power_cut(second, first)
        await self._restart_both()

    # --- steps ----------------------------------------------------------------------------------------------

    async def _make_identities(self) -> None:
        laptop, phone = self.devices
        async with self.steps.step(f"Two devices, {laptop.name} and {phone.name}, get identities"):
            for device in self.devices:
                output = await run_command("init", "--state-dir", str(device.directory), note=device.note)
                device.peer_id = output.rpartition("peer_id=")[2].strip()
        self.steps.display.tell(f"{laptop.name} is {laptop.peer_id}, {phone.name} is {phone.peer_id}.")

    async def _pair(self) -> None:
        laptop, phone = self.devices
        async with self.steps.step("They pair: each is given the other's invite"):
            for giver, taker in ((laptop, phone), (phone, laptop)):
                self.steps.display.note(f"{giver.name} prints its invite")
                invite = await run_command(
                    *("invite", "--state-dir", str(giver.directory)),
                    *self.invite_options(giver),
                    note=giver.note,
                )
                self.steps.display.note(f"{taker.name} adds {giver.name} as a contact")
                await run_command(
                    *("add-contact", "--state-dir", str(taker.directory)),
                    *("--invite-json", json.dumps(json.loads(invite)), "--name", giver.name),
                    note=taker.note,
                )
        address = json.loads(invite)["rendezvous"]["address"]
        shown = address if len(address) < 30 else f"{address[:8]}…{address[-14:]}"
        self.steps.display.tell(
            f"An invite is a public key and an address, such as {shown}. It holds no secret."
        )
        await self.steps.pause()

    async def _first_meeting(self) -> None:
        async with self.steps.step(
            "First start: they find each other", limit=self.targets.cold_limit
        ) as step:
            step.seconds = await self._start_both_until_open()
        self.steps.display.tell(f"Data now goes directly between them, encrypted. {self.greeting}")
        await self.steps.pause()

    async def _chat(self) -> None:
        laptop, phone = self.devices
        async with self.steps.step("They chat both ways") as step:
            seconds = []
            for speaker, listener, text in (
                (laptop, phone, "hello from the laptop"),
                (phone, laptop, "hello back from the phone"),
            ):
                self.steps.display.note(f"{speaker.name} says: {text}")
                sent = time.monotonic()
                await speaker.command(f"/send {listener.name} {text}")
                heard = await listener.wait_for(f"^{speaker.peer_id}> {text}$", since=sent)
                seconds.append(heard.at - sent)
            step.seconds = max(seconds)
        await self.steps.pause()

    async def _drop(self) -> None:
        laptop, phone = self.devices
        title = "The link is cut (/drop) and comes back by itself"
        async with self.steps.step(title, target=self.targets.drop_to_open) as step:
            dropped = time.monotonic()
            await laptop.command(f"/drop {phone.name}")
            await self._both(laptop, phone, CLOSED, since=dropped, waiting="the link to close")
            opened = await self._both(laptop, phone, OPEN, since=dropped, waiting="the link to come back")
            step.seconds = opened - dropped
        await self.steps.pause()

    async def _power_cut(self, victim: NodeProcess, survivor: NodeProcess) -> None:
        title = f"{victim.name} dies (kill -9); {survivor.name} notices"
        async with self.steps.step(title, target=self.targets.notice_death) as step:
            killed = await victim.kill()
            self.steps.display.note(f"waiting for {survivor.name} to notice")
            closed = await survivor.wait_for(CLOSED.format(victim.peer_id), since=killed)
            step.seconds = closed.at - killed

        texts = [
            f"{number} of {MESSAGES}, from {survivor.name} while {victim.name} was dead"
            for number in range(1, MESSAGES + 1)
        ]
        title = f"{survivor.name} writes {MESSAGES} messages to {victim.name}, which is dead"
        async with self.steps.step(title):
            for text in texts:
                sent = time.monotonic()
                await survivor.command(f"/send {victim.name} {text}")
                await survivor.wait_for(f"^Peer {victim.peer_id} is not connected", since=sent)
        self.steps.display.tell(f"The messages are on {survivor.name}'s disk and wait there.")
        await self.steps.pause()

        title = f"{victim.name} starts again; they find each other"
        async with self.steps.step(title, target=self.targets.restart_to_open) as step:
            await victim.start(self.options(victim))
            since = victim.started_at
            opened = await self._both(victim, survivor, OPEN, since=since, waiting="the link to open")
            step.seconds = opened - since

        await self._all_arrive(texts, survivor, victim)
        await self.steps.pause()

    async def _all_arrive(self, texts: Sequence[str], sender: NodeProcess, receiver: NodeProcess) -> None:
        async with self.steps.step(f"All {len(texts)} messages arrive, in order, each exactly once") as step:
            since, beginning = receiver.started_at, f"{sender.peer_id}> "
            await receiver.wait_for(f"^{beginning}{texts[-1]}$", since=since)
            await asyncio.sleep(SETTLE_SECONDS)
            if (arrived := receiver.said(beginning, since=since)) != texts:
                raise LocalError(f"Sent were {texts}, and what arrived is {arrived}.")
            step.detail = f"1 to {len(texts)}"

    async def _restart_both(self) -> None:
        async with self.steps.step("Both are shut down in order"):
            await asyncio.gather(*(device.quit() for device in self.devices))
        title = "Both start again and find each other"
        async with self.steps.step(title, target=self.targets.start_to_open) as step:
            step.seconds = await self._start_both_until_open()

    # --- what steps are made of ---------------------------------------------------------------------------

    async def _start_both_until_open(self) -> float:
        laptop, phone = self.devices
        for device in self.devices:
            await device.start(self.options(device))
        since = min(laptop.started_at, phone.started_at)
        opened = await self._both(laptop, phone, OPEN, since=since, waiting="the link to open")
        return opened - since

    async def _both(
        self, one: NodeProcess, other: NodeProcess, pattern: str, *, since: float, waiting: str
    ) -> float:
        """Wait for a line about each other in both outputs; gives when the later one came."""
        self.steps.display.note(f"waiting for {waiting}")
        waits = []
        for device, peer in ((one, other), (other, one)):
            device.watch = self._show_line(device)
            waits.append(asyncio.create_task(device.wait_for(pattern.format(peer.peer_id), since=since)))
        try:
            return max(line.at for line in await asyncio.gather(*waits))
        finally:
            for device, wait in zip((one, other), waits, strict=True):
                device.watch = None
                wait.cancel()

    def _show_line(self, device: NodeProcess) -> Callable[[str], None]:
        def show(line: str) -> None:
            if progress := re.match(r"\[[-\d: ]+\] (.+\(\d+ %\)\.?)$", line):
                self.steps.display.note(f"{device.name}: {progress[1]}")

        return show
