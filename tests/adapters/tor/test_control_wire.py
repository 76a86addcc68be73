"""Tor's control protocol as bytes: what it means, and that nothing breaks the parser."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from p4.adapters.tor import control_wire
from p4.adapters.tor.control_wire import (
    Arguments,
    Reply,
    ReplyLine,
    ReplyParser,
    command_line,
    parse_arguments,
    quote,
)
from p4.errors import TorError

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.bin"))
"""Recorded from a real Tor, and inputs that once looked dangerous."""


def replies(data: bytes) -> list[Reply]:
    return ReplyParser().feed(data)


def feed_often(parser: ReplyParser, data: bytes, times: int) -> None:
    for _ in range(times):
        parser.feed(data)


def test_a_single_line() -> None:
    assert replies(b"250 OK\r\n") == [Reply(250, (ReplyLine("OK"),))]


def test_middle_lines_and_values() -> None:
    (reply,) = replies(b"250-ServiceID=abc\r\n250-PrivateKey=ED25519-V3:eHg=\r\n250 OK\r\n")
    assert reply.succeeded
    assert reply.value("ServiceID") == "abc"
    assert reply.value("PrivateKey") == "ED25519-V3:eHg="
    assert reply.value("Absent") is None


def test_a_data_block_with_a_doubled_dot() -> None:
    (reply,) = replies(b"250+info/names=\r\nfirst\r\n..second\r\n250 not a reply\r\n.\r\n250 OK\r\n")
    assert reply.value("info/names") == "first\n.second\n250 not a reply"
    assert len(reply.lines) == 2


def test_an_asynchronous_reply_between_two_others() -> None:
    codes = [reply.code for reply in replies(b"250 OK\r\n650 HS_DESC UPLOADED a\r\n552 Unrecognized\r\n")]
    assert codes == [250, 650, 552]


def test_a_failure_says_so_in_tors_words() -> None:
    (reply,) = replies(b"513-first\r\n513 second\r\n")
    assert not reply.succeeded
    assert reply.text == "first / second"


@pytest.mark.parametrize(
    "data",
    [b"hello\n", b"25 OK\r\n", b"250\r\n", b"250*OK\r\n", b"\n", b"HTTP/1.1 200 OK\r\n", b"\xff\xfe250 OK\n"],
)
def test_what_is_no_reply_is_an_error(data: bytes) -> None:
    with pytest.raises(TorError) as caught:
        replies(data)
    assert caught.value.code == "bad-control-reply"


def test_an_endless_line_is_an_error_before_it_is_held() -> None:
    parser = ReplyParser()
    with pytest.raises(TorError):
        feed_often(parser, b"x" * 1000, control_wire.LINE_BYTES // 1000 + 2)
    assert len(parser._unread) <= control_wire.LINE_BYTES + 1000


def test_an_endless_reply_is_an_error() -> None:
    parser = ReplyParser()
    line = b"250-" + b"x" * 60_000 + b"\r\n"
    with pytest.raises(TorError):
        feed_often(parser, line, control_wire.REPLY_BYTES // len(line) + 2)


def test_many_replies_are_no_endless_reply() -> None:
    parser = ReplyParser()
    line = b"650 " + b"x" * 60_000 + b"\r\n"
    for _ in range(control_wire.REPLY_BYTES // len(line) + 2):
        assert len(parser.feed(line)) == 1


@pytest.mark.parametrize(
    ("text", "words", "named"),
    [
        ("", (), {}),
        ("NOTICE CIRCUIT_ESTABLISHED", ("NOTICE", "CIRCUIT_ESTABLISHED"), {}),
        (
            'NOTICE BOOTSTRAP PROGRESS=14 TAG=handshake SUMMARY="Handshaking with a relay"',
            ("NOTICE", "BOOTSTRAP"),
            {"PROGRESS": "14", "TAG": "handshake", "SUMMARY": "Handshaking with a relay"},
        ),
        ('A="say \\"hi\\" \\\\ \\t\\101" B', ("B",), {"A": 'say "hi" \\ \tA'}),
        ('A="never closed', (), {"A": "never closed"}),
        ('A="ends in a backslash\\', (), {"A": "ends in a backslash\\"}),
        ('"a quoted word" next', ("a quoted word", "next"), {}),
        ("A= B", ("B",), {"A": ""}),
        ("UPLOADED abc UNKNOWN $F=x", ("UPLOADED", "abc", "UNKNOWN"), {"$F": "x"}),
    ],
)
def test_arguments(text: str, words: tuple[str, ...], named: dict[str, str]) -> None:
    assert parse_arguments(text) == Arguments(words, named)


@pytest.mark.parametrize("bad", ["a\rb", "a\nb", "a\0b"])
def test_nothing_can_smuggle_in_a_second_command(bad: str) -> None:
    with pytest.raises(TorError) as caught:
        command_line(["SIGNAL", bad])
    assert caught.value.code == "bad-command"
    with pytest.raises(TorError):
        quote(bad)


@given(st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"])))
def test_what_is_quoted_is_read_back(text: str) -> None:
    assert parse_arguments(f"KEY={quote(text)}").named == {"KEY": text}


STREAMS = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from(
            [b"250 OK\r\n", b"250-a=b\r\n", b"250+x=\r\n", b".\r\n", b"..\r\n", b"650 HS_DESC\r\n", b"\r\n"]
        ),
        st.builds(
            lambda code, text: b"%03d %s\r\n" % (code, text), st.integers(0, 999), st.binary(max_size=9)
        ),
    ),
    max_size=12,
).map(b"".join)


@given(STREAMS, st.lists(st.integers(0, 200), max_size=6))
@example(b"250+\r\n.\r\n250 OK\r\n", [3])
def test_it_gives_replies_or_a_tor_error_and_cutting_changes_nothing(data: bytes, cuts: list[int]) -> None:
    def run(parts: list[bytes]) -> tuple[list[Reply], str]:
        parser, given_replies = ReplyParser(), []
        try:
            for part in parts:
                given_replies += parser.feed(part)
        except TorError as error:
            return given_replies, error.code
        return given_replies, ""

    edges = [0, *sorted(cuts), len(data)]
    cut = [data[begin:end] for begin, end in itertools.pairwise(edges)]
    whole_replies, whole_code = run([data])
    cut_replies, cut_code = run(cut)
    assert whole_code == cut_code
    # An error in the same call hides the replies before it; cut, they may have come already.
    assert cut_replies[: len(whole_replies)] == whole_replies
    if not whole_code:
        assert cut_replies == whole_replies
    for reply in cut_replies:
        parse_arguments(reply.text)


@given(st.text())
def test_taking_a_line_apart_never_fails(text: str) -> None:
    parse_arguments(text)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_corpus(path: Path) -> None:
    data = path.read_bytes()
    if path.stem.startswith("bad-"):
        with pytest.raises(TorError):
            replies(data)
        return
    whole = replies(data)
    assert whole
    parser = ReplyParser()
    assert [reply for byte in data for reply in parser.feed(bytes([byte]))] == whole


def test_the_corpus_is_there() -> None:
    assert len(CORPUS) >= 6
