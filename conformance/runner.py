"""Builds the commands, starts the daemons, and runs the cases."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from conformance.cases import access, calls, contacts, messages, moments, restarts, streams
from conformance.cases.local import CASES
from conformance.cases.native import NATIVE_CASES
from conformance.command import Command, CommandError, Refusal
from conformance.devices import DevicePair
from conformance.expectations import Mismatch
from conformance.languages import BuildError, Language, MissingToolchainError, build
from conformance.outcomes import Outcome, Report
from conformance.pairs import Commands, talk
from conformance.relation import Relation
from p4.errors import P4Error

__all__ = ["CASE_SECONDS", "LOCAL_CASES", "Runner", "pair_case"]

CASE_SECONDS = 120.0
"""No case takes so long."""
BUILD_SECONDS = 900.0
"""No build takes so long, on a machine that has nothing built yet."""
NOTED_SECONDS = 10.0
"""A person who waits for a build for so long is told why."""

LOCAL_CASES = {
    name: run
    for module in (contacts, messages, calls, streams, moments, access, restarts)
    for name, run in CASES.items()
    if run.__module__ == module.__name__
}
"""The L1 cases, in the order in which they run."""


def pair_case(receiver: str) -> str:
    """The name of the case that a sender talks to this receiver."""
    return f"pair to {receiver}"


def _explained(error: BaseException) -> str:
    notes = "".join(f"{note}: " for note in getattr(error, "__notes__", ()))
    return f"{notes}{str(error) or type(error).__name__}"


@dataclass
class Runner:
    """One run.

    Args:
        languages: that take part.
        report: to which everything is added.
        wanted: which cases, by their language (of pairs the sender's) and their names.
        told: called for each outcome, as it comes.
        noted: called with a line about what takes long.
        jobs: languages at a time. Each has daemons of its own for L1.
    """

    languages: Sequence[Language]
    report: Report
    wanted: Callable[[str, str], bool] = lambda language, case: True
    told: Callable[[Outcome], None] = lambda _: None
    noted: Callable[[str], None] = lambda _: None
    jobs: int = 2
    _built: list[Language] = field(default_factory=list)

    async def run(self) -> Report:
        """Everything that is wanted, and the report of it."""
        with self._timed("build"):
            for language in self.languages:
                await self._build(language)
        with self._timed("L2"):
            await self._spread([self._native(language) for language in self._built])
        pairs = [
            (sender, receiver)
            for sender in self._built
            for receiver in self._built
            if self.wanted(sender.name, pair_case(receiver.name))
        ]
        local = [language for language in self._built if self._cases(language, LOCAL_CASES)]
        if local or pairs:
            await self._with_devices(local, pairs)
        return self.report

    def _cases(self, language: Language, names: Iterable[str]) -> list[str]:
        return [name for name in names if self.wanted(language.name, name)]

    async def _build(self, language: Language) -> None:
        words = f"{language.name} is being built, or waits for another build of it"
        slow = asyncio.get_running_loop().call_later(NOTED_SECONDS, self.noted, words)
        try:
            async with asyncio.timeout(BUILD_SECONDS):
                await build(language)
        except TimeoutError:
            self._add(language, "build", f"not built within {BUILD_SECONDS:g} s")
        except MissingToolchainError as error:
            self.report.missing[language.name] = str(error)
        except BuildError as error:
            self._add(language, "build", str(error))
        else:
            self._built.append(language)
        finally:
            slow.cancel()

    async def _spread(self, works: Sequence[Awaitable[None]]) -> None:
        gate = asyncio.Semaphore(self.jobs)

        async def one(work: Awaitable[None]) -> None:
            async with gate:
                await work

        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(one(work))

    async def _native(self, language: Language) -> None:
        async with AsyncExitStack() as stack:
            logs = Path(stack.enter_context(TemporaryDirectory(prefix="p4-conformance-")))
            command: Command | None = None
            for name in self._cases(language, NATIVE_CASES):
                if command is None:
                    command = await stack.enter_async_context(Command(language.words, logs / "log"))
                if not await self._case(language, name, NATIVE_CASES[name](command)):
                    command.kill()
                    command = None

    async def _with_devices(
        self, local: Sequence[Language], pairs: Sequence[tuple[Language, Language]]
    ) -> None:
        queue = list(local)
        async with AsyncExitStack() as stack:
            count = max(1, min(self.jobs, len(queue)))
            with self._timed("daemons"):
                devices = await asyncio.gather(*(self._devices(stack) for _ in range(count)))
            with self._timed("L1"):
                async with asyncio.TaskGroup() as group:
                    for found, relation in devices:
                        group.create_task(self._local_queue(queue, found, relation))
            if pairs:
                with self._timed("pairs"):
                    await self._pairs(pairs, *devices[0])

    async def _devices(self, stack: AsyncExitStack) -> tuple[DevicePair, Relation]:
        devices = await stack.enter_async_context(DevicePair())
        return devices, await stack.enter_async_context(Relation(devices))

    async def _local_queue(self, queue: list[Language], devices: DevicePair, relation: Relation) -> None:
        while queue:
            language = queue.pop(0)
            async with Commands(devices, devices.directory) as commands:
                for name in self._cases(language, LOCAL_CASES):
                    work = self._local(commands, relation, language, name)
                    if not await self._case(language, name, work):
                        await commands.drop(language)

    async def _local(self, commands: Commands, relation: Relation, language: Language, name: str) -> None:
        await relation.prepare()
        await LOCAL_CASES[name](await commands.pair(language, language))

    async def _pairs(
        self, pairs: Sequence[tuple[Language, Language]], devices: DevicePair, relation: Relation
    ) -> None:
        async with Commands(devices, devices.directory) as commands:

            async def one(sender: Language, receiver: Language) -> None:
                await relation.prepare()
                await talk(await commands.pair(sender, receiver))

            for sender, receiver in pairs:
                if not await self._case(sender, pair_case(receiver.name), one(sender, receiver)):
                    await commands.drop(sender, receiver)

    async def _case(self, language: Language, name: str, work: Awaitable[None]) -> bool:
        """Run a case; whether the commands can go on with the next one."""
        started = time.monotonic()
        problem: str | None = None
        try:
            async with asyncio.timeout(CASE_SECONDS):
                await work
        except TimeoutError:
            problem = f"not done within {CASE_SECONDS:g} s"
        except (Mismatch, Refusal, CommandError) as error:
            problem = _explained(error)
        except (P4Error, KeyError, TypeError, ValueError, OSError, RuntimeError) as error:
            # What a wrong answer makes of the code that looks into it.
            problem = f"{type(error).__name__}: {_explained(error)}"
        self._add(language, name, problem, time.monotonic() - started)
        return problem is None

    def _add(self, language: Language, name: str, problem: str | None, seconds: float = 0.0) -> None:
        self.told(self.report.add(language.name, name, problem, seconds))

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.report.seconds[part] = time.monotonic() - started
