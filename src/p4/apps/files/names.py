"""Which names may be given to files here, and which name a second file gets. Pure: no file system is asked.

What no path may hold on any machine (``..`` and the like) is refused before, by `frames.check_path`.
"""

from __future__ import annotations

import hashlib
import re
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from p4.core import limits

__all__ = [
    "HERE",
    "POSIX",
    "WINDOWS",
    "NameRules",
    "folded",
    "folder_name",
    "is_partial",
    "numbered",
    "partial_name",
    "stays_inside",
]

_DEVICES = re.compile(
    r"(?:CON|PRN|AUX|NUL|CLOCK\$|CONIN\$|CONOUT\$|COM[0-9\u00b9\u00b2\u00b3]|LPT[0-9\u00b9\u00b2\u00b3])",
    re.IGNORECASE,
)
_PARTIAL = re.compile(r"\.p4-[0-9a-f]{32}\.part", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class NameRules:
    """What a file system lets be a name, or quietly makes into another one."""

    windows: bool
    """Whether devices have names in each folder, and names end neither with a dot nor with a space."""

    def refusal(self, name: str) -> str:
        """Why this cannot be the name of a file here: the rest of a sentence; empty if it can."""
        if _PARTIAL.fullmatch(unicodedata.normalize("NFKC", name)):
            return "is kept for what was received in part"
        if any(unicodedata.category(character) == "Cs" for character in name):
            return "is not text"
        if not self.windows:
            return ""
        if any(character in '<>:"/\\|?*' or character < " " for character in name):
            return "holds a character that Windows keeps for itself"
        if name[-1] in ". ":
            return "ends with a dot or a space, which Windows drops"
        if _DEVICES.fullmatch(re.split(r"[.:]", name, maxsplit=1)[0].rstrip(" ")):
            return "is that of a device on Windows"
        if len(name.encode("utf-16-le")) > 2 * limits.FILE_NAME_BYTES:
            return "is too long"
        return ""


POSIX = NameRules(windows=False)
WINDOWS = NameRules(windows=True)
HERE = WINDOWS if sys.platform == "win32" else POSIX
"""The rules of the machine that this runs on."""


def folded(name: str) -> str:
    """The same for any two names that some file system takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKD", name).casefold())


def numbered(name: str) -> Iterator[str]:
    """The name itself, then "name (2).ext" and so on, none longer than a file system takes."""
    yield name
    stem, dot, ending = name.rpartition(".")
    if not stem.strip(".") or len(ending) > 16:
        stem, dot, ending = name, "", ""
    for number in range(2, limits.FILE_COMPARED + 2):
        tail = f" ({number}){dot}{ending}"
        room = limits.FILE_NAME_BYTES - len(tail.encode())
        yield stem.encode()[:room].decode(errors="ignore").rstrip(" .") + tail


def partial_name(*identity: object) -> str:
    """The hidden name of what is received in part; the same for the same sender, path, size and time."""
    spelled = "\0".join(map(str, identity)).encode(errors="surrogatepass")
    return f".p4-{hashlib.blake2b(spelled, digest_size=16).hexdigest()}.part"


def is_partial(name: str) -> bool:
    """Whether a name is one that `partial_name` gives."""
    return _PARTIAL.fullmatch(name) is not None


def folder_name(contact: str, peer_id: str, rules: NameRules = WINDOWS) -> str:
    """The folder that keeps what a contact sends: the contact's name as far as it can be one.

    Args:
        contact: as our user calls it; may be empty.
        peer_id: what it is called by otherwise.
    """
    kept = "".join("_" if c in '<>:"/\\|?*' or not c.isprintable() else c for c in contact)
    name = kept.encode(errors="ignore")[:100].decode(errors="ignore").strip(" .")
    return peer_id if not name or rules.refusal(name) else name


def stays_inside(path: tuple[str, ...], target: tuple[str, ...]) -> bool:
    """Whether a link leads to something in the source that it is part of (spec/files.md, A target of a link).

    ``..`` stands at the beginning only: behind a name it would depend on where that name leads.
    """
    up = 0
    while up < len(target) and target[up] == "..":
        up += 1
    return up <= len(path) - 2 and ".." not in target[up:]
