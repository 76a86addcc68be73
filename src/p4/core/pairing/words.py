"""Spoken codes: words of a published list, forgiving to those who type them (spec/pairing.md, Words)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Final

from p4.core import limits
from p4.errors import InviteError, WordError

__all__ = ["WordList"]

_NAMING_LETTERS: Final = 4
_SEPARATORS: Final = re.compile(r"[\s,\-]+")
_SHOWN_CHARACTERS: Final = 40
_COUNTS: Final = (limits.PAIRING_CODE_WORDS, limits.PAIRING_LOCAL_WORDS)


class WordList:
    """The words that codes are made of.

    Args:
        words: those of BIP39 in English, in their order: 2048, in lower case, each named by its first four
            letters. (Given, since reading them from disk is not for this place.)

    Raises:
        ValueError: the list is none of this kind.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = tuple(words)
        self._by_beginning = {word[:_NAMING_LETTERS]: word for word in self._words}
        if len(self._by_beginning) != len(self._words) or len(self._words) != 2**11:
            raise ValueError("a list of 2048 words is needed, each named by its first four letters")

    def choose(self, count: int, random: bytes) -> tuple[str, ...]:
        """Words for a new code.

        Args:
            random: two unpredictable bytes for each word.
        """
        if len(random) != 2 * count:
            raise ValueError("two random bytes a word are needed")
        numbers = (int.from_bytes(random[2 * n : 2 * n + 2], "big") for n in range(count))
        return tuple(self._words[number % len(self._words)] for number in numbers)  # 2**16 is a multiple

    def parse(self, text: str) -> tuple[str, ...]:
        """The words of a code as a person gave it: in any case, abbreviated to four letters or more.

        Returns:
            Whole words: `limits.PAIRING_CODE_WORDS` or `limits.PAIRING_LOCAL_WORDS`.

        Raises:
            WordError: one is not in the list. InviteError: ``word-count``, or ``too-large``.
        """
        if len(text) > limits.PAIRING_LINK_CHARACTERS:
            raise InviteError("This is too long for a spoken code.", code="too-large")
        given = [word for word in _SEPARATORS.split(text.lower()) if word]
        if len(given) not in _COUNTS:
            raise InviteError(
                f"A spoken code has {limits.PAIRING_CODE_WORDS} words, or {limits.PAIRING_LOCAL_WORDS} on a "
                f"local network. These are {len(given)}. Nothing was tried; give all, in their order.",
                code="word-count",
            )
        return tuple(self._word(word, position) for position, word in enumerate(given, start=1))

    def _word(self, given: str, position: int) -> str:
        word = self._by_beginning.get(given[:_NAMING_LETTERS])
        if word is not None and word.startswith(given):
            return word
        close = tuple(difflib.get_close_matches(given[:_SHOWN_CHARACTERS], self._words, n=3, cutoff=0.6))
        hint = f" Is it {' or '.join(close)}?" if close else ""
        raise WordError(
            f"Word {position}, {given[:_SHOWN_CHARACTERS]!a}, is not in the list of words.{hint} Nothing "
            "was tried; correct it and go on.",
            word=given[:_SHOWN_CHARACTERS],
            position=position,
            suggestions=close,
        )
