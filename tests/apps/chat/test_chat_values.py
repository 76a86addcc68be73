"""What a contact's program may send as chat: anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import p4
from p4.apps.chat import FileMention
from p4.apps.chat.entry import ChatKind
from p4.apps.chat.values import read_value, value_of

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["text", "file", "name", "size", "transfer"]), inner)
    ),
)


@given(json_values | st.binary())
def test_anything_can_be_read(value: object) -> None:
    said = read_value(value)
    if said.file is not None:
        assert said.kind is ChatKind.FILE
        assert 0 <= said.file.size < 2**53


@given(st.text(min_size=1).filter(str.strip), st.integers(0, 2**53 - 1))
def test_what_we_send_is_read_as_it_was_meant(text: str, size: int) -> None:
    assert read_value(value_of(text, None)).text == text
    file = FileMention("film.mkv", size, "t-1")
    assert read_value(value_of(text, file)).file == file


@pytest.mark.parametrize(
    "file",
    [
        {"name": "a", "size": True, "transfer": "t"},
        {"name": "a", "size": -1, "transfer": "t"},
        {"name": "a", "size": 2**53, "transfer": "t"},
        {"name": "a" * 256, "size": 1, "transfer": "t"},
        {"name": "", "size": 1, "transfer": "t"},
        {"name": "a", "size": 1, "transfer": "t" * 65},
        {"name": "a", "size": 1},
        "a",
    ],
)
def test_an_impossible_file_is_only_a_text(file: object) -> None:
    said = read_value({"text": "look", "file": file})
    assert (said.kind, said.text, said.file) == (ChatKind.TEXT, "look", None)


@pytest.mark.parametrize("text", ["", "  \n"])
def test_nothing_is_not_sent(text: str) -> None:
    with pytest.raises(p4.InputError):
        value_of(text, None)
