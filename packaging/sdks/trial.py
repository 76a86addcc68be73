"""The real daemons that the examples talk to: a laptop and a phone, in direct mode, without Tor."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from conformance.devices import DevicePair
from work import PackageError, run

import p4.client
from p4.client.pairing import Pairing

SERVICES = ("chat", "notes")
PATIENCE = 60.0
ANSWER = "bye"
"""What the phone says to whom writes to it; the examples that read messages end with it."""


class Stage:
    """A home in which examples run, as programs of the laptop's user; its contact is `phone`."""

    def __init__(self, home: Path) -> None:
        self.home = home

    async def perform(self, *command: str | Path, cwd: Path, expected: str) -> None:
        """Run an example.

        Args:
            command: what starts it.
            expected: a text that it must print.

        Raises:
            PackageError: it failed, or printed something else.
        """
        environment = {"HOME": str(self.home), "USERPROFILE": str(self.home), "PYTHONPATH": ""}
        said = await asyncio.to_thread(
            lambda: run(*command, cwd=cwd, environment=environment, patience=2 * PATIENCE)
        )
        if expected not in said:
            raise PackageError(f"the example printed {said!r}, not {expected!r}")


@contextmanager
def daemon_program(command: str) -> Iterator[None]:
    """Let daemons that start meanwhile be this program."""
    before = os.environ.get("P4_COMMAND")
    os.environ["P4_COMMAND"] = command
    try:
        yield
    finally:
        if before is None:
            del os.environ["P4_COMMAND"]
        else:
            os.environ["P4_COMMAND"] = before


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """Two devices that are paired and linked; the phone answers whoever writes to its notes."""
    async with (
        DevicePair() as pair,
        p4.client.connect(pair.laptop.state_dir) as laptop,
        p4.client.connect(pair.phone.state_dir) as phone,
    ):
        host, guest = Pairing(laptop), Pairing(phone)
        invite = await host.create(name="phone")
        async with asyncio.timeout(PATIENCE):
            await host.wait_findable(invite.id)
            await asyncio.gather(host.wait(invite.id), guest.add(invite.text, name="laptop"))
        for device, other in ((laptop, "phone"), (phone, "laptop")):
            await device.contact(other).grant(*SERVICES)
        answers = asyncio.create_task(_answer(phone))
        try:
            yield Stage(pair.laptop.home)
        finally:
            answers.cancel()
            await asyncio.gather(answers, return_exceptions=True)


async def _answer(phone: p4.client.Client) -> None:
    async with phone.messages("notes") as notes:
        async for message in notes:
            message.done()
            await phone.contact("laptop").send(ANSWER, service="notes")
