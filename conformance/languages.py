"""Which languages there are, where their commands lie, and how they are built."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LANGUAGES", "ROOT", "BuildError", "Language", "MissingToolchainError", "build"]

ROOT = Path(__file__).resolve().parent.parent

_MISSING_TOOLCHAIN = 77
"""Status of a build that is told to be skipped, as automake has it."""


class BuildError(Exception):
    """A command could not be built."""


class MissingToolchainError(Exception):
    """A command cannot be built on this machine; says what is missing."""


@dataclass(frozen=True)
class Language:
    """A language and its command.

    Args:
        name: as in ``--language`` and the table.
        directory: with its ``build`` and ``run``.
        arguments: of ``run``; only the tests' faulty commands have any.
    """

    name: str
    directory: Path
    arguments: tuple[str, ...] = ()

    @property
    def words(self) -> list[str]:
        """What starts the command."""
        return [str(self.directory / "run"), *self.arguments]


LANGUAGES = (
    Language("python", ROOT / "conformance" / "python"),
    Language("js", ROOT / "sdks" / "js" / "conformance"),
    Language("rust", ROOT / "sdks" / "rust" / "conformance"),
    Language("java", ROOT / "sdks" / "java" / "conformance"),
    Language("cpp", ROOT / "sdks" / "cpp" / "conformance"),
    Language("php", ROOT / "sdks" / "php" / "conformance"),
)
"""All of them, in the order of the table."""


async def build(language: Language) -> None:
    """Build a command; quick if it is built already.

    Raises:
        MissingToolchainError, BuildError: what its ``build`` said.
    """
    script = language.directory / "build"
    if not script.exists():
        raise BuildError(f"there is no {script.relative_to(ROOT)}")
    # The runner's own interpreter is the one that has what Python's command needs.
    environment = {**os.environ, "PYTHON": sys.executable}
    process = await asyncio.create_subprocess_exec(
        str(script),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment,
    )
    try:
        output = (await process.communicate())[0].decode(errors="replace").strip()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode == _MISSING_TOOLCHAIN:
        raise MissingToolchainError(output or "its toolchain is missing")
    if process.returncode != 0:
        raise BuildError(f"status {process.returncode}: {output[-3000:]}")
