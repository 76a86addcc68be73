"""What the words of `p4 cp` mean."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from p4.cli.transfers.paths import absolute, parse_copy, split_contact
from p4.cli.transfers.watching import in_bytes


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("laptop:", ("laptop", "")),
        ("laptop:Photos/a:b", ("laptop", "Photos/a:b")),
        ("my laptop:x", ("my laptop", "x")),
        ("film.mkv", None),
        ("./laptop:x", None),
        ("/tmp/a:b", None),
        (":x", None),
    ],
)
def test_which_paths_are_of_a_contact(word: str, parts: tuple[str, str] | None) -> None:
    assert split_contact(word) == parts


def test_both_ways(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    there = parse_copy(["a", "sub/b", "laptop:new/"])
    assert (there.contact, there.target, there.sends) == ("laptop", "new/", True)
    assert there.sources == (str(tmp_path / "a"), str(tmp_path / "sub" / "b"))
    here = parse_copy(["laptop:a", "laptop:b/c", "."])
    assert (here.contact, here.sources, here.sends) == ("laptop", ("a", "b/c"), False)
    assert here.target == f"{tmp_path}/"


@pytest.mark.parametrize(
    "words", [["a"], ["a", "b"], ["laptop:a", "phone:b", "."], ["laptop:a", "phone:"], ["a", "laptop:b", "."]]
)
def test_what_is_no_copy(words: list[str]) -> None:
    with pytest.raises(click.UsageError):
        parse_copy(words)


def test_a_slash_at_the_end_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute("x/") == f"{tmp_path / 'x'}/"
    assert absolute("x") == str(tmp_path / "x")
    assert absolute("..") == f"{tmp_path.parent}/"


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (123_456, "123 kB"), (2e9, "2.0 GB")]
)
def test_quantities(number: float, text: str) -> None:
    assert in_bytes(number) == text
