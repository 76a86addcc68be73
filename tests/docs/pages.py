"""Reads the examples out of a page of documentation, and plays them.

A section is what stands below a heading. A Python block in it says in its first line where it runs:

    # on the laptop                     on one of two paired nodes; `me` and `peer` are in scope
    # on the phone, after a restart     the same, after a kill -9 of the device
    # test_shopping.py                  a file of tests
    # hello.py                          a whole program

The blocks up to the next text block run at the same time, on the simulated network, and what they print is
the text block. A node is started by the first block of its device.
"""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

import p4
from p4.testing import SimulatedNetwork, start_node

OTHER = {"laptop": "phone", "phone": "laptop"}
PATIENCE = 100.0
"""Virtual seconds after which a block that is not at its end must be in an endless loop."""

_DEVICE = re.compile(r"# on the (laptop|phone)(, after a restart)?(?:[:,] .*)?")
_FILE = re.compile(r"# ([a-z_]+\.py)")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Args:
        line: of the page, of the fence before it.
    """

    page: Path
    line: int
    language: str
    text: str

    @property
    def device(self) -> str:
        """Where it runs; empty if on no device."""
        found = self._on_device()
        return found[1] if found else ""

    @property
    def after_restart(self) -> bool:
        found = self._on_device()
        return bool(found and found[2])

    @property
    def file(self) -> str:
        """The name of the file that it shows; empty if it shows none."""
        found = _FILE.fullmatch(self._first_line())
        return found[1] if found else ""

    def compiled(self) -> CodeType:
        """Its code, with `await` at the top allowed, and the line numbers of the page."""
        code: CodeType = compile(
            "\n" * self.line + self.text, str(self.page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        )
        return code

    def _first_line(self) -> str:
        return self.text.partition("\n")[0]

    def _on_device(self) -> re.Match[str] | None:
        return _DEVICE.fullmatch(self._first_line())


@dataclass(frozen=True)
class Section:
    title: str
    blocks: tuple[Block, ...]

    def scenes(self) -> Iterator[tuple[list[Block], str]]:
        """Blocks that run at the same time, and what they print."""
        waiting: list[Block] = []
        for block in self.blocks:
            if block.language == "text":
                yield waiting, block.text
                waiting = []
            else:
                waiting.append(block)
        if waiting:
            yield waiting, ""


def sections(page: Path) -> list[Section]:
    """The sections of a page that have Python blocks."""
    found: list[tuple[str, list[Block]]] = [("", [])]
    lines = enumerate(page.read_text("utf-8").splitlines(), 1)
    for number, line in lines:
        if line.startswith("```"):
            text = []
            for _, inner in lines:
                if inner.startswith("```"):
                    break
                text.append(inner)
            if line[3:] in {"python", "text"}:
                found[-1][1].append(Block(page, number, line[3:], "\n".join(text) + "\n"))
        elif line.startswith("#"):
            found.append((line.lstrip("# "), []))
    return [
        Section(title, tuple(blocks))
        for title, blocks in found
        if any(block.language == "python" for block in blocks)
    ]


class Stage:
    """Two paired devices that perform blocks."""

    def __init__(self, network: SimulatedNetwork) -> None:
        self._network = network
        self._scopes: dict[str, dict[str, Any]] = {}
        self._running: dict[asyncio.Task[None], Block] = {}
        self._printed: list[str] = []

    async def perform(self, blocks: list[Block]) -> str:
        """Run blocks at the same time; give what they, and loops of earlier ones, printed."""
        assert len({block.device for block in blocks}) == len(blocks), "a device runs one block at a time"
        for block in blocks:
            await self._prepare(block)
        for block in blocks:
            device = block.device
            task = self._network.host(device).spawn(_run(block.compiled(), self._scopes[device]))
            self._running[task] = block
        done, going_on = await asyncio.wait(
            self._running, timeout=PATIENCE, return_when=asyncio.FIRST_EXCEPTION
        )
        for task in done:
            del self._running[task]
            task.result()
        for task in going_on:
            block = self._running[task]
            assert "async for" in block.text, f"{block.page.name}:{block.line} does not come to its end"
        printed, self._printed = "".join(self._printed), []
        return printed

    async def _prepare(self, block: Block) -> None:
        device, other = block.device, OTHER[block.device]
        if block.after_restart:
            self._network.host(device).crash()
            self._running = {task: old for task, old in self._running.items() if old.device != device}
        elif device in self._scopes:
            return
        node = await start_node(self._network, device, other)

        def show(*values: object) -> None:
            self._printed.append(f"{device}: {' '.join(map(str, values))}\n")

        self._scopes[device] = {
            "me": node,
            "peer": node.peer(other),
            "print": show,
            "p4": p4,
            "asyncio": asyncio,
        }


async def _run(code: CodeType, scope: dict[str, Any]) -> None:
    coroutine = eval(code, scope)  # noqa: S307 - our own documentation
    if coroutine is not None:
        await coroutine
