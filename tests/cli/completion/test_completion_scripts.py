"""The completion scripts, run by the real shells."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import Run, environment
from tests.cli.fake_node import ANNA, BOB, invite_of

HOSTILE = "$(touch pwned)"
"""A name that a contact chose, to be carried out by whoever completes it."""


@pytest.fixture
def shell_directory(p4: Run, home: Path, tmp_path: Path) -> Path:
    """A directory with a `p4` command, and contacts in the user's state directory."""
    assert p4("init").returncode == 0
    for identity, name in ((ANNA, "Anna's laptop"), (BOB, HOSTILE)):
        added = p4("add-contact", "--invite-json", invite_of(identity).to_text(), "--name", name)
        assert added.returncode == 0, added.stderr
    commands = tmp_path / "bin"
    commands.mkdir()
    program = commands / "p4"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m p4.cli "$@"\n')
    program.chmod(0o755)
    return commands


def run_shell(words: list[str], directory: Path, home: Path) -> subprocess.CompletedProcess[str]:
    path = f"{directory}:/usr/local/bin:/usr/bin:/bin"
    return subprocess.run(
        words,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        cwd=home,
        env=environment(HOME=str(home), PATH=path),
    )


def proposals_of_bash(directory: Path, home: Path, *words: str) -> list[str]:
    """What Tab proposes for the last word."""
    script = (
        'eval "$(p4 completion bash)"\n'
        'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))\n'
        "_p4_completion p4\n"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = run_shell(["bash", "--norc", "-c", script, "bash", *words], directory, home)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_bash_completes_commands_options_and_values(shell_directory: Path, home: Path) -> None:
    assert "doctor" in proposals_of_bash(shell_directory, home, "p4", "doc")
    assert "--invite-json" in proposals_of_bash(shell_directory, home, "p4", "add-contact", "--inv")
    assert proposals_of_bash(shell_directory, home, "p4", "policy", "x", "re") == ["relay-only"]


def test_bash_completes_contacts_as_one_word_each_and_carries_nothing_out(
    shell_directory: Path, home: Path
) -> None:
    found = proposals_of_bash(shell_directory, home, "p4", "policy", "")
    # What readline puts into the line is read by bash as exactly the name.
    read = run_shell(
        ["bash", "--norc", "-c", "\n".join(f"printf '%s\\n' {word}" for word in found)], shell_directory, home
    )
    assert read.stdout.splitlines() == ["Anna's laptop", HOSTILE]
    assert proposals_of_bash(shell_directory, home, "p4", "policy", "anna") == [r"Anna\'s\ laptop"]
    assert not (home / "pwned").exists()


def test_bash_completes_both_sides_of_a_copy(shell_directory: Path, home: Path) -> None:
    assert proposals_of_bash(shell_directory, home, "p4", "cp", "-r", "x", "anna") == [r"Anna\'s\ laptop:"]
    assert proposals_of_bash(shell_directory, home, "p4", "cp", "./anna") == [""]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_takes_the_script(shell_directory: Path, home: Path) -> None:
    script = 'autoload -Uz compinit && compinit -u && eval "$(p4 completion zsh)" && print $_comps[p4]'
    done = run_shell(["zsh", "-f", "-c", script], shell_directory, home)
    assert (done.returncode, done.stdout.strip()) == (0, "_p4_completion"), done.stderr


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes_contacts(shell_directory: Path, home: Path) -> None:
    script = "p4 completion fish | source; complete --do-complete 'p4 policy '"
    done = run_shell(["fish", "--no-config", "-c", script], shell_directory, home)
    assert "Anna's laptop" in done.stdout


def test_powershell_gets_the_same_proposals(shell_directory: Path, p4_process: Run) -> None:
    """The half that is ours: what `p4` answers to the script, word by word."""
    answer = p4_process(_P4_COMPLETE="powershell_complete", COMP_WORDS="p4 policy ann", COMP_WORD="ann")
    kind, value, explained = answer.stdout.rstrip("\n").split("\t")
    assert (kind, value, explained) == ("plain", "Anna's laptop", ANNA.peer_id[:8])
    answer = p4_process(_P4_COMPLETE="powershell_complete", COMP_WORDS="p4 cp ann", COMP_WORD="ann")
    assert [line.split("\t")[:2] for line in answer.stdout.splitlines()] == [
        ["plain", "Anna's laptop:"],
        ["file", "ann"],
    ]
    script = p4_process("completion", "powershell").stdout
    assert "Register-ArgumentCompleter -Native -CommandName p4" in script
