"""What a parser is to those who fuzz it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """One parser.

    Args:
        run: parses, and asserts what must hold of the value.
        errors: what it may raise.
        seeds: valid inputs, to be mutated.
        mutations: how many are tried each time: fewer of what takes long.
    """

    run: Callable[[bytes], None]
    errors: tuple[type[Exception], ...]
    seeds: tuple[bytes, ...]
    mutations: int = 1000
