"""Two devices on one real local network (namespaces at a bridge) pair without Tor and the internet."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.lan.local_network import LocalNetwork
from tests.adapters.net.namespaces import NetworkNamespace
from tests.patience import patience

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PATIENCE_SECONDS = 120.0
PAIRED_WITHIN_SECONDS = 2.0

pytestmark = pytest.mark.slow


@pytest.fixture
def lan() -> Iterator[LocalNetwork]:
    with ExitStack() as held:
        yield LocalNetwork(held)


class Device:
    """A process of `paired_device.py`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def told(self, key: str) -> dict[str, Any]:
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                line: dict[str, Any] = json.loads(await self._process.stdout.readline())
                if key in line:
                    return line


@asynccontextmanager
async def device(machine: NetworkNamespace, state: Path, *arguments: str) -> AsyncIterator[Device]:
    process = await asyncio.create_subprocess_exec(
        *machine.command(sys.executable, str(HERE / "paired_device.py"), str(state), *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": f"{ROOT}/src:{ROOT}", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )
    try:
        yield Device(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("kind", ["local-words", "link"])
async def test_they_are_paired_within_two_seconds(lan: LocalNetwork, tmp_path: Path, kind: str) -> None:
    async with device(lan.machine(), tmp_path / "alice", "invite", kind) as alice:
        text = (await alice.told("text"))["text"]
        async with device(lan.machine(), tmp_path / "bob", "add", text) as bob:
            host, guest = await asyncio.gather(alice.told("peer"), bob.told("peer"))
            assert (host["peer"], guest["peer"]) == (guest["me"], host["me"])
            linked = await bob.told("linked")
            print(f"{kind}: paired after {guest['took']:.2f} s, linked after {linked['linked']:.2f} s")
            assert guest["took"] < patience(PAIRED_WITHIN_SECONDS)


async def test_wrong_words_end_the_code(lan: LocalNetwork, tmp_path: Path) -> None:
    """Two other words of the same shelf: found, guessed, refused; and then the right ones come too late."""
    from p4.core.pairing.secrets import PairingSecret
    from p4.node.pairing.parts import english_words

    async with device(lan.machine(), tmp_path / "alice", "invite", "local-words") as alice:
        text = (await alice.told("text"))["text"]
        shelf = PairingSecret.of_words(text.split()).place
        first = text.split()[0]
        numbers = (number.to_bytes(2, "big") * 2 for number in range(2048))
        others = ((first, english_words().choose(2, number)[1]) for number in numbers)
        wrong = next(
            words
            for words in others
            if " ".join(words) != text and PairingSecret.of_words(words).place == shelf
        )
        for words, code in ((" ".join(wrong), "wrong"), (text, "not-found")):
            async with device(lan.machine(), tmp_path / words, "add", words) as guest:
                assert (await guest.told("refused"))["refused"] == code
        assert (await alice.told("refused"))["refused"] == "ended"
