"""How a prompt line is taken apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p4.cli.arguments import only_argument, quoted_if_needed, split_first
from p4.errors import InputError


@pytest.mark.parametrize(
    ("line", "first", "rest"),
    [
        ("", "", ""),
        ("   ", "", ""),
        ("bob", "bob", ""),
        ("bob hello", "bob", "hello"),
        ("  bob hello", "bob", "hello"),
        ("bob  two spaces ", "bob", " two spaces "),
        ("bob\tx", "bob", "x"),
        ('bob "quoted" stays', "bob", '"quoted" stays'),
        ('"my laptop" hello', "my laptop", "hello"),
        ('"my laptop"  hello ', "my laptop", " hello "),
        ('"my laptop"', "my laptop", ""),
        ('"say ""hi""" x', 'say "hi"', "x"),
        ('"" x', "", "x"),
        ("Anna's laptop", "Anna's", "laptop"),
        ('"C:\\new folder\\" x', "C:\\new folder\\", "x"),
    ],
)
def test_the_first_argument_and_the_rest(line: str, first: str, rest: str) -> None:
    assert split_first(line) == (first, rest)


@pytest.mark.parametrize(
    ("line", "argument"),
    [
        ("", ""),
        ("  my invite.json ", "my invite.json"),
        ('"my invite.json"', "my invite.json"),
        ('"C:\\my files\\a.json"', "C:\\my files\\a.json"),
        ('a"b', 'a"b'),
    ],
)
def test_an_only_argument_needs_no_quotes(line: str, argument: str) -> None:
    assert only_argument(line) == argument


@pytest.mark.parametrize("line", ['"open', '"open ""', '"a"b'])
def test_broken_quotes_are_refused(line: str) -> None:
    with pytest.raises(InputError):
        split_first(line)
    with pytest.raises(InputError):
        only_argument(line)


def test_text_after_a_quoted_only_argument_is_refused() -> None:
    with pytest.raises(InputError, match="follow the closing quote"):
        only_argument('"a" b')


# Made of printable characters, not filtered for them: most random texts have another.
@given(st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), min_size=1), st.text())
def test_what_completion_types_is_read_back(argument: str, rest: str) -> None:
    typed = quoted_if_needed(argument)
    assert split_first(f"{typed} {rest}") == (argument, rest)
    assert only_argument(typed) == argument
