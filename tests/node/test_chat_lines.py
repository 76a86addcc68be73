"""Lines of version 1: what is said fits, and what is heard is never trusted to be well-formed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.node.harness import id_of

from p4.core import limits
from p4.node.chat_lines import ChatText, Hello, chat_lines, hello_line, read_chat_line

ME = id_of("alice")


@given(st.text(max_size=300))
def test_a_text_that_is_said_is_heard(text: str) -> None:
    (line,) = chat_lines(ME, text, 1_700_000_000_999)
    assert read_chat_line(line) == ChatText(text)
    assert json.loads(line) == {
        "from_peer_id": ME,
        "text": text,
        "timestamp": 1_700_000_000,
        "type": "chat",
    }


def test_the_first_line_says_who_we_are() -> None:
    assert read_chat_line(hello_line(ME, 5000)) == Hello(ME)
    assert json.loads(hello_line(ME, 5999)) == {"from_peer_id": ME, "timestamp": 5, "type": "hello"}


@pytest.mark.parametrize("character", ["x", '"', "\x01", "ä", "😀"])
@pytest.mark.parametrize("count", [1, 32 * 1024, limits.BODY_BYTES // 4])
def test_a_text_of_any_length_goes_in_lines_that_every_library_takes(character: str, count: int) -> None:
    lines = chat_lines(ME, character * count, 0)
    assert all(len(line.encode()) <= limits.LINK_MESSAGE_BYTES for line in lines)
    heard = [read_chat_line(line) for line in lines]
    assert "".join(one.text for one in heard if isinstance(one, ChatText)) == character * count
    assert len(lines) <= 8 * (6 * count // limits.LINK_MESSAGE_BYTES + 1)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "null",
        "[]",
        "7",
        "{",
        "{}",
        "[" * 60_000,
        '"chat"',
        '{"type": 7}',
        '{"type": ["chat"]}',
        '{"type": "chat"}',
        '{"type": "chat", "text": 7}',
        '{"type": "offer", "text": "x"}',
    ],
)
def test_anything_else_is_nothing(line: str) -> None:
    assert read_chat_line(line) is None


def test_who_says_hello_is_for_others_to_judge() -> None:
    assert read_chat_line('{"type": "hello"}') == Hello(None)
    assert read_chat_line('{"type": "hello", "from_peer_id": ["x"]}') == Hello(["x"])


@pytest.mark.parametrize(
    ("text", "heard"), [(r"\ud83d", "?"), (r"a\ud800b", "a?b"), (r"\ud83d\ude00", "😀"), ("\\u0000", "\x00")]
)
def test_half_a_character_becomes_a_question_mark(text: str, heard: str) -> None:
    found = read_chat_line('{"type": "chat", "text": "' + text + '"}')
    assert found == ChatText(heard)
    assert isinstance(found, ChatText)
    found.text.encode()


@given(st.text())
def test_no_line_does_harm(line: str) -> None:
    read_chat_line(line)
