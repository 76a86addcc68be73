"""The specification says what the code does, where a machine can tell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from p4.core import limits
from p4.core.canonical import MAX_DEPTH
from p4.core.invite import INVITE_BYTES, Invite
from p4.core.sdp import SDP_LINE_CHARACTERS, SDP_LINES
from p4.core.signaling import FAILURE_LINE

SPEC = Path(__file__).resolve().parent.parent / "spec"


def read(name: str) -> str:
    return (SPEC / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted(SPEC.glob("*.md")), ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
        assert (SPEC / target).exists(), target


def test_the_example_invite_is_valid() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", read("invite.md"), re.DOTALL)
    assert Invite.parse(example).to_text() == example.rstrip("\n")


def test_the_failure_line() -> None:
    assert FAILURE_LINE.decode() in read("signaling.md")


def test_a_long_frame_is_a_body_and_what_is_before_it() -> None:
    assert limits.LONG_FRAME_BYTES == 1024**2 + 4096 == limits.BODY_BYTES + 4096


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("forward.md", f"NAME has 1 to {limits.TUNNEL_NAME_BYTES} characters"),
        ("forward.md", f"| 0 to {limits.TUNNEL_DATAGRAM_BYTES} bytes | the packet |"),
        ("forward.md", f"write more than {limits.STREAM_VOLATILE_BYTES // 2**20} MiB that"),
        ("forward.md", f"over which nothing went for {limits.TUNNEL_SOURCE_SECONDS:g} s"),
        ("forward.md", f"there are more than {limits.TUNNEL_SOURCES} of a forward"),
        ("signaling.md", f"| line, with its newline | {limits.SIGNALING_LINE_BYTES // 1024} KiB |"),
        ("signaling.md", f"| streams of strangers, all together | {limits.STRANGER_STREAMS};"),
        ("signaling.md", f"| time for a stranger's first whole line | {limits.FIRST_BYTE_SECONDS:g} s |"),
        ("signaling.md", f"| inbound streams of one contact | {limits.CONTACT_STREAMS};"),
        (
            "signaling.md",
            f"a burst of {limits.BUCKET_CAPACITY}, then {limits.BUCKET_PER_SECOND:g} a second |",
        ),
        ("signaling.md", f"{limits.REPLY_SECONDS:g} s (version 1: {limits.V1_REPLY_SECONDS:g} s)"),
        (
            "signaling.md",
            f"until {limits.HOLD_SECONDS:g} s after that was sent, or {limits.HOLD_QUICK_SECONDS:g} s if",
        ),
        ("signaling.md", f"sends a ping after {limits.WARM_PING_SECONDS:g} s of silence"),
        ("signaling.md", f"closes the stream after {limits.WARM_SILENCE_SECONDS:g} s of silence"),
        ("signaling.md", f"waited for {limits.WARM_REPLY_SECONDS:g} s, since"),
        ("signaling.md", f"at most {SDP_LINES} lines of at most {SDP_LINE_CHARACTERS} characters"),
        ("envelope.md", f"At most {limits.REPLAY_NONCES} entries"),
        ("envelope.md", f"differ by at most {limits.MAX_SKEW_MS // 3_600_000} hours"),
        ("sealing.md", f"After {limits.SEALED_REFUSALS} refusals of sealed offers"),
        ("sealing.md", f"one offer in {('two', 'three', 'four')[limits.SEALED_REFUSALS - 1]} is in clear"),
        ("link.md", f"not proven within {limits.LINK_OPEN_SECONDS:g} s of its answer"),
        ("link.md", f"need not keep more than {limits.EARLY_FRAMES} frames"),
        ("link.md", f"A message of a data channel has at most {limits.LINK_MESSAGE_BYTES // 1024} KiB"),
        ("link.md", "The whole has at most 1 MiB + 4 KiB."),
        ("link.md", f"keep parts to {limits.PART_BYTES // 1024} KiB"),
        ("session.md", f"A body has 0 to {limits.BODY_BYTES} bytes"),
        ("session.md", f"at most {MAX_DEPTH} objects and arrays within each other"),
        ("session.md", f"A *service* is a name of 1 to {limits.SERVICE_BYTES} bytes"),
        ("session.md", f"A *key* is 0 to {limits.KEY_BYTES} bytes"),
        ("session.md", f"at most {limits.GRANTS}; the latest counts"),
        ("session.md", f"At most {limits.SEND_WINDOW_MESSAGES} frames MESSAGE or VOID"),
        ("session.md", f"at most {limits.SEND_WINDOW_BYTES // 1024**2} MiB of bodies or one message"),
        ("session.md", f"at most {limits.CONSUMED_SERVICES}, and then one without a service"),
        ("session.md", f"for the last {limits.RETIRED_EPOCHS} epochs of a contact's outbox"),
        ("session.md", f"remembers the last {limits.RETIRED_EPOCHS} names of its own outbox"),
        ("session.md", f"1 ms to {limits.CALL_PATIENCE_MS // 3_600_000} h."),
        ("session.md", f"until {limits.CALL_MEMORY_SECONDS:g} s after its patience has passed"),
        ("session.md", f"runs at most {limits.CONTACT_CALLS} calls of a contact at a time"),
        ("session.md", f"keeps at most {limits.KEPT_CALLS} that are not confirmed"),
        ("session.md", f"about {limits.KEPT_CALL_BYTES // 1024**2} MiB of their results"),
        ("session.md", f"then 0 to {limits.DATAGRAM_BYTES} bytes |"),
        ("stream.md", f"then a name: 0 to {limits.STREAM_NAME_BYTES} bytes of UTF-8"),
        ("stream.md", f"then 0 to {limits.STREAM_NAME_BYTES} bytes of UTF-8 for a person"),
        ("stream.md", f"then 1 to {limits.STREAM_DATA_BYTES} bytes |"),
        (
            "stream.md",
            f"at most {limits.STREAM_SPOOL_BYTES // 1024**2} MiB per stream that are not confirmed",
        ),
        ("stream.md", f"At most {limits.CONTACT_STREAMS_OPEN} streams with a contact are open at a time"),
        ("stream.md", f"{limits.CONTACT_STREAMS_OFFERED} of them not accepted yet"),
        ("lan.md", f"Time is divided into periods of {limits.LAN_PERIOD_SECONDS} s;"),
        ("lan.md", f"the first {limits.LAN_TAG_BYTES} bytes of HMAC-SHA256, keyed with their key"),
        ("lan.md", f"the present period and of the {limits.LAN_PERIODS_AROUND} on each side"),
        ("lan.md", f"A node with more than {limits.LAN_TAGS} contacts"),
        ("lan.md", f"to {limits.LAN_TAGS - limits.LAN_TURN_TAGS} of them always"),
        ("lan.md", f"in turn, {limits.LAN_TURN_TAGS} in each period"),
        ("lan.md", f"`t5=` with {limits.LAN_TAG_STEP} tags each"),
        ("lan.md", f"up to {limits.LAN_JITTER_SECONDS:g} s after it began"),
        ("lan.md", f"takes at most {limits.LAN_ADDRESSES} addresses of an announcement"),
        ("files.md", f"then the body, at most {limits.FILE_FRAME_BYTES} bytes."),
        ("files.md", f"1 to {limits.FILE_PIECE_BYTES} bytes of the file"),
        ("files.md", f"`u64 length`, 1 to {limits.FILE_HOLE_BYTES}:"),
        ("files.md", f"1 to {limits.FILE_PATH_BYTES} bytes: 1 to {limits.FILE_PATH_PARTS} names"),
        ("files.md", f"longer than {limits.FILE_NAME_BYTES} bytes or with a NUL"),
        ("files.md", f"more than {limits.FILE_ENTRIES} entries"),
        ("files.md", f"at least every {limits.FILE_SYNC_BYTES // 1024**2} MiB"),
        ("introduction.md", f"then 1 to {limits.CONVEYED_LINE_BYTES} bytes: a line"),
        ("introduction.md", f"likewise that are brought to one | {limits.INTRODUCTION_STREAMS} |"),
        (
            "introduction.md",
            f"burst of {limits.INTRODUCTION_BURST}, then {limits.INTRODUCTIONS_PER_SECOND:g} a second |",
        ),
        ("introduction.md", f"each line counts {limits.INTRODUCTION_LINE_COST} more"),
        ("introduction.md", f"{limits.INTRODUCTION_BYTES // 1024} KiB at once,"),
        ("introduction.md", f"then {limits.INTRODUCTION_BYTES_PER_SECOND // 1024} KiB a second |"),
        ("introduction.md", f"life of a stream | {limits.INTRODUCTION_SECONDS:g} s |"),
        ("invite.md", f"At most {INVITE_BYTES // 1024} KiB"),
    ],
)
def test_numbers(document: str, sentence: str) -> None:
    assert sentence in " ".join(read(document).split())
