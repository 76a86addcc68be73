"""How a line at the prompt is taken apart.

An argument is a word, or text in double quotes; inside the quotes ``""`` stands for one quote. A backslash
is an ordinary character (Windows paths) and so is an apostrophe (Anna's laptop). The last argument of a
command is the rest of the line and needs no quotes; a text to send is taken verbatim, quotes and all.
"""

from __future__ import annotations

from p4.errors import InputError

__all__ = ["only_argument", "quoted_if_needed", "split_first"]


def split_first(rest: str) -> tuple[str, str]:
    """The first argument, and everything after the one white-space character that follows it, verbatim.

    Raises:
        InputError: a quote is not closed, or something sticks to the closing quote.
    """
    rest = rest.lstrip()
    if rest.startswith('"'):
        argument, after = _quoted(rest)
        if after and not after[0].isspace():
            raise InputError("There must be a space after the closing quote.")
        return argument, after[1:]
    words = rest.split(maxsplit=1)
    if not words:
        return "", ""
    return words[0], rest[len(words[0]) + 1 :]


def only_argument(rest: str) -> str:
    """The rest of the line as one argument, with or without quotes around it.

    Raises:
        InputError: a quote is not closed, or something follows the closing quote.
    """
    rest = rest.strip()
    if not rest.startswith('"'):
        return rest
    argument, after = _quoted(rest)
    if after:
        raise InputError(f"Nothing may follow the closing quote, but there is {after[:40]!r}.")
    return argument


def quoted_if_needed(argument: str) -> str:
    """The argument as it must be typed."""
    if argument and not argument.startswith('"') and not any(map(str.isspace, argument)):
        return argument
    return '"' + argument.replace('"', '""') + '"'


def _quoted(text: str) -> tuple[str, str]:
    parts: list[str] = []
    position = 1
    while True:
        end = text.find('"', position)
        if end < 0:
            raise InputError("The closing quote is missing.")
        parts.append(text[position:end])
        if text[end + 1 : end + 2] != '"':
            return "".join(parts), text[end + 1 :]
        parts.append('"')
        position = end + 2
