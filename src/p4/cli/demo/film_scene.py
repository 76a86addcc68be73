"""The scene in which a film goes through a stream and both sides are killed on the way."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from p4.cli.demo.film import STEP_BYTES
from p4.cli.demo.process import NodeProcess, OutputLine
from p4.cli.demo.steps import Steps
from p4.core import limits
from p4.errors import LocalError

__all__ = ["FILM_BYTES", "NEEDED_BYTES", "FilmScene"]

FILM_BYTES = 100_000_000

NEEDED_BYTES = 2 * FILM_BYTES + limits.STREAM_SPOOL_BYTES + 130_000_000
"""Free space that a demonstration needs: the film, its copy, what is on its way, Tor's and our own files."""

FILM_SECONDS = 120.0
"""When a step with the film counts as failed."""

RATE_SECONDS = 0.2
"""Before this has passed, a rate says nothing."""

IN_FLIGHT_BYTES = limits.STREAM_WINDOW_BYTES + STEP_BYTES + limits.LINK_MESSAGE_BYTES
"""Most that can have been sent beyond what the receiver last reported: what it may have read since, and
what a reader allows its writer beyond that."""

RECEIVED = r"^Received (\d+) bytes$"


@dataclass
class FilmScene:
    """A film goes from one device to another; first the sender is killed, then the receiver.

    Args:
        sender, receiver: contacts, running `p4 run`.
        steps: carries the steps out.
        options: of the device's node.
        directory: for the film and its copy; made, and removed at the end.
        size: of the film in bytes.
    """

    sender: NodeProcess
    receiver: NodeProcess
    steps: Steps
    options: Callable[[NodeProcess], Sequence[str]]
    directory: Path
    size: int = FILM_BYTES
    _evidence: list[str] = field(default_factory=list)
    _killed_at: int = 0
    """Bytes that the receiver had reported when somebody was killed last."""

    @property
    def film(self) -> Path:
        """What is sent."""
        return self.directory / "film.bin"

    @property
    def copy(self) -> Path:
        """What arrives."""
        return self.directory / "received" / "film.bin"

    async def play(self) -> None:
        """The whole scene.

        Raises:
            StepFailedError: at the first step that does not work.
        """
        try:
            await self._permit()
            await self._prepare()
            await self._kill_sender()
            await self._kill_receiver()
            await self._complete()
            await self._compare()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    # --- steps ----------------------------------------------------------------------------------------------

    async def _permit(self) -> None:
        sender, receiver = self.sender, self.receiver
        async with self.steps.step(f"{receiver.name} lets {sender.name} send films (/grant)") as step:
            since = asyncio.get_running_loop().time()
            await receiver.command(f"/grant {sender.name} film")
            allowed = await receiver.wait_for(f"^{sender.peer_id} may use:.* film$", since=since)
            step.detail = allowed.text.partition(" may use: ")[2]
        await self.steps.pause()

    async def _prepare(self) -> None:
        async with self.steps.step("Both are shut down; a film program takes over"):
            await asyncio.gather(self.sender.quit(), self.receiver.quit())
            self.steps.display.note(f"making a film of {_megabytes(self.size)} of noise")
            self.copy.parent.mkdir(parents=True)
            with self.film.open("wb") as film:
                for offset in range(0, self.size, STEP_BYTES):
                    film.write(os.urandom(min(STEP_BYTES, self.size - offset)))
                    await asyncio.sleep(0)  # Ctrl-C is heard

    async def _kill_sender(self) -> None:
        sender, receiver = self.sender, self.receiver
        title = f"{_megabytes(self.size)} flow; {sender.name} dies on the way (kill -9)"
        async with self.steps.step(title, limit=FILM_SECONDS) as step:
            await self._start_receiver()
            await self._start_sender()
            await self._received(self.size * 3 // 10, since=receiver.started_at)
            self._killed_at = await self._kill(sender)
            step.detail = f"killed at byte {self._killed_at}"

    async def _kill_receiver(self) -> None:
        sender, receiver = self.sender, self.receiver
        title = f"{sender.name} restarts and goes on; {receiver.name} dies (kill -9)"
        async with self.steps.step(title, limit=FILM_SECONDS) as step:
            await self._start_sender()
            written = await sender.wait_for(r"^Sending \S+ from byte (\d+)$", since=sender.started_at)
            accepted, kept = _number(written), self._last_received()
            self._account(sender, kept, accepted=accepted, again_from=kept)
            await self._received(self.size * 6 // 10, since=sender.started_at)
            self._killed_at = await self._kill(receiver)
            step.detail = f"killed at byte {self._killed_at}"
        self.steps.display.tell(f"When {sender.name} came back, {accepted} bytes were on its disk already.")

    async def _complete(self) -> None:
        sender, receiver = self.sender, self.receiver
        title = f"{receiver.name} starts again; the film becomes complete"
        async with self.steps.step(title, limit=FILM_SECONDS) as step:
            await self._start_receiver()
            begins = await receiver.wait_for(r"^Receiving \S+ from byte (\d+)$", since=receiver.started_at)
            self._account(receiver, self._killed_at, accepted=self.size, again_from=_number(begins))
            last = await self._received(self.size, since=receiver.started_at)
            await asyncio.gather(sender.ended(), receiver.ended())
            step.detail = f"{last} bytes"

    async def _compare(self) -> None:
        sender, receiver = self.sender, self.receiver
        async with self.steps.step("The film and its copy have the same SHA-256") as step:
            ours, copied = await _sha256(self.film), await _sha256(self.copy)
            told = sender.said("Complete at both ends: sha256 ", since=sender.started_at)
            if not [ours] == [copied] == told:
                raise LocalError(f"The film has {ours}, its copy {copied}, and {sender.name} heard {told}.")
            step.evidence = (
                *self._evidence,
                f"The film on {sender.name}: sha256 {ours}",
                f"The copy on {receiver.name}: sha256 {copied}",
            )
        await self.steps.pause()

    # --- what steps are made of ---------------------------------------------------------------------------

    async def _start_sender(self) -> None:
        sender = self.sender
        await sender.start_film(self.options(sender), "send", self.receiver.name, str(self.film))

    async def _start_receiver(self) -> None:
        receiver = self.receiver
        await receiver.start_film(self.options(receiver), "receive", str(self.copy.parent))

    async def _received(self, size: int, *, since: float) -> int:
        """Wait until the receiver has so many bytes, and show how fast; gives how many it has."""
        receiver = self.receiver
        receiver.watch = self._show_progress()
        try:
            line = await receiver.wait_for(RECEIVED, since=since, where=lambda match: int(match[1]) >= size)
        finally:
            receiver.watch = None
        return _number(line)

    async def _kill(self, victim: NodeProcess) -> int:
        """Kill a process in the middle of its work; gives how many bytes the receiver had reported."""
        if not (self.sender.running and self.receiver.running):
            raise LocalError(f"The film program ended before {victim.name} could be killed.")
        await victim.kill()
        return self._last_received()

    def _show_progress(self) -> Callable[[str], None]:
        clock = asyncio.get_running_loop().time
        first: tuple[float, int] | None = None

        def show(line: str) -> None:
            nonlocal first
            if match := re.search(RECEIVED, line):
                now, received = clock(), int(match[1])
                first = first or (now, received)
                if (passed := now - first[0]) >= RATE_SECONDS:
                    rate = f"{_megabytes((received - first[1]) / passed)}/s"
                    of = f"{_megabytes(received)} of {_megabytes(self.size)}"
                    self.steps.display.note(f"{self.receiver.name} has {of}, {rate}")

        return show

    def _last_received(self) -> int:
        return max((int(text.split()[0]) for text in self.receiver.said("Received ", since=0)), default=0)

    def _account(self, killed: NodeProcess, reported: int, *, accepted: int, again_from: int) -> None:
        """Note what a kill cost: everything beyond what the receiver is known to keep may be sent twice.

        Args:
            killed: who died.
            reported: bytes that the receiver had reported since, before the next link.
            accepted: bytes that the sender had on its disk; it cannot have sent more.
            again_from: where the receiver goes on.
        """
        again = max(min(accepted, reported + IN_FLIGHT_BYTES) - again_from, 0)
        when = f"{killed.name} was killed at byte {self._killed_at}"
        self._evidence.append(f"{when}: at most {_megabytes(again)} were sent again.")


def _number(line: OutputLine) -> int:
    numbers = re.findall(r"\d+", line.text)
    return int(numbers[-1])


def _megabytes(size: float) -> str:
    return f"{size / 1e6:.3g} MB"


async def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(STEP_BYTES):
            digest.update(piece)
            await asyncio.sleep(0)  # Ctrl-C is heard
    return digest.hexdigest()
