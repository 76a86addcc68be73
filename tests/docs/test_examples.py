"""What the documentation shows is what happens."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.docs.pages import Section, Stage, sections

import p4
from p4.testing import SimulatedNetwork, SimulatedNode, simulate, start_node

ROOT = Path(__file__).resolve().parents[2]
API = ROOT / "docs" / "api.md"
FILM = bytes(range(256)) * 1200


@pytest.fixture(autouse=True)
def _directory_with_a_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "film.mkv").write_bytes(FILM)


@pytest.mark.parametrize("section", sections(API), ids=lambda section: section.title)
def test_the_examples_do_what_is_written_there(section: Section, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [block for block in section.blocks if block.file]
    for block in files:
        if block.file.startswith("test_"):
            scope: dict[str, Any] = {"__name__": block.file}
            exec(block.compiled(), scope)  # noqa: S102 - our own documentation
            tests = [value for name, value in scope.items() if name.startswith("test_")]
            assert tests
            for test in tests:
                test()
        else:
            run_program(block.compiled(), monkeypatch)
    if not files:
        simulate(lambda network: play(network, section))


async def play(network: SimulatedNetwork, section: Section) -> None:
    stage = Stage(network)
    for blocks, expected in section.scenes():
        assert all(block.device for block in blocks), "a block says in its first line where it runs"
        assert await stage.perform(blocks) == expected


def run_program(
    code: Any, monkeypatch: pytest.MonkeyPatch, printed_link: Callable[[], str] | None = None
) -> None:
    """Run a program of the laptop's, which reads messages for ever, until it has read one of the phone's.

    Args:
        printed_link: gives the link that the program has printed, or nothing yet: the phone pairs by it.
    """
    programs: list[Coroutine[Any, Any, None]] = []
    monkeypatch.setattr(asyncio, "run", programs.append)

    async def scenario(network: SimulatedNetwork) -> None:
        laptop = network.host("laptop")
        contacts = () if printed_link else ("phone",)
        monkeypatch.setattr(p4, "Node", lambda _: SimulatedNode(network, laptop, contacts))
        exec(code, {"__name__": "__main__"})  # noqa: S102 - our own documentation
        laptop.spawn(programs[0])
        phone = await start_node(network, "phone", *([] if printed_link else ["laptop"]))
        if printed_link:
            while not (link := printed_link()):  # noqa: ASYNC110 - it only prints
                await asyncio.sleep(0.1)
            await phone.pair(link, "laptop")
        arrived = await anext(phone.messages())
        assert arrived.value == "hello"
        receipt = await phone.peer("laptop").send("hello yourself")
        await receipt.consumed()
        laptop.crash()

    simulate(scenario)


def test_the_program_of_the_readme_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [block] = [block for found in sections(ROOT / "README.md") for block in found.blocks]
    printed = ""

    def printed_link() -> str:
        nonlocal printed
        printed += capsys.readouterr().out
        found = re.search(r"^p4 add (p4:\w+)$", printed, re.MULTILINE)
        return found[1] if found else ""

    run_program(block.compiled(), monkeypatch, printed_link)
    assert capsys.readouterr().out == "phone: hello yourself\n"


@pytest.mark.parametrize(
    ("code", "printed", "complaint"),
    [
        ("# on the laptop\nprint(1 + 1)", "laptop: 3", "laptop: 3"),
        ("# on the laptop\nprint(peer.absent)", "", "absent"),
        (
            "# on the laptop\nawait peer.wait_connected()\nawait asyncio.sleep(1000)",
            "",
            "does not come to its end",
        ),
        ("print(1)", "laptop: 1", "where it runs"),
    ],
)
def test_an_example_that_is_wrong_is_found(tmp_path: Path, code: str, printed: str, complaint: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\n```python\n{code}\n```\n\n```text\n{printed}\n```\n")
    [section] = sections(page)
    with pytest.raises((AssertionError, AttributeError), match=complaint):
        simulate(lambda network: play(network, section))
