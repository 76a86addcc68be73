"""A Tor of its own for the v1 peer: a SOCKS listener to dial by, and an onion service to be reached by."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.requirements import require_program


class V1Tor:
    """One Tor process with a fixed configuration; an async context manager.

    Args:
        directory: made, private; the onion key in it keeps the address.
        torrc_lines: further configuration, such as the private network's.
    """

    def __init__(self, directory: Path, torrc_lines: Sequence[str]) -> None:
        self._directory = directory
        self._torrc_lines = torrc_lines
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self.socks = f"unix:{directory}/socks"
        self.target = f"unix:{directory}/target"
        """Where the v1 peer must listen."""

    async def __aenter__(self) -> Self:
        """Returns when it can dial. Its own address takes a few seconds more to be known to others."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        lines = [
            f"DataDirectory {self._directory}/data",
            f"SocksPort {self.socks}",
            f"HiddenServiceDir {self._directory}/service",
            f"HiddenServicePort 80 {self.target}",
            "Log notice stdout",
            *self._torrc_lines,
        ]
        torrc = self._directory / "torrc"
        torrc.write_text("".join(f"{line}\n" for line in lines))
        self._process = await asyncio.create_subprocess_exec(
            require_program("tor"), "-f", str(torrc), stdout=asyncio.subprocess.PIPE
        )
        try:
            await asyncio.wait_for(self._bootstrap(), 180)
        except BaseException:
            await self.kill()
            raise
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    @property
    def address(self) -> str:
        """The onion address, with ``.onion``."""
        return (self._directory / "service" / "hostname").read_text().strip()

    async def kill(self) -> None:
        """Kill -9, and wait until it is gone."""
        if self._process is None:
            return
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        if self._reading is not None:
            await self._reading
        self._process = None

    async def _bootstrap(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        said = []
        async for line in self._process.stdout:
            said.append(line.decode(errors="replace"))
            if "Bootstrapped 100%" in said[-1]:
                return
        raise AssertionError("tor ended: " + "".join(said[-10:]))

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while await self._process.stdout.read(65536):
            pass
