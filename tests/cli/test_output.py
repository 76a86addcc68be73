"""What reaches a person's screen."""

from __future__ import annotations

import asyncio
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.fake_node import ANNA, ME, FakePeer, FakeReceipt, invite_of

from p4.cli.announce import Announcer
from p4.cli.output import complain, set_verbosity, visible
from p4.core.address import RendezvousAddress, Transport
from p4.core.contacts import Contact
from p4.core.session.messages.stored import InboxMessage
from p4.core.session.session_frames import Kind
from p4.errors import DeliveryError, LocalError
from p4.node.events import LinkDown, LinkUp, NodeWarning, RendezvousChanged
from p4.node.inbox import Message
from p4.ports import RendezvousPhase, RendezvousStatus

A = ANNA.peer_id
STAMP = r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] "


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, with\ttab and ünïcode 👩‍👩‍👧", "plain, with\ttab and ünïcode 👩‍👩‍👧"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\nb\r", "a\\nb\\r"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2028", "\\u2028"),
        ("\x9b31m", "\\x9b31m"),
        ("\ud800", "\\ud800"),
    ],
)
def test_a_peers_text_cannot_steer_the_terminal(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_whatever_a_peer_sends_is_one_encodable_line(text: str) -> None:
    assert len(visible(text).splitlines()) <= 1
    visible(text).encode()


class Sender:
    """Whoever sent a message; see `p4.node.inbox.Recipient`."""

    peer = FakePeer(Contact(A, ANNA.public_key, invite_of(ANNA).rendezvous))


def message(body: bytes, kind: Kind = Kind.JSON) -> Message:
    return Message(InboxMessage(1, b"e" * 16, 1, "chat", kind, body, "", 0, 0, 0), Sender())  # type: ignore[arg-type]


def test_what_happens_becomes_v1s_lines(capsys: pytest.CaptureFixture[str]) -> None:
    announcer = Announcer()
    announcer.show(LinkUp(A, 2))
    assert announcer.chat(message(b'"hi\\n[2026-01-01 00:00:00] Data channel OPEN with x"'))
    announcer.show(LinkDown(A, "the peer said goodbye"))
    lines = capsys.readouterr().out.splitlines()
    stamp = "[0000-00-00 00:00:00] "
    assert [lines[0][len(stamp) :], lines[2][len(stamp) :]] == [
        f"Data channel OPEN with {A}",
        f"Data channel CLOSED with {A}",
    ]
    assert lines[1] == f"{A}> hi\\n[2026-01-01 00:00:00] Data channel OPEN with x"
    assert len(lines) == 3


def test_the_start_names_id_address_and_invite(capsys: pytest.CaptureFixture[str]) -> None:
    onion = RendezvousAddress(
        Transport.ONION, "duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion", 80
    )
    announcer = Announcer()
    announcer.started(invite_of(ME), RendezvousStatus(RendezvousPhase.STARTING, 30, "Tor starts", onion))
    for progress in (30, 60):
        announcer.rendezvous(RendezvousStatus(RendezvousPhase.STARTING, progress, "Tor starts", onion))
    for _ in range(2):
        announcer.show(RendezvousChanged(RendezvousStatus(RendezvousPhase.READY, 100, "Reachable", onion)))
    announcer.show(RendezvousChanged(RendezvousStatus(RendezvousPhase.FAILED, 0, "Tor ended", onion)))
    announcer.show(RendezvousChanged(RendezvousStatus(RendezvousPhase.READY, 100, "Reachable", onion)))
    lines = [line.partition("] ")[2] or line for line in capsys.readouterr().out.splitlines()]
    start = lines.index("Share this invite with peers:")
    assert lines[:start] == [f"Node peer_id={ME.peer_id}", "Rendezvous: direct://192.0.2.7:4001"]
    invite = invite_of(ME).to_text().splitlines()
    assert lines[start + 1 : start + 1 + len(invite)] == invite
    assert lines[start + 1 + len(invite) :] == [
        "Tor starts (30 %)",
        f"Onion relay ready: {onion.host}",
        "Tor ended",
        f"Onion relay ready: {onion.host}",
    ]


@pytest.mark.parametrize(
    ("body", "kind", "shown"),
    [
        (b'{"a":[1,null]}', Kind.JSON, '{"a": [1, null]}'),
        (b"\x1b[2J", Kind.BYTES, r"b'\x1b[2J'"),
        ('"\x9b"'.encode(), Kind.JSON, r"\x9b"),
    ],
)
def test_what_is_no_text_is_shown_as_what_it_is(
    body: bytes, kind: Kind, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Announcer().chat(message(body, kind))
    assert capsys.readouterr() == (f"{A}> {shown}\n", "")


def test_a_message_that_is_no_json_is_told_and_never_comes_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert Announcer().chat(message(b"{"))
    said = capsys.readouterr()
    assert said.out == ""
    assert A in said.err
    assert len(said.err.splitlines()) == 1


def test_a_message_that_comes_while_the_node_ends_is_kept_for_the_next_start(
    capsys: pytest.CaptureFixture[str],
) -> None:
    announcer = Announcer()
    announcer.closing = True
    assert not announcer.chat(message(b'"later"'))
    assert capsys.readouterr() == ("", "")


async def test_what_becomes_of_a_message_that_waited_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    announcer = Announcer()
    receipts = [FakeReceipt(number) for number in (1, 2, 3, 4)]
    for receipt in receipts:
        announcer.queued(A, receipt)
    receipts[1].outcome.set_result(None)
    receipts[2].outcome.set_exception(DeliveryError("It was refused.", code="refused"))
    receipts[3].outcome.set_exception(LocalError("The node has ended.", code="closed"))
    for _ in range(3):
        await asyncio.sleep(0)
    said = capsys.readouterr()
    assert said.out.endswith(f"] Message 2 reached {A}\n")
    assert said.out.count("\n") == 1
    assert said.err == f"p4: Message 3 to {A}: It was refused.\n"
    announcer.close()
    await asyncio.sleep(0)
    assert receipts[0].outcome.cancelled(), "nobody waits for it any more"


def test_warnings_go_to_stderr_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    Announcer().show(NodeWarning("The disk\nis full."))
    assert capsys.readouterr() == ("", "p4: The disk is full.\n")


def test_a_logged_traceback_is_one_line_unless_everything_is_wanted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = logging.getLogger()
    handlers, level, own = root.handlers[:], root.level, logging.getLogger("p4").level
    try:
        for verbosity, lines in ((0, 1), (2, 5)):
            set_verbosity(verbosity)
            try:
                int("not a number")
            except ValueError:
                logging.getLogger("p4.x").exception("It broke")
            said = capsys.readouterr().err
            assert said.startswith("p4: ")
            assert (len(said.splitlines()) >= lines) if verbosity else (len(said.splitlines()) == 1)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.getLogger("p4").setLevel(own)


def test_a_complaint_is_one_line_without_controls(capsys: pytest.CaptureFixture[str]) -> None:
    complain("two\nlines\x07")
    assert capsys.readouterr().err == "p4: two lines\\x07\n"
