"""Tor's control protocol as bytes: pure, bounded, no I/O (Tor's control-spec, sections 2 and 3).

`ReplyParser` turns what arrives into `Reply` values; it gives replies or raises `TorError`, never
anything else, however the bytes are cut. The other functions take a reply's text apart and quote what
goes into a command.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from p4.errors import TorError

__all__ = ["Arguments", "Reply", "ReplyLine", "ReplyParser", "command_line", "parse_arguments", "quote"]

LINE_BYTES = 64 * 1024
"""Longest line. Tor's longest known ones (keys, circuit paths) stay below 4 KiB."""

REPLY_BYTES = 4 * 1024 * 1024
"""Longest reply, data block included. Nothing that P4 asks for reaches a tenth."""

ASYNCHRONOUS = 650
"""Code of replies that answer no command (control-spec section 4.1)."""

_LINE = re.compile(rb"([0-9]{3})([ +-])(.*)", re.DOTALL)
_KEY = re.compile(r"[A-Za-z0-9_.$/-]+=")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


@dataclass(frozen=True, slots=True)
class ReplyLine:
    """One line of a reply: its text after the code, and the data block that follows a ``+`` line."""

    text: str
    data: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete reply.

    Args:
        code: of its last line; 2xx done, 4xx and 5xx failed, 650 asynchronous (control-spec section 4).
        lines: at least one.
    """

    code: int
    lines: tuple[ReplyLine, ...]

    @property
    def succeeded(self) -> bool:
        """Whether Tor did what it was told."""
        return 200 <= self.code < 300

    @property
    def text(self) -> str:
        """All lines in one, for a message."""
        return " / ".join(line.text for line in self.lines)

    def value(self, key: str) -> str | None:
        """What follows ``KEY=`` on the line that begins with it; its data block if that is empty."""
        prefix = f"{key}="
        for line in self.lines:
            if line.text.startswith(prefix):
                return line.data if line.data is not None else line.text.removeprefix(prefix)
        return None


@dataclass(frozen=True, slots=True)
class Arguments:
    """A line taken apart: positional words and ``KEY=value`` pairs (the last of a repeated key counts)."""

    words: tuple[str, ...]
    named: dict[str, str]

    def word(self, index: int) -> str:
        """The positional word at ``index``, or an empty string."""
        return self.words[index] if index < len(self.words) else ""


class ReplyParser:
    """Cuts the byte stream from Tor into replies; keeps what is incomplete."""

    def __init__(self) -> None:
        self._unread = bytearray()
        self._searched = 0
        self._lines: list[ReplyLine] = []
        self._block_line: str | None = None
        self._block: list[str] = []
        self._size = 0

    def feed(self, data: bytes) -> list[Reply]:
        """The replies that ``data`` completes, in order.

        Raises:
            TorError: ``bad-control-reply``; the parser must not be used any more.
        """
        self._unread += data
        replies: list[Reply] = []
        while (end := self._unread.find(b"\n", self._searched)) >= 0:
            line = bytes(self._unread[:end])
            del self._unread[: end + 1]
            self._searched = 0
            self._size += len(line)
            if len(line) > LINE_BYTES or self._size > REPLY_BYTES:
                raise _bad("an endless reply")
            reply = self._take(line.removesuffix(b"\r"))
            if reply is not None:
                replies.append(reply)
                self._size = 0
        self._searched = len(self._unread)
        if len(self._unread) > LINE_BYTES:
            raise _bad("an endless line")
        return replies

    def _take(self, line: bytes) -> Reply | None:
        if self._block_line is not None:
            self._take_block_line(line)
            return None
        match = _LINE.fullmatch(line)
        if match is None:
            raise _bad("a line that is no reply")
        text = match[3].decode("utf-8", "replace")
        if match[2] == b"+":
            self._block_line = text
            return None
        self._lines.append(ReplyLine(text))
        if match[2] == b"-":
            return None
        reply = Reply(int(match[1]), tuple(self._lines))
        self._lines.clear()
        return reply

    def _take_block_line(self, line: bytes) -> None:
        if line == b".":
            self._lines.append(ReplyLine(self._block_line or "", "\n".join(self._block)))
            self._block_line = None
            self._block.clear()
            return
        # A leading dot is doubled in a data block (control-spec section 2.3).
        self._block.append(line.removeprefix(b".").decode("utf-8", "replace"))


def parse_arguments(text: str) -> Arguments:
    """Take a line like ``NOTICE BOOTSTRAP PROGRESS=50 SUMMARY="Loading relays"`` apart.

    Values may be quoted strings with backslash escapes. Never raises: what is malformed is taken
    literally, since the line is Tor's and only its known keys are looked at.
    """
    words: list[str] = []
    named: dict[str, str] = {}
    position = 0
    while position < len(text):
        if text[position] == " ":
            position += 1
            continue
        key = _KEY.match(text, position)
        if key is not None:
            position = key.end()
        value, position = _value(text, position)
        if key is not None:
            named[key[0][:-1]] = value
        else:
            words.append(value)
    return Arguments(tuple(words), named)


def quote(text: str) -> str:
    """A quoted string as commands and torrc values take it.

    Raises:
        TorError: ``bad-command``: it holds a line break or NUL, which would end the command.
    """
    _check_single_line(text)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def command_line(words: Sequence[str]) -> bytes:
    """The bytes of one command.

    Raises:
        TorError: ``bad-command``: a word holds a line break or NUL.
    """
    text = " ".join(words)
    _check_single_line(text)
    return text.encode("utf-8", "surrogateescape") + b"\r\n"


def _value(text: str, position: int) -> tuple[str, int]:
    """The plain or quoted value that starts at ``position``, and where it ends."""
    if not text.startswith('"', position):
        end = text.find(" ", position)
        end = len(text) if end < 0 else end
        return text[position:end], end
    characters: list[str] = []
    index = position + 1
    while index < len(text):
        character = text[index]
        if character == '"':
            return "".join(characters), index + 1
        if character == "\\" and index + 1 < len(text):
            octal = re.compile(r"[0-3]?[0-7]{1,2}").match(text, index + 1)
            if octal is not None:
                characters.append(chr(int(octal[0], 8)))
                index = octal.end()
                continue
            index += 1
            character = _ESCAPES.get(text[index], text[index])
        characters.append(character)
        index += 1
    return "".join(characters), index


def _check_single_line(text: str) -> None:
    if any(character in text for character in "\r\n\0"):
        raise TorError("A line break cannot be part of a command to Tor.", code="bad-command")


def _bad(what: str) -> TorError:
    return TorError(
        f"What listens on Tor's control port sent {what}, so it is not Tor or a broken one. "
        "P4 stopped listening to it.",
        code="bad-control-reply",
    )
