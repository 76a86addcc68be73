"""The examples at the end of a command's ``--help``."""

from __future__ import annotations

__all__ = ["examples"]

_COLUMN = 44


def examples(*lines: tuple[str, str]) -> str:
    """The ``epilog`` of a command.

    Args:
        lines: what a person types, and what it does, in a few words or none.
    """
    shown = []
    for typed, meaning in lines:
        if len(typed) > _COLUMN and meaning:
            shown += [f"  {typed}", f"  {'':<{_COLUMN}}  {meaning}"]
        else:
            shown.append(f"  {typed:<{_COLUMN}}  {meaning}".rstrip())
    # click keeps the lines of a paragraph that begins with a backspace as they are.
    return "\b\nExamples:\n" + "\n".join(shown)
