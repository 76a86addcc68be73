"""What the chat draws: it fits any width, and nothing of a peer steers the terminal."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.utils import get_cwidth

from p4.cli.chat.model import ChatModel, Person
from p4.cli.chat.render import help_rows, history_rows, people_rows, status_row, wrapped
from p4.cli.output import visible
from p4.client.chat import ChatConversation, ChatLine

HOSTILE = "\x1b[2J\x1b]0;owned\x07\r\nyou> I agree\x9b31m\u202eevil\u2028"


def line(
    number: int, text: str, *, mine: bool = False, state: str = "received", reason: str = ""
) -> ChatLine:
    return ChatLine(str(number), mine, "text", text, 1_700_000_000_000 + number, state, reason)


def person(*lines: ChatLine) -> Person:
    found = Person("ab" * 32, "phone", loaded=True)
    found.put(lines)
    return found


def texts(rows: list[list[tuple[str, str]]]) -> list[str]:
    return ["".join(text for _, text in row) for row in rows]


@given(st.text(), st.integers(2, 40))
def test_rows_fit_and_nothing_is_lost_but_spaces(text: str, width: int) -> None:
    rows = wrapped(text, width)
    assert all(get_cwidth(row) <= width for row in rows)
    shown = "".join(visible(part) for part in text.replace("\t", "    ").split("\n"))
    assert "".join(rows).replace(" ", "") == shown.replace(" ", "")


def test_words_stay_whole_where_there_is_room() -> None:
    assert wrapped("the quick brown fox", 10) == ["the quick", "brown fox"]
    assert wrapped("abcdefghijklmno", 10) == ["abcdefghij", "klmno"]
    assert wrapped("two\nparagraphs", 20) == ["two", "paragraphs"]


@given(st.integers(8, 80), st.text(max_size=60))
def test_no_control_character_of_a_peer_is_drawn(width: int, more: str) -> None:
    rows = history_rows(person(line(1, HOSTILE + more), line(2, HOSTILE, mine=True, state="failed")), width)
    for row in rows:
        for _, text in row:
            assert not [c for c in text if unicodedata.category(c) in ("Cc", "Zl", "Zp")], text
            assert "\u202e" not in text


def test_each_line_of_ours_says_how_far_it_came() -> None:
    states = ["queued", "delivered", "consumed", "seen", "seen", "failed"]
    lines = [line(n, f"m{n}", mine=True, state=state) for n, state in enumerate(states)]
    shown = [row for row in texts(history_rows(person(*lines), 40)) if row.startswith("m")]
    assert shown == ["m0 …", "m1 ✓", "m2 ✓✓", "m3 ✓✓", "m4 seen", "m5 ✗"]


def test_a_failure_says_why() -> None:
    rows = texts(history_rows(person(line(1, "hi", mine=True, state="failed", reason="It was refused.")), 40))
    assert "It was refused." in rows


def test_the_help_fits_any_screen() -> None:
    for width in range(8, 100):
        assert all(get_cwidth(row) <= width for row in texts(help_rows(width)))
    assert "Enter             send" in texts(help_rows(80))


def test_the_column_of_contacts_and_the_status_fit() -> None:
    model = ChatModel()
    model.take(
        [
            ChatConversation("aa" * 32, "a phone with a very long name 📱📱📱📱", True, 12, None),
            ChatConversation("bb" * 32, "\x1b[2Jevil", False, 0, None),
        ]
    )
    assert {get_cwidth("".join(text for _, text in row)) for row in people_rows(model, 20)} == {20}
    assert "\x1b" not in "".join(text for row in people_rows(model, 20) for _, text in row)
    model.show(1)
    for width in range(1, 120):
        assert get_cwidth("".join(text for _, text in status_row(model, width, 0.0))) <= width
    assert "12 unread elsewhere" in "".join(text for _, text in status_row(model, 119, 0.0))


def test_who_is_on_the_screen_stays_there_when_contacts_change() -> None:
    def found(number: int, name: str) -> ChatConversation:
        return ChatConversation(f"{number:02x}" * 32, name, False, 0, None)

    model = ChatModel()
    model.take([found(1, "anna"), found(2, "bob")])
    assert model.choose("BOB")
    model.take([found(3, "carl"), found(1, "anna"), found(2, "bob")])
    assert model.person is not None
    assert model.person.name == "bob"
    assert model.choose("0303")
    assert not model.choose("0")
    model.show(3)
    assert model.person.name == "carl"
