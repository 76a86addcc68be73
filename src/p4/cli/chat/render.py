"""Lines of text for a screen of any width. Pure; nothing of a peer gets here that could steer a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from prompt_toolkit.utils import get_cwidth

from p4.cli.chat.model import ChatModel, Person
from p4.cli.output import visible
from p4.client.chat import ChatLine

__all__ = ["Fragments", "help_rows", "history_rows", "people_rows", "receipt", "status_row", "wrapped"]

Fragments = list[tuple[str, str]]
"""A row: pairs of a style's name and a text."""

LONGEST_TEXT = 20_000
"""Characters of one message that the screen shows; `p4 chat NAME --json` has all of it."""

PAUSE_MS = 5 * 60 * 1000
"""After so long the same person's name and the time are shown again."""

HELP = (
    ("Enter", "send"),
    ("Alt-Enter", "a new line in the message"),
    ("Ctrl-N, Ctrl-P", "next and previous contact"),
    ("Ctrl-U", "first contact with something unread"),
    ("PageUp, PageDown", "read back and forth"),
    ("F1", "show or hide this"),
    ("Ctrl-Q, Ctrl-C", "end; what was sent arrives all the same"),
    ("…", "waits on this device"),
    ("✓", "on the other device"),
    ("✓✓", "taken by its program"),
    ("seen", "shown to a person"),
)
"""Keys and signs, and what they mean."""


def wrapped(text: str, width: int) -> list[str]:
    """The text in rows of at most ``width`` columns, broken at spaces where there are any. One at least."""
    rows: list[str] = []
    for paragraph in text.split("\n"):
        row, columns, space = "", 0, -1
        for character in visible(paragraph).replace("\t", "    "):
            wide = get_cwidth(character)
            if columns + wide > width:
                if character == " ":
                    rows.append(row)
                    row, columns, space = "", 0, -1
                    continue
                # Not at a space in the first columns: a long word would leave an empty row.
                cut = space + 1 if space > 0 else len(row)
                rows.append(row[:cut].rstrip(" ") if space > 0 else row)
                row = row[cut:]
                columns, space = get_cwidth(row), -1
            row += character
            columns += wide
            if character == " ":
                space = len(row) - 1
        rows.append(row)
    return rows


def help_rows(width: int) -> list[Fragments]:
    """What the keys do; one below the other where there is no room beside."""
    column = max(get_cwidth(key) for key, _ in HELP) + 2
    rows: list[Fragments] = []
    for key, meaning in HELP:
        if column + max(get_cwidth(words) for _, words in HELP) <= width:
            rows.append([("class:me", key), ("", " " * (column - get_cwidth(key)) + meaning)])
        else:
            rows += [[("class:me", row)] for row in wrapped(key, width)]
            rows += [[("", row)] for row in wrapped(meaning, width)]
    return rows


def receipt(line: ChatLine, *, last_seen: bool) -> str:
    """How far one of our lines has come, in a sign."""
    match line.state:
        case "sending" | "queued":
            return "…"
        case "delivered":
            return "✓"
        case "consumed":
            return "✓✓"
        case "seen":
            return "seen" if last_seen else "✓✓"
    return "✗"


def history_rows(person: Person, width: int) -> list[Fragments]:
    """The history as rows."""
    rows: list[Fragments] = []
    before: ChatLine | None = None
    lines = list(person.lines.values())
    last_seen = next((line.id for line in reversed(lines) if line.mine and line.state == "seen"), None)
    if not lines:
        return [
            [("class:quiet", row)]
            for row in wrapped(
                f"Nothing was said yet. What you write waits until {person.name} is there.", width
            )
        ]
    for line in lines:
        rows += _head(person, line, before)
        rows += _body(line, width, last_seen=line.id == last_seen)
        before = line
    return rows


def _head(person: Person, line: ChatLine, before: ChatLine | None) -> Iterator[Fragments]:
    moment = time.localtime(line.sent_ms / 1000)
    day = time.strftime("%A, %d %B %Y", moment)
    if before is None or day != time.strftime("%A, %d %B %Y", time.localtime(before.sent_ms / 1000)):
        yield [("class:day", f"· {day}")]
    elif before.mine == line.mine and line.sent_ms - before.sent_ms < PAUSE_MS:
        return
    else:
        yield []
    name = ("class:me", "you") if line.mine else ("class:them", person.name)
    yield [name, ("class:quiet", time.strftime("  %H:%M", moment))]


def _body(line: ChatLine, width: int, *, last_seen: bool) -> Iterator[Fragments]:
    text = line.text if line.kind != "unreadable" else "(cannot be read)"
    if len(text) > LONGEST_TEXT:
        text = f"{text[:LONGEST_TEXT]}… ({len(line.text) - LONGEST_TEXT} characters more)"
    style = {"text": "", "file": "class:file"}.get(line.kind, "class:quiet")
    if line.kind == "file":
        text = f"▤ {text}"
    rows = wrapped(text, width)
    for row in rows[:-1]:
        yield [(style, row)]
    if not line.mine:
        yield [(style, rows[-1])]
        return
    sign = receipt(line, last_seen=last_seen)
    shown = ("class:failed" if line.state == "failed" else "class:quiet", f" {sign}")
    if get_cwidth(rows[-1]) + get_cwidth(shown[1]) <= width:
        yield [(style, rows[-1]), shown]
    else:
        yield [(style, rows[-1])]
        yield [shown]
    for row in wrapped(line.reason, width) if line.reason else ():
        yield [("class:failed", row)]


def people_rows(model: ChatModel, width: int) -> Iterable[Fragments]:
    """The contacts as a column."""
    for number, person in enumerate(model.people):
        count = f" {person.unread}" if person.unread else ""
        name = _cut(person.name, width - 2 - len(count))
        style = "class:chosen" if number == model.current else ""
        dot = ("class:here", "● ") if person.connected else ("class:quiet", "○ ")
        padding = " " * (width - 2 - get_cwidth(name) - len(count))
        yield [dot, (style, name + padding), ("class:unread", count)]


def status_row(model: ChatModel, width: int, now: float) -> Fragments:
    """Who is on the screen, how it is reached, and what there is elsewhere."""
    if model.notice:
        return [("class:failed", _cut(visible(model.notice.replace("\n", " ")), width))]
    person = model.person
    if person is None:
        return [("class:quiet", _cut("No contacts yet. Pair with another device: p4 invite", width))]
    words = [f"{'●' if person.connected else '○'} {person.name}"]
    words.append("is writing…" if person.typing_until > now else person.presence)
    if model.scroll:
        words.append("PageDown for the newest")
    if model.unread_elsewhere:
        words.append(f"{model.unread_elsewhere} unread elsewhere (Ctrl-U)")
    text = " · ".join(word for word in words if word)
    help_ = "F1 help"
    gap = width - get_cwidth(text) - len(help_)
    if gap < 2:
        return [("class:status", _cut(text, width))]
    return [("class:status", text), ("", " " * gap), ("class:quiet", help_)]


def _cut(text: str, width: int) -> str:
    if get_cwidth(text) <= width:
        return text
    while text and get_cwidth(text) > max(0, width - 1):
        text = text[:-1]
    return f"{text}…" if width > 0 else ""
