"""What pairing is made of, beside the rest of a node."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from p4.core.pairing.secrets import PairingSecret
from p4.core.pairing.words import WordList
from p4.ports.pairing import MeetingPlaces

__all__ = ["PairingParts", "english_words"]


@lru_cache(maxsize=1)
def english_words() -> WordList:
    """The words that codes are made of: the English list of BIP39."""
    from mnemonic import Mnemonic  # reads a file, which most runs of a node never need

    return WordList(Mnemonic("english").wordlist)


async def _secret_of_words(words: Sequence[str]) -> PairingSecret:
    return await asyncio.to_thread(PairingSecret.of_words, words)


def _nothing() -> bytes | None:
    return None


def _ignore(data: bytes) -> None:
    pass


@dataclass(frozen=True, slots=True)
class PairingParts:
    """What pairing needs of the world.

    Args:
        places: where guests and hosts are met, each kind at most once; those of a node in direct mode, at
            its own signaling port, are made by the node.
        load_invites: the file of open invites, as `save_invites` was given it; None if there is none.
        save_invites: writes that file before it returns, for its owner alone: it holds secrets.
        load_name: the name of this device, in UTF-8; None if none was chosen.
        save_name: writes it before it returns.
        usual_name: the name of a device for which none was chosen.
        secret_of_words: `PairingSecret.of_words`, without holding up the event loop.
    """

    places: Sequence[MeetingPlaces] = ()
    load_invites: Callable[[], bytes | None] = _nothing
    save_invites: Callable[[bytes], None] = _ignore
    load_name: Callable[[], bytes | None] = _nothing
    save_name: Callable[[bytes], None] = _ignore
    usual_name: str = ""
    secret_of_words: Callable[[Sequence[str]], Awaitable[PairingSecret]] = _secret_of_words
