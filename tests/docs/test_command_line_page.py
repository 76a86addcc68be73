"""docs/cli.md knows every command, and the help of every command ends with examples that exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from p4.cli.catalogue import GROUPS
from p4.cli.exit_codes import ExitCode
from p4.cli.main import p4

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "cli.md").read_text("utf-8")
NAMES = [name for names in GROUPS.values() for name in names]


def found(name: str) -> click.Command:
    command = p4.get_command(click.Context(p4), name)
    assert command is not None, name
    return command


def all_commands() -> Iterator[tuple[str, click.Command]]:
    """Every command and those below it, with the words that call it."""
    for name in NAMES:
        command = found(name)
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {below}", inner) for below, inner in command.commands.items())


def test_every_command_has_a_heading_and_every_heading_a_command() -> None:
    headings = re.findall(r"^#{2,3} (.+)$", PAGE, re.MULTILINE)
    named = set(re.findall(r"p4 ([a-z-]+)", "\n".join(headings)))
    assert named == set(NAMES)


def test_the_page_is_grouped_as_the_help_is() -> None:
    titles = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    assert [title for title in titles if title in GROUPS] == list(GROUPS)


def test_the_exit_codes_are_those_of_the_code() -> None:
    listed = re.findall(r"^\| ([0-9]+) \| ", PAGE, re.MULTILINE)
    assert [int(code) for code in listed] == [code.value for code in ExitCode]


@pytest.mark.parametrize("words", [words for words, _ in all_commands()])
def test_help_ends_with_examples_that_can_be_typed(words: str) -> None:
    command = dict(all_commands())[words]
    if isinstance(command, click.Group):
        return
    context = click.Context(command, info_name=f"p4 {words}")
    lines = command.get_help(context).splitlines()
    examples = lines[lines.index("  Examples:") + 1 :]
    assert examples
    known = {option for parameter in command.params for option in parameter.opts}
    for line in examples:
        typed = re.split(r"   | && | \| | > ", line.strip())[0]
        if not typed.startswith(f"p4 {words}"):
            continue
        given = [word for word in shlex.split(typed.partition(" -- ")[0]) if re.match("--[a-z]", word)]
        assert {word.partition("=")[0] for word in given} <= known | {"--help"}, line


@pytest.mark.parametrize("words", [words for words, _ in all_commands()])
def test_every_command_has_json_or_is_no_question(words: str) -> None:
    command = dict(all_commands())[words]
    plain = {"demo", "run", "completion", "service install", "service uninstall", "pipe"}
    options = {option for parameter in command.params for option in parameter.opts}
    assert isinstance(command, click.Group) or words in plain or "--json" in options
